import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '#common/config.ts';
import { openDatabase } from '#common/database.ts';
import { silentLog } from '#common/log.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import {
  ListSliceEventsRequest,
  ListSliceStepsRequest,
  type SliceEvent,
  SliceEventType,
} from '#proto/pucp/slice/v1/slice_service.ts';
import { createHistoryStore } from './history-store.ts';
import { migrations } from './migrations/all.ts';
import { ADMIN, ANA, as, BOB, type Mesh, request, startMesh, until, untilState } from './testing/harness.ts';

const { ACTIVE, DELETED, DEPLOYING } = SliceState;
const missing = { code: 'NOT_FOUND' };

async function deployed(mesh: Mesh): Promise<string> {
  const { id } = await mesh.client.createSlice(request(), await as(ANA));
  await untilState(mesh, id, ACTIVE);
  return id;
}

async function allPages(
  ask: (pageToken: string) => Promise<{ events: SliceEvent[]; nextPageToken: string }>,
): Promise<SliceEvent[]> {
  const events: SliceEvent[] = [];
  for (let pageToken = ''; ; ) {
    const page = await ask(pageToken);
    events.push(...page.events);
    pageToken = page.nextPageToken;
    if (pageToken === '') return events;
  }
}

test('a watch begins with the slice as it is, and goes on with what happens until the slice is gone', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const id = await deployed(mesh);
  const events: SliceEvent[] = [];
  for await (const event of mesh.client.watchSlice({ id }, ana)) {
    events.push(event);
    if (events.length === 1) await mesh.client.deleteSlice({ id }, ana);
  }
  const [snapshot, ...after] = events;
  assert.equal(snapshot?.type, SliceEventType.SNAPSHOT);
  assert.equal(snapshot.slice?.status, ACTIVE);
  assert.equal(snapshot.slice.nodes[0]?.status, 'active');
  assert.equal(snapshot.message, 'The slice is running');
  assert.deepEqual(
    after.map(({ sequence }) => sequence),
    after.map((_, index) => snapshot.sequence + index + 1),
  );
  assert.equal(after.at(-1)?.status, DELETED);
  assert.equal(after[0]?.slice, undefined);
  const past = await Array.fromAsync(mesh.client.watchSlice({ id, follow: false }, ana));
  assert.equal(past[0]?.sequence, 1, 'the past is told as ever');
  assert.ok(past.every(({ type }) => type !== SliceEventType.SNAPSHOT));
});

test('a watch of what is deleted ends, with the snapshot or with what came after the last event heard', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request({ deploy: false }), ana);
  await mesh.client.deleteSlice({ id }, ana);
  const [only, ...rest] = await Array.fromAsync(mesh.client.watchSlice({ id }, ana));
  assert.deepEqual([only?.type, only?.status, rest.length], [SliceEventType.SNAPSHOT, DELETED, 0]);
  const after = only?.sequence ?? 0;
  assert.deepEqual(await Array.fromAsync(mesh.client.watchSlice({ id, after }, ana)), []);
});

test('past events come in pages, oldest or newest first, by type and by resource, also of a deleted slice', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const id = await deployed(mesh);
  await mesh.client.deleteSlice({ id }, ana);
  const past = await Array.fromAsync(mesh.client.watchSlice({ id, after: 0 }, ana));
  const ask = (query: Partial<ListSliceEventsRequest>) =>
    allPages(async (pageToken) =>
      mesh.client.listSliceEvents(
        ListSliceEventsRequest.fromPartial({ id, pageSize: 3, ...query, pageToken }),
        ana,
      ),
    );
  assert.deepEqual(await ask({}), past);
  assert.deepEqual(await ask({ newestFirst: true }), past.toReversed());
  const states = await ask({ type: SliceEventType.STATE });
  assert.deepEqual(
    states,
    past.filter(({ type }) => type === SliceEventType.STATE),
  );
  const server = await ask({ resourceKind: 'server', resourceName: 'vm1' });
  assert.deepEqual([...new Set(server.map((event) => event.resourceKind))], ['server']);
  assert.deepEqual(server.at(-1)?.resourceState, 'deleted');
  for (const wrong of [{ pageSize: -1 }, { pageToken: 'x' }, { pageToken: '99999999999' }]) {
    const bad = ListSliceEventsRequest.fromPartial({ id, ...wrong });
    await assert.rejects(mesh.client.listSliceEvents(bad, ana), { code: 'INVALID_ARGUMENT' });
  }
});

test('the journal is the driver’s, in pages', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const id = await deployed(mesh);
  const first = await mesh.client.listSliceSteps(ListSliceStepsRequest.fromPartial({ id, pageSize: 2 }), ana);
  assert.equal(first.steps.length, 2);
  const { nextPageToken: pageToken } = first;
  const rest = await mesh.client.listSliceSteps(ListSliceStepsRequest.fromPartial({ id, pageToken }), ana);
  const steps = [...first.steps, ...rest.steps].map(({ step }) => step);
  assert.deepEqual(
    steps.toSorted(),
    mesh
      .driver()
      .holds(id)
      .map((key) => `create ${key.replace(' ', '/')}`),
  );
});

