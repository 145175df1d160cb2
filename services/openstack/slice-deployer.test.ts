import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Secret } from '#common/config.ts';
import { type Knex, openDatabase } from '#common/database.ts';
import { Failure } from '#common/errors.ts';
import { silentLog } from '#common/log.ts';
import { converge } from '#engine/converge.ts';
import { DEFAULT_LIMITS, IN_FLIGHT, systemClock } from '#engine/environment.ts';
import { createGate } from '#engine/gate.ts';
import { createMemoryJournal } from '#engine/journal.ts';
import { type Call, createFakeCloud, type Fault } from '#engine/testing/fake-cloud.ts';
import { wishOf } from '#engine/testing/wishes.ts';
import { testDatabaseUrl } from '../../tests/support/database.ts';
import { migrations } from './migrations/all.ts';
import { type ConvergeIn, createSliceDeployer } from './slice-deployer.ts';
import { createSliceStore } from './slice-store.ts';

let knex: Knex;
before(async () => {
  const url = new Secret(await testDatabaseUrl());
  knex = await openDatabase({ url, schema: 'openstack', migrations, log: silentLog });
});
after(() => knex.destroy());

const small = wishOf({ routed: [false], servers: [[0]] });
const large = wishOf({ routed: [false], servers: [[0], [0], [0]] });

/** A slice of its own on a cloud of its own, worked on by as many replicas as a test wants. */
function arrange(sliceId: string, fault: (call: Call) => Fault = () => 'none') {
  const cloud = createFakeCloud({ clock: systemClock, fault, callMs: 1, buildMs: 5 });
  const run: ConvergeIn = ({ scope, desired, onFailure }, { signal }) =>
    converge(
      { desired, onFailure },
      {
        scope,
        kinds: cloud.kinds,
        journal: createMemoryJournal(),
        log: silentLog,
        clock: systemClock,
        random: () => 0.5,
        limits: { ...DEFAULT_LIMITS, paceMs: { first: 2, max: 5 }, backoffMs: { base: 1, max: 2 } },
        gate: createGate(IN_FLIGHT),
        report: () => {},
        signal,
      },
    );
  const store = createSliceStore(knex);
  const gone = new Set<string>();
  let left = 0;
  const replica = (work: ConvergeIn = run) =>
    createSliceDeployer({
      store,
      converge: work,
      exists: async (projectId) => !gone.has(projectId),
      log: silentLog,
      onLeft: () => (left += 1),
    });
  const key = { userId: 'u1', sliceId };
  const slice = { ...key, username: 'ana', name: 'lab', projectId: `project of ${sliceId}` };
  const context = { signal: new AbortController().signal };
  return { cloud, store, replica, run, key, slice, context, gone, left: () => left };
}

async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.catch((caught: unknown) => caught);
  assert(error instanceof Failure, String(error));
  return error;
}

test('a slice that is deployed again changes what differs, and is gone when it is destroyed', async () => {
  const { cloud, store, replica, key, slice, context } = arrange('again');
  const deployer = replica();
  await deployer.deploy(slice, small, context);
  assert.equal(cloud.world().length, small.length);
  const creations = cloud.calls.filter(({ verb }) => verb === 'create').length;
  await deployer.deploy(slice, small, context);
  assert.equal(cloud.calls.filter(({ verb }) => verb === 'create').length, creations);
  const observed = await deployer.deploy(slice, large, context);
  assert.equal(observed.length, large.length);
  assert.equal((await store.findSlice(key))?.isSettled, true);

  assert.equal(await deployer.destroy(key, context), true);
  assert.deepEqual(cloud.world(), []);
  assert.equal(await store.findSlice(key), undefined);
  assert.equal(await deployer.destroy(key, context), false);
});

test('a first deployment that fails leaves nothing, in the cloud and in the store', async () => {
  const { cloud, store, replica, key, slice, context } = arrange('fails', ({ verb, kind }) =>
    verb === 'create' && kind === 'server' ? 'terminal' : 'none',
  );
  const failure = await failureOf(replica().deploy(slice, small, context));
  assert.match(failure.message, /^Failed to deploy slice in OpenStack: /);
  assert.equal(failure.metadata.slice_id, 'fails');
  assert.deepEqual(cloud.world(), []);
  assert.equal(await store.findSlice(key), undefined);
});

test('a change that fails goes back to what was there', async () => {
  let isRefusing = false;
  const { cloud, store, replica, key, slice, context } = arrange('change', ({ verb, kind }) =>
    isRefusing && verb === 'create' && kind === 'server' ? 'terminal' : 'none',
  );
  await replica().deploy(slice, small, context);
  isRefusing = true;
  await failureOf(replica().deploy(slice, large, context));
  assert.equal(cloud.world().length, small.length);
  const row = await store.findSlice(key);
  assert.equal(row?.isSettled, true);
  assert.deepEqual(row.deployed, small);
});

