// Workers that come late, on a sandbox and a real database.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { ANONYMOUS } from '#common/caller.ts';
import { Secret } from '#common/config.ts';
import { type Knex, openDatabase } from '#common/database.ts';
import { silentLog } from '#common/log.ts';
import type { Context } from '#common/rpc-server.ts';
import { ConvergeRequest, OnFailure } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { testDatabaseUrl } from '../../tests/support/database.ts';
import { createDriver } from './driver.ts';
import { createFences } from './fences.ts';
import { createJournalStore } from './journal-store.ts';
import { createLateLooks } from './late-looks.ts';
import { migrations } from './migrations/all.ts';
import type { SliceWorker } from './slice-work.ts';
import { labOf, type Rig, startRig } from './testing/slice-rig.ts';

let rig: Rig;
let knex: Knex;
before(async () => {
  const url = new Secret(await testDatabaseUrl());
  knex = await openDatabase({ url, schema: 'openstack', migrations, log: silentLog });
  rig = await startRig({ buildDelayMs: 50 });
});
after(async () => {
  await rig?.close();
  await knex?.destroy();
});

const context = (): Context => ({
  caller: { ...ANONYMOUS, userId: 'u1', username: 'ana', role: 'student', actor: 'slice' },
  signal: AbortSignal.timeout(60_000),
  log: silentLog,
  requestId: randomUUID(),
  clientIp: '127.0.0.1',
});

/** A replica whose worker is stopped behind its nth check, right before the call that it is about to make. */
function pausedReplica(nth: number) {
  const paused = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  let checks = 0;
  const own = rig.another();
  const worker: SliceWorker = {
    ...own,
    converge: (work, calling, listeners = {}) =>
      own.converge(work, calling, {
        ...listeners,
        async admit() {
          await listeners.admit?.();
          checks += 1;
          if (checks < nth) return;
          paused.resolve();
          await goOn.promise;
        },
      }),
  };
  return { ...replicaWith(worker), paused: paused.promise, goOn: goOn.resolve };
}

function replicaWith(worker: SliceWorker) {
  const fences = createFences(knex);
  const journal = createJournalStore(knex, { days: 30, perSlice: 1000 });
  const driver = createDriver({ ...rig.deps, worker, fences, journal });
  return {
    looks: createLateLooks({ fences, worker, tenancy: rig.deps.tenancy, log: silentLog }),
    converge: (sliceId: string, desired: readonly Resource[], fence: number) => {
      const scope = { sliceId, sliceName: 'lab', userId: 'u1', username: 'ana' };
      const request = { scope, desired: [...desired], fence, onFailure: OnFailure.ROLLBACK };
      return Array.fromAsync(driver.converge(ConvergeRequest.fromPartial(request), context()));
    },
    observe: async (sliceId: string) => {
      const scope = { sliceId, sliceName: 'lab', userId: 'u1', username: 'ana' };
      return (await driver.observe({ scope }, context())).observed;
    },
  };
}

for (const nth of [1, 2]) {
  test(`what a paused worker makes of a slice that was deleted meanwhile is found and removed (call ${nth})`, async () => {
    const sliceId = randomUUID();
    const first = pausedReplica(nth);
    const second = replicaWith(rig.another());
    const late = first.converge(sliceId, labOf({ nodes: 1 }), 1);
    late.catch(() => {});
    await first.paused;
    await second.converge(sliceId, [], 2);
    assert.deepEqual(await second.observe(sliceId), []);
    first.goOn();
    await assert.rejects(late);
    assert.equal(await second.looks.sweep(AbortSignal.timeout(30_000)), 1);
    assert.deepEqual(await second.observe(sliceId), []);
    assert.equal(await second.looks.sweep(AbortSignal.timeout(30_000)), 0, 'once is enough');
  });
}

test('a duplicate that a paused worker makes is removed, and the slice stays as it is', async () => {
  const sliceId = randomUUID();
  const first = pausedReplica(1);
  const second = replicaWith(rig.another());
  const lab = labOf({ nodes: 1 });
  const late = first.converge(sliceId, lab, 1);
  late.catch(() => {});
  await first.paused;
  await second.converge(sliceId, lab, 2);
  const ids = async () => (await second.observe(sliceId)).map(({ cloudId }) => cloudId).sort();
  const before = await ids();
  first.goOn();
  await assert.rejects(late);
  assert.equal((await ids()).length, before.length + 1, 'the paused call made one more');
  assert.equal(await second.looks.sweep(AbortSignal.timeout(30_000)), 1);
  assert.deepEqual(await ids(), before);
});

test('no look is made where nobody came late', async () => {
  const sliceId = randomUUID();
  const replica = replicaWith(rig.another());
  await replica.converge(sliceId, labOf({ nodes: 1 }), 1);
  await replica.converge(sliceId, [], 2);
  assert.equal(await replica.looks.sweep(AbortSignal.timeout(30_000)), 0);
});

test('a slice that was taken over from a worker that died is looked at once more after a while', async () => {
  const sliceId = randomUUID();
  const replica = replicaWith(rig.another());
  await createFences(knex).claim({ sliceId, fence: 1, holder: randomUUID() });
  await replica.converge(sliceId, labOf({ nodes: 1 }), 2);
  assert.equal(await replica.looks.sweep(AbortSignal.timeout(30_000)), 0, 'not yet');
  await knex('fences')
    .where({ slice_id: sliceId })
    .whereNotNull('look_at')
    .update({ look_at: new Date(0) });
  assert.equal(await replica.looks.sweep(AbortSignal.timeout(30_000)), 1);
  await replica.converge(sliceId, [], 3);
});
