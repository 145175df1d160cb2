// How hard the engine presses a cloud: how many calls at once, how often it looks, and what it does not look for at all.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OnFailure, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { createGate } from './gate.ts';
import { createFakeCloud, type FakeCloud } from './testing/fake-cloud.ts';
import { assertEqualWorld, run } from './testing/run.ts';
import { createVirtualClock } from './testing/virtual-clock.ts';
import { wishOf } from './testing/wishes.ts';

test('a small slice beside a big one is not kept waiting until that is done', async () => {
  const clock = createVirtualClock();
  const gate = createGate(4);
  const big = createFakeCloud({ clock, callMs: 1_000 });
  const small = createFakeCloud({ clock, callMs: 1_000 });
  const ended: string[] = [];
  const deploy = async (name: string, cloud: FakeCloud, servers: number): Promise<void> => {
    await run({
      cloud,
      clock,
      desired: wishOf({ routed: [false], servers: Array(servers).fill([0]) }),
      gate,
    });
    ended.push(`${name} after ${Math.round(clock.now() / 1_000)} s`);
  };
  await Promise.all([deploy('big', big, 200), deploy('small', small, 3)]);
  assert.match(ended[0] ?? '', /^small/, ended.join(', '));
  const [smallS = 0, bigS = 0] = ended.map((text) => Number.parseInt(text.replace(/\D+/, ''), 10));
  assert.ok(smallS * 2 < bigS, ended.join(', '));
  const calls = [...big.calls, ...small.calls].filter(({ verb }) => verb === 'create');
  const together = calls.map(
    (call) => calls.filter((c) => c.startMs <= call.startMs && c.endMs > call.startMs).length,
  );
  assert.equal(Math.max(...together), 4);
});

test('waiting costs one list a tick however many servers are being built', async () => {
  const lists = async (servers: number): Promise<number> => {
    const clock = createVirtualClock();
    const cloud = createFakeCloud({ clock, buildMs: 20_000 });
    await run({ cloud, clock, desired: wishOf({ routed: [false], servers: Array(servers).fill([0]) }) });
    return looksOf(cloud).length;
  };
  assert.ok((await lists(40)) <= (await lists(1)) + 2);
});

test('servers that become ready one after the other cost few lists in full', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock, callMs: 1_000 });
  const desired = wishOf({ routed: [false], servers: Array(60).fill([0]) });
  await run({ cloud, clock, desired, gate: createGate(1), isFresh: true });
  const lists = cloud.calls.filter(({ verb, kind }) => verb === 'list' && kind === 'server');
  assert.ok(lists.length <= clock.now() / 5_000, `${lists.length} in ${clock.now() / 1_000} s`);
});

test('what nobody has worked on before is not looked for, and afterwards only what was asked for is', async () => {
  const clock = createVirtualClock();
  let isLost = false;
  const cloud = createFakeCloud({
    clock,
    fault({ verb, kind }) {
      if (isLost || verb !== 'create' || kind !== 'port') return 'none';
      isLost = true;
      return 'after';
    },
  });
  const desired = wishOf({ routed: [false], servers: [[0], [0]] });
  const { outcome } = await run({ cloud, clock, desired, isFresh: true });
  assert.equal(outcome, Outcome.CONVERGED);
  assertEqualWorld(cloud, desired);
  assert.deepEqual(
    cloud.calls.slice(0, 2).map(({ verb, kind }) => `${verb} ${kind}`),
    ['list network', 'create network'],
  );
  const listed = new Set(cloud.calls.filter(({ verb }) => verb === 'list').map(({ kind }) => kind));
  assert.deepEqual([...listed].sort(), ['network', 'port', 'server', 'subnet']);
});

test('what is there all the same, as after a database was restored, is found and not made twice', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock });
  const desired = wishOf({ routed: [true], servers: [[0], [0]] });
  await run({ cloud, clock, desired });
  const before = cloud.world().map(({ resource }) => resource.cloudId);
  assert.equal((await run({ cloud, clock, desired, isFresh: true })).outcome, Outcome.CONVERGED);
  assert.deepEqual(
    cloud.world().map(({ resource }) => resource.cloudId),
    before,
  );
});

test('a fresh deployment that fails for good leaves nothing, like any other', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({
    clock,
    fault: ({ verb, kind }) => (verb === 'create' && kind === 'server' ? 'terminal' : 'none'),
  });
  const desired = wishOf({ routed: [true], servers: [[0], [0]] });
  const result = await run({ cloud, clock, desired, isFresh: true, onFailure: OnFailure.ROLLBACK });
  assert.equal(result.outcome, Outcome.ROLLED_BACK);
  assertEqualWorld(cloud, []);
});

test('many slices that wait ask a slow cloud hardly more often than one', async () => {
  const listsPerSecond = async (runs: number): Promise<number> => {
    const clock = createVirtualClock();
    const gate = createGate(100);
    const clouds = Array.from({ length: runs }, () =>
      createFakeCloud({ clock, buildMs: 60_000, callMs: 1_000 }),
    );
    const desired = wishOf({ routed: [false], servers: [[0]] });
    await Promise.all(clouds.map((cloud) => run({ cloud, clock, desired, gate, isFresh: true })));
    return clouds.flatMap(looksOf).length / (clock.now() / 1_000);
  };
  assert.ok((await listsPerSecond(10)) < (await listsPerSecond(1)) * 6);
});

/** All that the cloud was asked about servers while they were waited for. */
function looksOf({ calls }: FakeCloud) {
  return calls.filter(({ verb, kind }) => (verb === 'list' || verb === 'stir') && kind === 'server');
}
