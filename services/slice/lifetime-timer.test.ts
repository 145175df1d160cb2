import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import {
  RenewSliceRequest,
  type SliceEvent,
  SliceEventType,
  UpdateSliceRequest,
} from '#proto/pucp/slice/v1/slice_service.ts';
import {
  ADMIN,
  ANA,
  as,
  BOB,
  type Mesh,
  request,
  startMesh,
  statesOf,
  until,
  untilDeleted,
  untilState,
} from './testing/harness.ts';

const { SCHEDULED, DRAFT, DEPLOYING, ACTIVE, DELETING, DELETED, ERROR } = SliceState;
const START = Date.parse('2026-03-01T12:00:00Z');
const HOUR = 3_600_000;

/** A mesh whose clock moves only when it is told to. */
async function startClockedMesh(env: Readonly<Record<string, string>> = {}) {
  let time = START;
  const now = () => time;
  const mesh = await startMesh({ env, surroundings: { now, sweepMs: 20 } });
  return Object.assign(mesh, {
    at: (ms: number) => new Date(time + ms).toISOString(),
    pass(ms: number) {
      time += ms;
    },
  });
}

test('a scheduled slice is checked and stored, and deployed when its time has come', async () => {
  await using mesh = await startClockedMesh();
  const ana = await as(ANA);
  const startAt = mesh.at(HOUR);
  const wrong = request({ startAt, nodes: [{ name: 'vm1', image: 'windows', flavor: 'small' }] });
  await assert.rejects(mesh.client.createSlice(wrong, ana), { code: 'INVALID_ARGUMENT' });
  const created = await mesh.client.createSlice(request({ startAt }), ana);
  assert.equal(created.status, SCHEDULED);
  assert.match(created.message, /will be deployed at 2026-03-01T13:00:00/);
  assert.equal((await mesh.client.getSlice({ id: created.id }, ana)).startAt, startAt);
  assert.deepEqual(mesh.driver().calls, []);
  mesh.pass(HOUR);
  await untilState(mesh, created.id, ACTIVE);
  assert.deepEqual(statesOf(await history(mesh, created.id)), [SCHEDULED, DEPLOYING, ACTIVE]);
});

test('a scheduled slice is deployed earlier by hand, or deleted at once', async () => {
  await using mesh = await startClockedMesh();
  const ana = await as(ANA);
  const startAt = mesh.at(HOUR);
  const early = await mesh.client.createSlice(request({ startAt }), ana);
  const dropped = await mesh.client.createSlice(request({ startAt }), ana);
  assert.equal((await mesh.client.deleteSlice({ id: dropped.id }, ana)).status, DELETED);
  await mesh.client.deploySlice({ id: early.id }, ana);
  await untilState(mesh, early.id, ACTIVE);
  mesh.pass(2 * HOUR);
  const other = await mesh.client.createSlice(request({ startAt: mesh.at(1) }), ana);
  mesh.pass(HOUR);
  await untilState(mesh, other.id, ACTIVE);
  assert.equal(mesh.driver().calls.length, 2, 'each was deployed once');
});

test('a scheduled slice that has no room at its time says so, and is deployed by hand once there is', async () => {
  await using mesh = await startClockedMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request({ startAt: mesh.at(HOUR) }), ana);
  mesh.driver().limit('instances', 0);
  mesh.pass(HOUR);
  const refused = await untilState(mesh, id, ERROR);
  assert.match(refused.errorMessage, /^The slice could not be deployed at its time: .*instances: 1 needed/);
  assert.deepEqual(mesh.driver().calls, []);
  mesh.driver().limit('instances', 1);
  await mesh.client.deploySlice({ id }, ana);
  await untilState(mesh, id, ACTIVE);
});

test('a cloud that does not answer puts a start off, and no end', async () => {
  await using mesh = await startClockedMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request({ startAt: mesh.at(HOUR) }), ana);
  const times = { startAt: mesh.at(HOUR), expiresAt: mesh.at(2 * HOUR) };
  const short = await mesh.client.createSlice(request(times), ana);
  await mesh.stopDriver();
  mesh.pass(2 * HOUR);
  assert.deepEqual(statesOf(await untilDeleted(mesh, short.id)), [SCHEDULED, DELETED]);
  assert.equal((await mesh.client.getSlice({ id }, ana)).status, SCHEDULED);
  await mesh.restartDriver();
  await untilState(mesh, id, ACTIVE);
});

test('an owner is reminded twice, and then the slice is deleted and says why', async () => {
  await using mesh = await startClockedMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request({ expiresAt: mesh.at(48 * HOUR) }), ana);
  await untilState(mesh, id, ACTIVE);
  mesh.pass(24 * HOUR);
  await untilReminders(mesh, id, 1);
  mesh.pass(23 * HOUR);
  await untilReminders(mesh, id, 2);
  mesh.pass(HOUR);
  const events = await untilDeleted(mesh, id);
  assert.deepEqual(statesOf(events), [DEPLOYING, ACTIVE, DELETING, DELETED]);
  assert.deepEqual(
    lifetimeEvents(events).map(({ message }) => message.replace(/, at.*/, '')),
    ['The slice will be deleted in 24 hours', 'The slice will be deleted in 60 minutes'],
  );
  const end = events.find(({ status }) => status === DELETING);
  assert.equal(end?.message, 'The slice has come to its end at 2026-03-03T12:00:00.000Z: it is deleted');
  assert.deepEqual(mesh.driver().holds(id), []);
});

