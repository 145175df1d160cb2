// The engine's laws, over slices at random.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '#common/errors.ts';
import { OnFailure, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { DEFAULT_LIMITS } from './environment.ts';
import { createGate } from './gate.ts';
import { KINDS } from './graph.ts';
import { type Kinds, keyOf, kindOf } from './kind.ts';
import { type Call, createFakeCloud, type FakeCloud, type Fault } from './testing/fake-cloud.ts';
import { assertEqualWorld, run } from './testing/run.ts';
import { createVirtualClock } from './testing/virtual-clock.ts';
import { shapes, wishOf } from './testing/wishes.ts';

const FAST = { numRuns: 40 };

/** Fails the nth call that changes the cloud, or all calls that look like it. */
function faultAt(at: number, fault: Fault, forEver = false): (call: Call) => Fault {
  let count = 0;
  let victim: string | undefined;
  const name = (call: Call): string => `${call.verb} ${call.kind} ${call.names.join(',')}`;
  return (call) => {
    if (call.verb === 'list' || call.verb === 'stir') return 'none';
    if (count++ === at) victim = name(call);
    else if (!forEver || victim !== name(call)) return 'none';
    return fault;
  };
}

test('a slice is deployed, and deploying it again asks for nothing', async () => {
  await fc.assert(
    fc.asyncProperty(shapes, async (shape) => {
      const clock = createVirtualClock();
      const cloud = createFakeCloud({ clock });
      const desired = wishOf(shape);
      assert.equal((await run({ cloud, clock, desired })).outcome, Outcome.CONVERGED);
      assertEqualWorld(cloud, desired);
      const before = cloud.calls.length;
      assert.equal((await run({ cloud, clock, desired })).outcome, Outcome.CONVERGED);
      const after = cloud.calls.slice(before);
      assert.equal(after.filter(({ verb }) => verb !== 'list' && verb !== 'stir').length, 0);
      assert.equal(after.length, KINDS.length, 'one list a kind');
    }),
    FAST,
  );
});

test('a call that fails once, before or after its effect or late, ends as if nothing had happened', async () => {
  const faults = fc.constantFrom<Fault>('before', 'after', 'late', 'breaks');
  await fc.assert(
    fc.asyncProperty(shapes, fc.nat(25), faults, async (shape, at, fault) => {
      const clock = createVirtualClock();
      const cloud = createFakeCloud({ clock, fault: faultAt(at, fault) });
      const desired = wishOf(shape);
      const result = await run({ cloud, clock, desired, onFailure: OnFailure.ROLLBACK });
      assert.equal(result.errorMessage, '');
      assertEqualWorld(cloud, desired);
    }),
    { numRuns: 100 },
  );
});

test('a creation that fails for ever leaves nothing behind when asked to roll back', async () => {
  const faults = fc.constantFrom<Fault>('before', 'after', 'terminal', 'breaks');
  await fc.assert(
    fc.asyncProperty(shapes, fc.nat(8), faults, async (shape, at, fault) => {
      const clock = createVirtualClock();
      let failed = false;
      const inject = faultAt(at, fault, true);
      const cloud = createFakeCloud({
        clock,
        fault: (call) => {
          if (call.verb !== 'create') return 'none';
          const what = inject(call);
          if (what !== 'none') failed = true;
          return what;
        },
      });
      const desired = wishOf(shape);
      const result = await run({ cloud, clock, desired, onFailure: OnFailure.ROLLBACK });
      if (failed && fault !== 'after' && !(fault === 'breaks' && result.outcome === Outcome.CONVERGED)) {
        assert.equal(result.outcome, Outcome.ROLLED_BACK);
        assert.notEqual(result.errorMessage, '');
        assertEqualWorld(cloud, []);
      } else {
        assert.equal(result.outcome, Outcome.CONVERGED);
        assertEqualWorld(cloud, desired);
      }
    }),
    { numRuns: 100 },
  );
});

test('what was made stays after a failure when asked to keep it, and the next run goes on from there', async () => {
  await fc.assert(
    fc.asyncProperty(shapes, fc.nat(10), async (shape, at) => {
      const clock = createVirtualClock();
      const cloud = createFakeCloud({ clock, fault: faultAt(at, 'terminal') });
      const desired = wishOf(shape);
      const first = await run({ cloud, clock, desired });
      if (first.outcome === Outcome.FAILED) assert.match(first.errorMessage, /could not be created: no/);
      assert.equal((await run({ cloud, clock, desired })).outcome, Outcome.CONVERGED);
      assertEqualWorld(cloud, desired);
      const creates = cloud.calls.filter(({ verb }) => verb === 'create').length;
      const names = new Set(
        cloud.calls.filter(({ verb }) => verb === 'create').map((c) => `${c.kind} ${c.names}`),
      );
      assert.ok(creates <= names.size + 1, 'nothing was made twice');
    }),
    FAST,
  );
});

test('a run that is called off at any moment is finished by the next one', async () => {
  await fc.assert(
    fc.asyncProperty(shapes, fc.nat(30), fc.boolean(), async (shape, at, destroys) => {
      const clock = createVirtualClock();
      const controller = new AbortController();
      let count = 0;
      const cloud = createFakeCloud({
        clock,
        fault: () => {
          if (count++ === at) controller.abort();
          return 'none';
        },
      });
      const desired = wishOf(shape);
      try {
        await run({ cloud, clock, desired, signal: controller.signal, onFailure: OnFailure.ROLLBACK });
      } catch (error) {
        assert.ok(error instanceof Failure && error.code === 'CANCELLED', String(error));
      }
      const callsAfter = cloud.calls.length;
      for (const call of cloud.calls.slice(0, callsAfter)) assert.ok(call.endMs >= call.startMs);
      const next = destroys ? [] : desired;
      assert.equal((await run({ cloud, clock, desired: next })).outcome, Outcome.CONVERGED);
      assertEqualWorld(cloud, next);
    }),
    { numRuns: 80 },
  );
});

test('a slice is destroyed to the last resource, whichever call fails once', async () => {
  await fc.assert(
    fc.asyncProperty(
      shapes,
      fc.nat(20),
      fc.constantFrom<Fault>('none', 'before', 'after'),
      async (shape, at, fault) => {
        const clock = createVirtualClock();
        let broken = false;
        const inject = faultAt(at, fault);
        const cloud = createFakeCloud({ clock, fault: (call) => (broken ? inject(call) : 'none') });
        await run({ cloud, clock, desired: wishOf(shape) });
        broken = true;
        assert.equal((await run({ cloud, clock, desired: [] })).outcome, Outcome.CONVERGED);
        assertEqualWorld(cloud, []);
      },
    ),
    FAST,
  );
});

test('a changed slice keeps what did not change', async () => {
  await fc.assert(
    fc.asyncProperty(shapes, shapes, async (one, other) => {
      const clock = createVirtualClock();
      const cloud = createFakeCloud({ clock });
      await run({ cloud, clock, desired: wishOf(one) });
      const before = cloud.world();
      const desired = wishOf(other);
      assert.equal((await run({ cloud, clock, desired })).outcome, Outcome.CONVERGED);
      assertEqualWorld(cloud, desired);
      const spec = ({ name, kind }: Resource): string => JSON.stringify([name, kind]);
      const wished = new Set(desired.map(spec));
      const living = new Set(cloud.world().map(({ resource }) => resource.cloudId));
      for (const { resource } of before.filter((found) => wished.has(spec(found.resource)))) {
        assert.ok(living.has(resource.cloudId), `${spec(resource)} was kept`);
      }
    }),
    FAST,
  );
});

test('a change comes about whichever of its calls fails once', async () => {
  const faults = fc.constantFrom<Fault>('before', 'after', 'late');
  await fc.assert(
    fc.asyncProperty(shapes, shapes, fc.nat(20), faults, async (one, other, at, fault) => {
      const clock = createVirtualClock();
      let isChanging = false;
      const inject = faultAt(at, fault);
      const cloud = createFakeCloud({ clock, fault: (call) => (isChanging ? inject(call) : 'none') });
      await run({ cloud, clock, desired: wishOf(one) });
      isChanging = true;
      const desired = wishOf(other);
      assert.equal((await run({ cloud, clock, desired })).errorMessage, '');
      assertEqualWorld(cloud, desired);
    }),
    { numRuns: 80 },
  );
});

test('lists that lag behind make no duplicate', async () => {
  await fc.assert(
    fc.asyncProperty(shapes, async (shape) => {
      const clock = createVirtualClock();
      const cloud = createFakeCloud({ clock, lagMs: 4_000 });
      const desired = wishOf(shape);
      assert.equal((await run({ cloud, clock, desired })).outcome, Outcome.CONVERGED);
      await clock.wait(10_000, new AbortController().signal);
      assertEqualWorld(cloud, desired);
    }),
    FAST,
  );
});

test('a server that broke because that of an earlier call came late gives way to it', async () => {
  const clock = createVirtualClock();
  const desired = wishOf({ routed: [false], servers: [[0]] });
  const [server] = desired.filter((resource) => kindOf(resource) === 'server');
  assert.ok(server);
  const cloud: FakeCloud = createFakeCloud({
    clock,
    fault({ verb, kind }) {
      if (verb !== 'create' || kind !== 'server') return 'none';
      void clock.wait(1_000, new AbortController().signal).then(() => {
        const ports = cloud.world().filter(({ resource }) => kindOf(resource) === 'port');
        const uses = ports.map(({ resource }) => resource.cloudId);
        cloud.plant({ resource: { ...server, cloudId: 'late' }, uses, replacements: 0 });
      });
      return 'breaks';
    },
  });
  assert.equal((await run({ cloud, clock, desired })).outcome, Outcome.CONVERGED);
  assertEqualWorld(cloud, desired);
  assert.ok(cloud.world().some(({ resource }) => resource.cloudId === 'late'));
  const made = cloud.calls.filter(({ verb, kind }) => verb === 'create' && kind === 'server');
  assert.equal(made.length, 1);
});

test('a change that the cloud accepts and does not make is given up, with what is missing', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock });
  const desired = wishOf({ routed: [false], servers: [[0]] });
  await run({ cloud, clock, desired });
  const reason = 'its flavor is small instead of large';
  const kinds: Kinds = {
    ...cloud.kinds,
    server: { ...cloud.kinds.server, difference: () => ({ type: 'change', reason, again: true }) },
  };
  const before = cloud.calls.length;
  const { outcome, errorMessage } = await run({ cloud: { ...cloud, kinds }, clock, desired });
  assert.equal(outcome, Outcome.FAILED);
  assert.match(errorMessage, /could not be changed: the cloud accepted it 6 times .* its flavor is small/);
  assert.equal(cloud.calls.slice(before).filter(({ verb }) => verb === 'update').length, 6);
});

