import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
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

const { DEPLOYING, ACTIVE, DELETING, ABANDONED } = SliceState;
const FIRST_PAGE = { pageSize: 0, pageToken: '' };
const reason = 'the cloud burned down';

async function idsFor(mesh: Mesh, user: typeof ANA): Promise<string[]> {
  const query = { ...FIRST_PAGE, status: SliceState.UNSPECIFIED };
  const { slices } = await mesh.client.listSlices(query, await as(user));
  return slices.map(({ id }) => id);
}

test('a slice that an admin abandons is not listed any more, keeps what it had, and stands in the audit log', async () => {
  await using mesh = await startMesh();
  const [ana, admin] = [await as(ANA), await as(ADMIN)];
  const { id } = await mesh.client.createSlice(request(), ana);
  await untilState(mesh, id, ACTIVE);
  const held = mesh.driver().holds(id);

  const entry = await mesh.client.abandonSlice({ id, reason: ` ${reason} ` }, admin);

  const { time, left, ...said } = entry;
  assert.ok(time);
  assert.deepEqual(said, {
    id: '1',
    actorId: ADMIN.userId,
    actor: ADMIN.username,
    action: 'abandon',
    sliceId: id,
    sliceName: 'lab',
    ownerId: ANA.userId,
    owner: ANA.username,
    reason,
    openstackProjectId: 'project-1',
    listedByCloud: true,
    requestId: 'request-1',
  });
  assert.deepEqual(left.map((one) => `${one.resourceKind} ${one.resourceName}`).sort(), held);
  assert.ok(left.some((one) => one.cloudId === 'id-of-server-vm1'));
  assert.deepEqual(mesh.driver().holds(id), held);
  assert.deepEqual(await idsFor(mesh, ANA), []);
  const gone = { code: 'NOT_FOUND' };
  await assert.rejects(mesh.client.getSlice({ id }, ana), gone);
  await assert.rejects(mesh.client.deleteSlice({ id }, ana), gone);
  await assert.rejects(mesh.client.abandonSlice({ id, reason }, admin), gone);
  const events = await untilDeleted(mesh, id);
  assert.deepEqual(statesOf(events), [DEPLOYING, ACTIVE, ABANDONED]);
  const last = events.at(-1);
  assert.equal(last?.type, SliceEventType.STATE);
  assert.match(last?.message ?? '', /^Abandoned by admin: the cloud burned down\./);
  assert.deepEqual((await mesh.client.listAuditEntries(FIRST_PAGE, admin)).entries, [entry]);
});

test('a deployment under way is cancelled when its slice is abandoned, and no worker takes it up again', async () => {
  await using mesh = await startMesh();
  const driver = mesh.driver();
  driver.hold();
  const { id } = await mesh.client.createSlice(request(), await as(ANA));
  await until(() => driver.isBusy(id), Boolean);

  await mesh.client.abandonSlice({ id, reason }, await as(ADMIN));

  await until(
    () => driver.isBusy(id),
    (isBusy) => !isBusy,
  );
  driver.release();
  const held = driver.holds(id);
  const { id: other } = await mesh.client.createSlice(request({ name: 'other' }), await as(ANA));
  await untilState(mesh, other, ACTIVE);
  assert.deepEqual(driver.holds(id), held);
  assert.equal(driver.calls.filter((call) => call.scope?.sliceId === id).length, 1);
});

test('a slice that cannot be deleted is abandoned even if its driver does not answer, with what was last known', async () => {
  await using mesh = await startMesh();
  const { id } = await mesh.client.createSlice(request(), await as(ANA));
  await untilState(mesh, id, ACTIVE);
  await mesh.stopDriver();
  await mesh.client.deleteSlice({ id }, await as(ANA));
  await untilState(mesh, id, DELETING);

  const entry = await mesh.client.abandonSlice({ id, reason }, await as(ADMIN));

  assert.equal(entry.listedByCloud, false);
  assert.ok(entry.left.some((one) => one.cloudId === 'id-of-server-vm1'));
  assert.deepEqual(await idsFor(mesh, ADMIN), []);
  await mesh.restartDriver();
});

test('only an admin abandons a slice or reads the audit log, and never without a reason', async () => {
  await using mesh = await startMesh();
  const { id } = await mesh.client.createSlice(request({ deploy: false }), await as(ANA));
  for (const user of [ANA, BOB]) {
    const options = await as(user);
    await assert.rejects(mesh.client.abandonSlice({ id, reason }, options), { code: 'PERMISSION_DENIED' });
    await assert.rejects(mesh.client.listAuditEntries(FIRST_PAGE, options), { code: 'PERMISSION_DENIED' });
  }
  const admin = await as(ADMIN);
  for (const [wrong, message] of [
    ['  ', 'is missing; it is kept in the audit log'],
    ['x'.repeat(1001), 'has more than 1000 characters'],
  ] as const) {
    await assert.rejects(mesh.client.abandonSlice({ id, reason: wrong }, admin), {
      code: 'INVALID_ARGUMENT',
      violations: [{ field: 'reason', message }],
    });
  }
  assert.deepEqual(await idsFor(mesh, ANA), [id]);
});

test('the audit log is read page by page, newest first', async () => {
  await using mesh = await startMesh();
  const admin = await as(ADMIN);
  for (const name of ['one', 'two', 'three']) {
    const { id } = await mesh.client.createSlice(request({ name, deploy: false }), await as(ANA));
    await mesh.client.abandonSlice({ id, reason }, admin);
  }
  const first = await mesh.client.listAuditEntries({ pageSize: 2, pageToken: '' }, admin);
  const second = await mesh.client.listAuditEntries({ pageSize: 2, pageToken: first.nextPageToken }, admin);
  assert.deepEqual(
    [first, second].map(({ entries }) => entries.map(({ sliceName }) => sliceName)),
    [['three', 'two'], ['one']],
  );
  assert.equal(second.nextPageToken, '');
  assert.deepEqual(
    first.entries.map(({ left, listedByCloud }) => [left.length, listedByCloud]),
    [
      [0, true],
      [0, true],
    ],
  );
});
