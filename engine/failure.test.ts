// What ends a run, how soon, and what is said of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { OnFailure, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { explain } from './failure.ts';
import { createGate } from './gate.ts';
import type { Kind } from './kind.ts';
import { createFakeCloud, type FakeCloud } from './testing/fake-cloud.ts';
import { assertEqualWorld, run } from './testing/run.ts';
import { createVirtualClock } from './testing/virtual-clock.ts';
import { wishOf } from './testing/wishes.ts';

const ONE = wishOf({ routed: [false], servers: [[0]] });

test('a failure that will not go away begins nothing more and names what it is about', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({
    clock,
    fault: ({ names }) => (names.includes('vm3') ? 'terminal' : 'none'),
  });
  const desired = wishOf({ routed: [false], servers: Array.from({ length: 20 }, () => [0]) });
  const result = await run({ cloud, clock, desired, gate: createGate(2) });
  assert.equal(result.outcome, Outcome.FAILED);
  assert.deepEqual(result.failed, [{ kind: 'server', name: 'vm3', message: 'no' }]);
  const begun = serversMade(cloud);
  assert.ok(begun <= 5, `${begun} servers were begun`);
});

test('a server whose making anew is futile is not made anew', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock, fault: ({ kind }) => (kind === 'server' ? 'breaks' : 'none') });
  const result = await run({ cloud: withServers(cloud, { isFutile: true }), clock, desired: ONE });
  assert.equal(result.outcome, Outcome.FAILED);
  assert.equal(serversMade(cloud), 1);
});

test('what an earlier run left broken is made anew, however rarely a run may replace', async () => {
  const clock = createVirtualClock();
  let isSick = true;
  const cloud = createFakeCloud({
    clock,
    fault: ({ kind, verb }) => (isSick && kind === 'server' && verb === 'create' ? 'breaks' : 'none'),
  });
  const limits = { replacements: 0 };
  const first = await run({ cloud, clock, desired: ONE, limits });
  assert.equal(first.outcome, Outcome.FAILED);
  assert.equal(serversMade(cloud), 1);
  isSick = false;
  assert.equal((await run({ cloud, clock, desired: ONE, limits })).outcome, Outcome.CONVERGED);
  assertEqualWorld(cloud, ONE);
});

test('what failed is told with the request that failed and what to do, also after a rollback', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock, fault: ({ kind }) => (kind === 'server' ? 'breaks' : 'none') });
  const asked = withServers(cloud, {}, async () => 'req-1');
  const result = await run({ cloud: asked, clock, desired: ONE, onFailure: OnFailure.ROLLBACK });
  assert.equal(result.outcome, Outcome.ROLLED_BACK);
  assert.equal(
    result.errorMessage,
    'Server "vm0" failed: no valid host (made anew 1 time) (request req-1). Choose a smaller flavor or another zone, or deploy again when there is room.',
  );
  assert.deepEqual(result.failed, [
    { kind: 'server', name: 'vm0', message: 'Server "vm0" failed: no valid host' },
  ]);
});

test('a request that the cloud cannot tell of is left out', async () => {
  const clock = createVirtualClock();
  const cloud = createFakeCloud({ clock, fault: ({ kind }) => (kind === 'server' ? 'breaks' : 'none') });
  const asked = withServers(cloud, {}, () => Promise.reject(new Error('no such record')));
  const { errorMessage } = await run({ cloud: asked, clock, desired: ONE });
  assert.doesNotMatch(errorMessage, /request/);
});

test('a failure without a remedy of its own says what can be done anyway', () => {
  const failure = new Failure({ code: 'INTERNAL', reason: 'ODD', message: 'It broke.' });
  assert.match(explain(failure, undefined), /^It broke\. Deploy again; if it fails the same way, show this/);
});

function serversMade({ calls }: FakeCloud): number {
  return calls.filter(({ verb, kind }) => verb === 'create' && kind === 'server').length;
}

/** A cloud whose broken servers are as told. */
function withServers(
  cloud: FakeCloud,
  broken: { isFutile?: true },
  requestIdOf?: NonNullable<Kind['requestIdOf']>,
): FakeCloud {
  const { server } = cloud.kinds;
  const changed: Kind = {
    ...server,
    readiness(observed) {
      const readiness = server.readiness(observed);
      return readiness.state === 'broken' ? { ...readiness, ...broken } : readiness;
    },
    ...(requestIdOf && { requestIdOf }),
  };
  return { ...cloud, kinds: { ...cloud.kinds, server: changed } };
}