test('what a lost call makes while everything is rolled back is removed, too', async () => {
  const clock = createVirtualClock();
  let servers = 0;
  const cloud = createFakeCloud({
    clock,
    fault({ verb, kind }) {
      if (verb !== 'create' || kind !== 'server') return 'none';
      servers += 1;
      return servers === 1 ? 'late' : 'terminal';
    },
  });
  const desired = wishOf({ routed: [false], servers: [[0], [0]] });
  const { outcome } = await run({ cloud, clock, desired, onFailure: OnFailure.ROLLBACK });
  assert.equal(outcome, Outcome.ROLLED_BACK);
  await clock.wait(30_000, new AbortController().signal);
  assertEqualWorld(cloud, []);
});

test('duplicates are removed and the one in use is kept', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock });
  const desired = wishOf({ routed: [true], servers: [[0]] });
  await run({ cloud, clock, desired });
  const used = new Set(cloud.world().flatMap(({ uses }) => uses));
  for (const { resource, uses } of cloud.world()) {
    cloud.plant({
      resource: { ...resource, cloudId: `a-${resource.cloudId}`, message: '' },
      uses,
      replacements: 0,
    });
  }
  assert.equal((await run({ cloud, clock, desired })).outcome, Outcome.CONVERGED);
  assertEqualWorld(cloud, desired);
  for (const id of used)
    assert.ok(
      cloud.world().some(({ resource }) => resource.cloudId === id),
      `${id} was kept`,
    );
});

