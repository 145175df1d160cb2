// What a user is told when a cloud gives up: which resource, the cloud's words, its request id, and what to do.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { isRealCloud, labOf, type Rig, startRig } from '../testing/slice-rig.ts';
import { networkKind } from './network.ts';
import type { SlicePlace } from './place.ts';
import { serverKind } from './server.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
beforeEach(async () => {
  await control('DELETE', '/_sandbox/faults');
  await rig.converge([], fast);
});
after(() => rig.close());

const skip = isRealCloud;
const fast = { limits: { backoffMs: { base: 20, max: 100 }, paceMs: { first: 20, max: 200 } } };
const nowhere = { clients: {}, home: {} } as SlicePlace;

async function control(method: string, path: string, body?: object): Promise<void> {
  const json = body && JSON.stringify(body);
  const response = await fetch(`${rig.sandbox?.url}${path}`, { method, ...(json && { body: json }) });
  assert.ok(response.ok, await response.text());
}

test('a server in ERROR is told with its fault and the request that asked for it', { skip }, async () => {
  await control('POST', '/_sandbox/faults', { effect: 'server-error', times: null });
  const result = await rig.converge(labOf({ nodes: 1 }), fast);
  assert.equal(result.reason, 'NO_VALID_HOST');
  assert.match(
    result.errorMessage,
    /^Server "vm0" failed: .+ \(made anew 1 time\) \(request req-[\w-]+\)\. Choose a smaller flavor or another zone, or/,
  );
});

test('a server is made anew as often as configured, and not at all if so', { skip }, async () => {
  await control('POST', '/_sandbox/faults', { effect: 'server-error', times: null });
  const result = await rig.converge(labOf({ nodes: 1 }), { limits: { ...fast.limits, replacements: 0 } });
  assert.doesNotMatch(result.errorMessage, /made anew/);
});

test('a quota refusal names the server, Nova’s numbers and the way out', { skip }, async () => {
  const within = { signal: AbortSignal.timeout(30_000) };
  const projectId = await rig.clients.projectId(within);
  await rig.clients.nova.setQuotas(projectId, { instances: 1 }, within);
  try {
    const result = await rig.converge(labOf({ nodes: 2 }), fast);
    assert.equal(result.reason, 'QUOTA_EXCEEDED');
    assert.match(
      result.errorMessage,
      /^server "vm\d" could not be created: Nova could not .*[Qq]uota exceeded for instances.* \(request req-[\w-]+\)\. Remove what you do not need, ask for less, or/,
    );
    assert.deepEqual(
      result.failed.map(({ kind }) => kind),
      ['server'],
    );
  } finally {
    await rig.clients.nova.setQuotas(projectId, { instances: -1 }, within);
  }
});

test('an image that has gone is told by name, with those that there are', { skip }, async () => {
  const lab = labOf({ nodes: 1 }).map((one) => withImage(one, 'vanished'));
  const result = await rig.converge(lab, fast);
  assert.equal(result.outcome, Outcome.FAILED);
  assert.match(
    result.errorMessage,
    /^server "vm0" could not be created: .*"vanished".*there are: .*cirros.*\. Choose one of these for the node, and deploy again\.$/,
  );
});

test('a server that Nova counted out of the quota while it built it is not made anew', () => {
  const value = { status: { status: 'error' } };
  const message = 'Quota exceeded for cores: Requested 1, but already used 20 of 20 cores';
  const server = Resource.fromPartial({ name: 'vm1', message, kind: { $case: 'server', value } });
  const readiness = serverKind(nowhere).readiness(server);
  assert.ok(readiness.state === 'broken' && readiness.isFutile);
  assert.equal(readiness.failure.reason, 'QUOTA_EXCEEDED');
});

test('a network in ERROR is told, with who can find the cause', () => {
  const network = Resource.fromPartial({ name: 'lan', message: 'ERROR' });
  const readiness = networkKind(nowhere).readiness(network);
  assert.ok(readiness.state === 'broken');
  assert.match(readiness.failure.message, /^Network "lan" is in status ERROR; an operator/);
});

function withImage(resource: Resource, image: string): Resource {
  const { kind } = resource;
  if (kind?.$case !== 'server' || !kind.value.spec) return resource;
  const spec = { ...kind.value.spec, image };
  return { ...resource, kind: { $case: 'server', value: { ...kind.value, spec } } };
}