test('what a caller who left had begun is removed by whoever looks next', async () => {
  const leaving = new AbortController();
  const { cloud, store, replica, key, slice, left } = arrange('left', ({ verb, kind }) => {
    if (verb === 'create' && kind === 'server') leaving.abort();
    return 'none';
  });
  const failure = await failureOf(replica().deploy(slice, small, { signal: leaving.signal }));
  assert.equal(failure.code, 'CANCELLED');
  assert.equal(left(), 1);
  assert.notEqual(cloud.world().length, 0);
  assert.equal(await replica().recover(new AbortController().signal), 1);
  assert.deepEqual(cloud.world(), []);
  assert.equal(await store.findSlice(key), undefined);
});

test('a crash in a change is recovered to what was there, once the dead one’s lease is over', async () => {
  const { cloud, store, replica, run, key, slice, context } = arrange('crash');
  await replica().deploy(slice, small, context);
  // kill -9 between asking the cloud and noting it: the row stays as it was when the work began.
  await store.takeSlice(slice, '00000000-0000-4000-8000-000000000000');
  const scope = { sliceId: key.sliceId, sliceName: 'lab', userId: 'u1', username: 'ana' };
  await run({ scope, projectId: 'p1', desired: large, onFailure: 'ON_FAILURE_KEEP' }, context);
  assert.equal(await replica().recover(context.signal), 0, 'it may still be alive');
  await knex('slices')
    .where({ slice_id: key.sliceId })
    .update({ lease_until: new Date(0) });
  assert.equal(await replica().recover(context.signal), 1);
  assert.equal(cloud.world().length, small.length);
  assert.equal((await store.findSlice(key))?.isSettled, true);
});

test('what comes late from a worker that had lost its slice is removed', async () => {
  const { cloud, store, replica, run, key, slice, context } = arrange('late');
  const { promise: paused, resolve: goOn } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const first = replica(async (work, { signal }) => {
    begin();
    await paused;
    // Past its fence already, it does not hear that the slice is another's.
    await run(work, context);
    return await new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)));
  }).deploy(slice, small, context);
  await begun;
  await knex('slices')
    .where({ slice_id: key.sliceId })
    .update({ lease_until: new Date(0) });
  assert.equal(await replica().recover(context.signal), 1);
  assert.equal(await store.findSlice(key), undefined);
  goOn();
  assert.equal((await failureOf(first)).reason, 'SLICE_LOST');
  assert.notEqual(cloud.world().length, 0);
  assert.equal(await replica().recover(context.signal), 1);
  assert.deepEqual(cloud.world(), []);
  assert.equal(await store.findSlice(key), undefined);
});

test('two who deploy the same slice at once do not work side by side', async () => {
  const { replica, run, slice, context } = arrange('twice');
  const { promise: paused, resolve: goOn } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const first = replica(async (work, within) => {
    begin();
    await paused;
    return run(work, within);
  }).deploy(slice, small, context);
  await begun;
  const busy = await failureOf(replica().deploy(slice, small, context));
  assert.equal(busy.code, 'ABORTED');
  assert.equal(busy.reason, 'SLICE_BUSY');
  assert((busy.retryAfterS ?? 0) > 0);
  goOn();
  await first;
});

test('a slice that cannot be recovered yet is tried again later and does not stop the others', async () => {
  const stuck = arrange('stuck');
  const other = arrange('other');
  const left = new AbortController();
  left.abort();
  for (const { replica, slice } of [stuck, other]) {
    await failureOf(replica().deploy(slice, small, { signal: left.signal }));
  }
  const unreachable: ConvergeIn = async (work, within) => {
    if (work.scope.sliceId === 'stuck')
      throw new Failure({ code: 'UNAVAILABLE', reason: 'X', message: 'no' });
    return other.run(work, within);
  };
  assert.equal(await other.replica(unreachable).recover(new AbortController().signal), 2);
  assert.equal(await other.store.findSlice(other.key), undefined);
  assert.equal((await stuck.store.findSlice(stuck.key))?.isSettled, false);
});

test('of a slice whose project was removed nothing is left, and its id is free again', async () => {
  const { cloud, store, replica, key, slice, context, gone } = arrange('orphan');
  await replica().deploy(slice, small, context);
  gone.add(slice.projectId);
  assert.equal(await replica().destroy(key, context), true);
  assert.equal(await store.findSlice(key), undefined);
  assert.deepEqual(cloud.world(), []);
});

test('an id that another user’s slice has in the same project is taken', async () => {
  const { replica, slice, context } = arrange('id');
  await replica().deploy(slice, small, context);
  const failure = await failureOf(replica().deploy({ ...slice, userId: 'u2' }, small, context));
  assert.equal(failure.reason, 'SLICE_ID_TAKEN');
});