test('steps without a path between them run side by side, within the bound', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock });
  const desired = wishOf({ routed: [false, false], servers: Array.from({ length: 20 }, (_, n) => [n % 2]) });
  await run({ cloud, clock, desired, gate: createGate(8) });
  const creates = cloud.calls.filter(({ verb }) => verb === 'create');
  assert.deepEqual(
    creates.slice(0, 3).map(({ kind, names }) => `${kind} ${names.length}`),
    ['network 2', 'subnet 2', 'port 20'],
  );
  const servers = creates.filter(({ kind }) => kind === 'server');
  const together = servers.map(
    (call) => servers.filter((c) => c.startMs <= call.startMs && c.endMs > call.startMs).length,
  );
  assert.equal(Math.max(...together), 8);
});

test('the percentage never falls and ends at 100', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock, fault: faultAt(3, 'breaks') });
  const { reports } = await run({ cloud, clock, desired: wishOf({ routed: [true], servers: [[0], [0]] }) });
  const percents = reports.map(({ percent }) => percent);
  assert.deepEqual(
    percents,
    percents.toSorted((a, b) => a - b),
  );
  assert.ok(percents.every((percent) => percent >= 0 && percent <= 100));
});

test('a server that the cloud gives up is replaced as often as allowed and then named', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock, fault: ({ kind }) => (kind === 'server' ? 'breaks' : 'none') });
  const desired = wishOf({ routed: [false], servers: [[0]] });
  const result = await run({ cloud, clock, desired, limits: { replacements: 2 } });
  assert.equal(result.outcome, Outcome.FAILED);
  assert.equal(result.reason, 'NO_VALID_HOST');
  assert.match(result.errorMessage, /Server "vm0" failed: no valid host \(made anew 2 times\)/);
  assert.equal(cloud.calls.filter(({ verb, kind }) => verb === 'create' && kind === 'server').length, 3);
});

