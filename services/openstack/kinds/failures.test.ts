// The kinds on a sandbox that misbehaves: whatever goes wrong, there is no duplicate and no orphan.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { OnFailure, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { isRealCloud, labOf, type Rig, startRig } from '../testing/slice-rig.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
beforeEach(() => control('DELETE', '/_sandbox/faults'));
after(() => rig.close());

const skip = isRealCloud;
const lab = labOf({ nodes: 2, isRouted: true });
const namesOf = (resources: readonly Resource[]) =>
  resources.map(({ name, kind }) => `${kind?.$case} ${name}`).sort();
const fast = { limits: { backoffMs: { base: 20, max: 100 }, paceMs: { first: 20, max: 200 }, doubtMs: 50 } };

async function control(method: string, path: string, body?: object): Promise<void> {
  if (!rig.sandbox) return;
  const json = body && JSON.stringify(body);
  const response = await fetch(rig.sandbox.url + path, { method, ...(json && { body: json }) });
  assert.ok(response.ok, await response.text());
}

const FAULTS = [
  { effect: 'error-before', status: 503 },
  { effect: 'error-after', status: 500 },
  { effect: 'drop-after' },
  { effect: 'reset' },
  { effect: '429' },
] as const;
const CALLS = [
  { service: 'network', method: 'POST', path: '/networks$' },
  { service: 'network', method: 'POST', path: '/subnets$' },
  { service: 'network', method: 'POST', path: '/routers$' },
  { service: 'network', method: 'PUT', path: '/add_router_interface$' },
  { service: 'network', method: 'POST', path: '/ports$' },
  { service: 'compute', method: 'POST', path: '/servers$' },
  { service: 'compute', method: 'GET', path: '/servers/detail' },
] as const;

for (const fault of FAULTS) {
  test(`${fault.effect} once at any call of a deployment makes no difference`, { skip }, async () => {
    for (const match of CALLS) {
      await control('POST', '/_sandbox/faults', { match, ...fault, times: 1 });
      const deployed = await rig.converge(lab, { onFailure: OnFailure.ROLLBACK, ...fast });
      assert.equal(deployed.errorMessage, '', match.path);
      assert.deepEqual(namesOf(await rig.observe()), namesOf(lab), match.path);
      await rig.converge([], fast);
      assert.deepEqual(await rig.observe(), []);
    }
  });
}

test('a removal is patient with errors and with what is still in use', { skip }, async () => {
  await rig.converge(lab, fast);
  for (const path of ['/servers/', '/ports/', '/remove_router_interface$', '/subnets/', '/networks/']) {
    const method = path.startsWith('/remove') ? 'PUT' : 'DELETE';
    await control('POST', '/_sandbox/faults', { match: { method, path }, effect: 'error-after', times: 1 });
    await control('POST', '/_sandbox/faults', {
      match: { method, path },
      effect: 'error-before',
      status: 409,
    });
  }
  const removed = await rig.converge([], fast);
  assert.equal(removed.errorMessage, '');
  assert.deepEqual(await rig.observe(), []);
});

test('a server that no host takes is made anew once, then everything is rolled back and Nova quoted', {
  skip,
}, async () => {
  const tooLarge = labOf({ nodes: 1, isRouted: true, flavor: 'm1.xlarge' });
  const result = await rig.converge(tooLarge, { onFailure: OnFailure.ROLLBACK, ...fast });
  assert.equal(result.outcome, Outcome.ROLLED_BACK);
  assert.equal(result.reason, 'NO_VALID_HOST');
  assert.match(
    result.errorMessage,
    /^Server "vm0" failed: No valid host was found.*\(made anew 1 time\) \(request req-[\w-]+\)\. Choose a smaller flavor/,
  );
  assert.deepEqual(
    result.failed.map(({ kind, name }) => `${kind} ${name}`),
    ['server vm0'],
  );
  assert.deepEqual(await rig.observe(), []);
});

test('a refusal for good is told with what Neutron said and its request id', { skip }, async () => {
  const subnet = Resource.fromPartial({
    name: 'net0',
    kind: { $case: 'subnet', value: { spec: { network: 'net0', cidr: '192.168.300.0/24' } } },
  });
  const wrong = labOf({ nodes: 0 }).map((one) => (one.kind?.$case === 'subnet' ? subnet : one));
  const result = await rig.converge(wrong, { onFailure: OnFailure.ROLLBACK, ...fast });
  assert.equal(result.outcome, Outcome.ROLLED_BACK);
  assert.match(
    result.errorMessage,
    /^subnet "net0" could not be created: Neutron could not create 1 subnets: /,
  );
  assert.match(
    result.errorMessage,
    /\(request req-[\w-]+\)\. Change what it refuses in the spec, and deploy again\.$/,
  );
  assert.deepEqual(await rig.observe(), []);
});

test('what is not marked is never touched, whatever its name', { skip }, async () => {
  const { neutron } = rig.clients;
  const within = { signal: AbortSignal.timeout(30_000) };
  const foreign = await neutron.networks.create({ name: `${rig.sliceName}-net0` }, within);
  await rig.converge(lab, fast);
  assert.deepEqual(namesOf(await rig.observe()), namesOf(lab));
  await rig.converge([], fast);
  assert.equal((await neutron.networks.get(foreign.id, within)).id, foreign.id);
  await neutron.networks.remove(foreign.id, within);
});

test('a deployment that is called off ends, and the next removal leaves nothing', { skip }, async () => {
  for (const at of [1, 2, 5, 9]) {
    const controller = new AbortController();
    let reports = 0;
    const report = (): void => {
      reports += 1;
      if (reports === at) controller.abort();
    };
    await assert.rejects(
      rig.converge(lab, { ...fast, report, signal: controller.signal }),
      (error) => error instanceof Failure && error.code === 'CANCELLED',
    );
    await rig.converge([], fast);
    assert.deepEqual(await rig.observe(), []);
  }
});