test('every resource is shown with its state, since when, and what it waits for', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  mesh.driver().hold();
  const { id } = await mesh.client.createSlice(request(), ana);
  const list = async () => (await mesh.client.listSliceResources({ id }, ana)).resources;
  const server = async () => (await list()).find(({ kind }) => kind === 'server');
  assert.equal((await server())?.state, 'pending');
  assert.match((await server())?.message ?? '', /^waits for port\//);
  assert.equal((await server())?.since, undefined);
  mesh.driver().release();
  await untilState(mesh, id, ACTIVE);
  const ready = await list();
  assert.deepEqual(
    ready.map(({ kind, state }) => `${kind} ${state}`),
    ['network ready', 'subnet ready', 'port ready', 'server ready'],
  );
  assert.equal(ready.at(-1)?.cloudId, 'id-of-server-vm1');
  assert.match(ready.at(-1)?.needs[0] ?? '', /^port\//);
  const since = ready[0]?.since;
  assert.ok(since);
  await mesh.client.stopSlice({ id }, ana);
  await untilState(mesh, id, SliceState.STOPPED);
  const stopped = await list();
  assert.equal(stopped[0]?.since, since, 'the network has been ready all the time');
});

test('the past, the journal and the resources of someone else’s slice do not exist', async () => {
  await using mesh = await startMesh();
  const id = await deployed(mesh);
  const bob = await as(BOB);
  await assert.rejects(mesh.client.listSliceEvents(ListSliceEventsRequest.fromPartial({ id }), bob), missing);
  await assert.rejects(mesh.client.listSliceSteps(ListSliceStepsRequest.fromPartial({ id }), bob), missing);
  await assert.rejects(mesh.client.listSliceResources({ id }, bob), missing);
  await assert.rejects(Array.fromAsync(mesh.client.watchSlice({ id }, bob)), missing);
  const admin = await as(ADMIN);
  const { events } = await mesh.client.listSliceEvents(ListSliceEventsRequest.fromPartial({ id }), admin);
  assert.equal(events[0]?.status, DEPLOYING);
});

test('within one work the percentage never falls, also over a driver that died and a goal that changed', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  mesh.driver().failNext({ silent: true }, { silent: true });
  const { id } = await mesh.client.createSlice(request(), ana);
  await untilState(mesh, id, ACTIVE);
  assert.ok(mesh.driver().calls.length >= 3, 'it took three calls');
  await mesh.client.deleteSlice({ id }, ana);
  const events = await Array.fromAsync(mesh.client.watchSlice({ id, after: 0 }, ana));
  const works = Map.groupBy(events, ({ status }) =>
    status === SliceState.DELETING || status === DELETED ? 'removal' : 'deployment',
  );
  for (const [work, ofWork] of works) {
    const percents = ofWork.map(({ percent }) => percent);
    assert.deepEqual(
      percents,
      percents.toSorted((a, b) => a - b),
      work,
    );
  }
});

async function firstOf<T>(stream: AsyncIterable<T>): Promise<T[]> {
  for await (const one of stream) return [one];
  return [];
}

test('events of a slice that was deleted go after a while, the oldest of a living one when they are too many', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const [living, gone] = [await deployed(mesh), await deployed(mesh)];
  await mesh.client.deleteSlice({ id: gone }, ana);
  const eventsOf = async (id: string) =>
    (await mesh.client.listSliceEvents(ListSliceEventsRequest.fromPartial({ id }), ana)).events;
  await until(
    () => eventsOf(gone),
    (events) => events.at(-1)?.status === DELETED,
  );
  const url = new Secret(mesh.env.DATABASE_URL);
  const knex = await openDatabase({ url, schema: 'slice', migrations, log: silentLog, poolMax: 3 });
  try {
    const before = await eventsOf(living);
    const later = (days: number) => Date.now() + days * 86_400_000;
    const soon = createHistoryStore(knex, { days: 30, perSlice: 4, now: () => later(29) });
    await soon.sweep();
    assert.deepEqual(await eventsOf(living), before.slice(-4));
    assert.equal((await eventsOf(gone)).length, 4, 'kept for a month');
    const after = (before.at(-4)?.sequence ?? 0) - 2;
    const [first] = await firstOf(mesh.client.watchSlice({ id: living, after }, ana));
    assert.equal(first?.type, SliceEventType.SNAPSHOT, 'what was let go is not passed over');
    const [next] = await firstOf(mesh.client.watchSlice({ id: living, after: after + 1 }, ana));
    assert.deepEqual(next, before.at(-4));
    const afterwards = createHistoryStore(knex, { days: 30, perSlice: 4, now: () => later(31) });
    assert.equal(await afterwards.sweep(), 4);
    assert.deepEqual(await eventsOf(gone), []);
    assert.equal((await eventsOf(living)).length, 4);
  } finally {
    await knex.destroy();
  }
});

test('what came about while nobody listened is told when it is found', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const id = await deployed(mesh);
  const eventsOf = async () =>
    (await mesh.client.listSliceEvents(ListSliceEventsRequest.fromPartial({ id }), ana)).events;
  const before = (await eventsOf()).length;
  // As if a worker had been killed before it wrote down what its driver told.
  const url = new Secret(mesh.env.DATABASE_URL);
  const knex = await openDatabase({ url, schema: 'slice', migrations, log: silentLog, poolMax: 3 });
  await knex('slice_resources').where({ slice_id: id, kind: 'subnet' }).delete();
  await knex('slice_resources').insert({ slice_id: id, kind: 'volume', name: 'old', resource: OLD_VOLUME });
  await knex.destroy();
  await mesh.client.stopSlice({ id }, ana);
  await untilState(mesh, id, SliceState.STOPPED);
  const told = (await eventsOf()).slice(before).map(({ message }) => message);
  assert.ok(told.includes('Volume old is gone'), told.join(', '));
  assert.ok(told.includes('Subnet lan is ready'), told.join(', '));
});

const OLD_VOLUME = JSON.stringify({ name: 'old', state: 'RESOURCE_STATE_READY', volume: {} });