test('where everything is to go, what cannot go is named and the rest goes all the same', async () => {
  const clock = createVirtualClock();
  let isHeld = true;
  const fault = ({ verb, kind, names }: Call): Fault =>
    isHeld && verb === 'delete' && kind === 'subnet' && names.includes('net0') ? 'terminal' : 'none';
  const cloud = createFakeCloud({ clock, fault });
  await run({ cloud, clock, desired: wishOf({ routed: [true, false], servers: [[0], [1], [1]] }) });
  const removed = await run({ cloud, clock, desired: [], gate: createGate(1) });
  assert.equal(removed.outcome, Outcome.FAILED);
  assert.match(removed.errorMessage, /^subnet "net0" could not be removed: /);
  assert.deepEqual(removed.observed.map(keyOf), ['network/net0', 'subnet/net0']);
  isHeld = false;
  assert.equal((await run({ cloud, clock, desired: [] })).outcome, Outcome.CONVERGED);
  assertEqualWorld(cloud, []);
});

test('a cloud that cannot be listed is reported as such, to be tried again', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({
    clock,
    fault: ({ verb }) => (verb === 'list' || verb === 'stir' ? 'before' : 'none'),
  });
  await assert.rejects(
    run({ cloud, clock, desired: [], onFailure: OnFailure.ROLLBACK }),
    (error) => error instanceof Failure && error.code === 'UNAVAILABLE' && error.retryable,
  );
  assert.ok(clock.now() >= DEFAULT_LIMITS.unreachableMs);
});

test('no effect happens that the journal did not announce', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock, fault: faultAt(2, 'after') });
  const { entries } = await run({ cloud, clock, desired: wishOf({ routed: [true], servers: [[0], [0]] }) });
  const open = new Set<string>();
  for (const { step, phase } of entries) {
    if (phase === 'begin') assert.ok(!open.has(step), `${step} begun twice at once`);
    else assert.ok(open.has(step), `${step} ended before it was begun`);
    if (phase === 'begin') open.add(step);
    else open.delete(step);
  }
  assert.equal(open.size, 0);
});

test('a wish that contradicts itself is refused with every mistake', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock });
  const port = Resource.fromPartial({
    name: 'p',
    kind: { $case: 'port', value: { spec: { network: 'n', subnet: 's' } } },
  });
  await assert.rejects(run({ cloud, clock, desired: [port, port] }), (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.code, 'INVALID_ARGUMENT');
    assert.equal(error.violations.length, 5);
    return true;
  });
  assert.equal(cloud.calls.length, 0);
});