test('a draft and a slice that is still to be deployed come to their end, too', async () => {
  await using mesh = await startClockedMesh();
  const ana = await as(ANA);
  const expiresAt = mesh.at(2 * HOUR);
  const draft = await mesh.client.createSlice(request({ deploy: false, expiresAt }), ana);
  assert.equal(draft.status, DRAFT);
  const scheduled = await mesh.client.createSlice(request({ startAt: mesh.at(HOUR), expiresAt }), ana);
  // As if no process had lived at the time of the start.
  mesh.pass(3 * HOUR);
  for (const { id } of [draft, scheduled])
    assert.equal(statesOf(await untilDeleted(mesh, id)).at(-1), DELETED);
  assert.deepEqual(mesh.driver().calls, []);
});

test('many replicas act on one time once', async () => {
  await using mesh = await startClockedMesh();
  await mesh.replica();
  await mesh.replica();
  const ana = await as(ANA);
  const times = { startAt: mesh.at(HOUR), expiresAt: mesh.at(50 * HOUR) };
  const { id } = await mesh.client.createSlice(request(times), ana);
  mesh.pass(HOUR);
  await untilState(mesh, id, ACTIVE);
  mesh.pass(26 * HOUR);
  await untilReminders(mesh, id, 1);
  mesh.pass(30 * HOUR);
  const events = await untilDeleted(mesh, id);
  assert.deepEqual(statesOf(events), [SCHEDULED, DEPLOYING, ACTIVE, DELETING, DELETED]);
  assert.equal(lifetimeEvents(events).length, 1);
  assert.equal(mesh.driver().calls.length, 2);
});

test('a slice that is renewed lives on, and is reminded of its new end', async () => {
  await using mesh = await startClockedMesh({ SLICE_MAX_RENEWALS: '1' });
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request({ expiresAt: mesh.at(2 * HOUR) }), ana);
  await untilState(mesh, id, ACTIVE);
  const renewed = await mesh.client.renewSlice(RenewSliceRequest.fromPartial({ id, hours: 100 }), ana);
  assert.deepEqual([renewed.expiresAt, renewed.renewals], [mesh.at(100 * HOUR), 1]);
  await assert.rejects(mesh.client.renewSlice(RenewSliceRequest.fromPartial({ id, hours: 200 }), ana), {
    code: 'RESOURCE_EXHAUSTED',
    reason: 'TOO_MANY_RENEWALS',
  });
  mesh.pass(80 * HOUR);
  const reminders = await untilReminders(mesh, id, 2);
  assert.match(reminders[0]?.message ?? '', /lives until 2026-03-05T16/);
  assert.match(reminders[1]?.message ?? '', /in 20 hours/);
  assert.equal((await mesh.client.getSlice({ id }, ana)).status, ACTIVE);

  const freed = await mesh.client.renewSlice(
    RenewSliceRequest.fromPartial({ id, exempt: true }),
    await as(ADMIN),
  );
  assert.equal(freed.expiresAt, undefined);
  mesh.pass(1_000 * HOUR);
  await mesh.client.stopSlice({ id }, ana);
  await untilState(mesh, id, SliceState.STOPPED);
  assert.deepEqual(statesOf(await history(mesh, id)).includes(DELETING), false);
});

test('a new spec brings other times, and a draft becomes a scheduled slice by it', async () => {
  await using mesh = await startClockedMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request({ deploy: false }), ana);
  const spec = await mesh.client.getSliceSpec({ id }, ana);
  const put = (times: { startAt?: string; expiresAt?: string }) =>
    mesh.client.updateSlice(UpdateSliceRequest.fromPartial({ ...spec, ...times, id }), ana);
  await assert.rejects(put({ startAt: mesh.at(-HOUR) }), { code: 'INVALID_ARGUMENT' });
  const times = { startAt: mesh.at(HOUR), expiresAt: mesh.at(3 * HOUR) };
  const changed = await put(times);
  assert.deepEqual(
    [changed.status, changed.message],
    [SCHEDULED, `The slice will be deployed at ${times.startAt}`],
  );
  assert.match((await put(times)).message, /^Nothing to do/);
  const slice = await mesh.client.getSlice({ id }, ana);
  assert.deepEqual([slice.startAt, slice.expiresAt], [times.startAt, times.expiresAt]);
  mesh.pass(HOUR);
  await untilState(mesh, id, ACTIVE);
  await assert.rejects(put({ startAt: mesh.at(HOUR) }), { reason: 'SLICE_STARTED' });
  await put({ expiresAt: mesh.at(HOUR) });
  mesh.pass(HOUR);
  assert.deepEqual(statesOf(await untilDeleted(mesh, id)), [
    DRAFT,
    SCHEDULED,
    DEPLOYING,
    ACTIVE,
    DELETING,
    DELETED,
  ]);
});

test('a stranger cannot renew a slice, nor an owner for ever', async () => {
  await using mesh = await startClockedMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  const asked = RenewSliceRequest.fromPartial({ id, hours: 1 });
  await assert.rejects(mesh.client.renewSlice(asked, await as(BOB)), { code: 'NOT_FOUND' });
  await assert.rejects(mesh.client.renewSlice({ ...asked, hours: 0, exempt: true }, ana), {
    code: 'PERMISSION_DENIED',
  });
});

async function history(mesh: Pick<Mesh, 'client'>, id: string): Promise<SliceEvent[]> {
  const events: SliceEvent[] = [];
  for await (const event of mesh.client.watchSlice({ id, after: 0, follow: false }, await as(ADMIN)))
    events.push(event);
  return events;
}

function lifetimeEvents(events: readonly SliceEvent[]): SliceEvent[] {
  return events.filter(({ type }) => type === SliceEventType.LIFETIME);
}

function untilReminders(mesh: Pick<Mesh, 'client'>, id: string, count: number): Promise<SliceEvent[]> {
  return until(
    async () => lifetimeEvents(await history(mesh, id)),
    (events) => events.length === count,
  );
}
