import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BreakerState } from '#common/breaker.ts';
import { Failure } from '#common/errors.ts';
import type { ServiceHealth } from './api/cloud.ts';
import { SERVICES, type ServiceName } from './api/settings.ts';
import { watchCloud } from './health.ts';

const closed = Object.fromEntries(SERVICES.map((name) => [name, 'closed'])) as Record<
  ServiceName,
  BreakerState
>;
const address = { authUrl: 'http://cloud:5000/v3', region: 'Lima' };

function well(sick: Partial<Record<ServiceName, string>> = {}): ServiceHealth[] {
  return SERVICES.map((service) => {
    const reason = sick[service];
    const error = reason && new Failure({ code: 'UNAVAILABLE', reason, message: `${service} is away` });
    return { service, ok: !error, ms: 1, breaker: 'closed', error: error || undefined };
  });
}

/** A cloud whose answer to a look is `answer`, and that counts the looks. */
function arrange(answer: () => Promise<readonly ServiceHealth[]>, freshMs = 60_000, patienceMs = 50) {
  let looks = 0;
  const ping = () => {
    looks += 1;
    return answer();
  };
  const watch = watchCloud({ cloud: { ping, breakers: () => closed }, ...address, freshMs, patienceMs });
  return { watch, looks: () => looks };
}

test('a cloud that is well says so, and is not asked again at once', async () => {
  const { watch, looks } = arrange(async () => well());
  const [first] = await Promise.all([watch.health(), watch.health()]);
  await watch.health();
  assert.equal(first.cloud.reachable, true);
  assert.equal(first.cloud.auth_url, address.authUrl);
  assert.equal(first.cloud.services.nova, 'ok');
  assert.equal(first.cloud.error, undefined);
  assert.equal(looks(), 1);
});

test('one that is sick says which service and why; a cloud without Cinder is well', async () => {
  const { cloud } = await arrange(async () => well({ nova: 'CLOUD_UNREACHABLE' })).watch.health();
  assert.equal(cloud.reachable, false);
  assert.equal(cloud.services.nova, 'cloud_unreachable');
  assert.equal(cloud.error, 'nova is away');
  const without = await arrange(async () => well({ cinder: 'ENDPOINT_MISSING' })).watch.health();
  assert.equal(without.cloud.reachable, true);
  assert.equal(without.cloud.services.cinder, 'absent');
  assert.deepEqual(without.cloud.sick, []);
});

test('a sick Cinder is named and does not make the cloud unreachable', async () => {
  const { cloud } = await arrange(async () => well({ cinder: 'CIRCUIT_OPEN' })).watch.health();
  assert.equal(cloud.reachable, true);
  assert.deepEqual(cloud.sick, ['cinder']);
  assert.equal(cloud.services.cinder, 'circuit_open');
  assert.equal(cloud.error, 'cinder is away');
});

test('an answer does not wait for a slow cloud: it tells what was last known', async () => {
  const { promise, resolve } = Promise.withResolvers<readonly ServiceHealth[]>();
  let isSlow = true;
  const { watch, looks } = arrange(() => (isSlow ? promise : Promise.resolve(well())), 0, 10);
  const unknown = await watch.health();
  assert.equal(unknown.cloud.checked_at, null);
  assert.equal(unknown.cloud.reachable, false);
  await watch.health();
  assert.equal(looks(), 1, 'one look at a time');
  resolve(well({ glance: 'CLOUD_TIMEOUT' }));
  isSlow = false;
  await promise;
  assert.equal((await watch.health()).cloud.checked_at !== null, true);
});
