import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cloud } from './cloud.ts';
import { context, failureOf, startFakeCloud, until } from './testing/fake-cloud.ts';

const volumes = '/volume/v3/home-id/volumes/detail';
const flavors = '/compute/v2.1/flavors/detail';

async function listVolumesOften(cloud: Cloud, times: number) {
  const { cinder } = cloud.project('home');
  return await Promise.all(Array.from({ length: times }, () => failureOf(cinder.listVolumes({}, context()))));
}

for (const [what, reply] of [
  ['hangs', { fault: 'hang' }],
  ['cuts connections', { fault: 'reset' }],
  ['fails', { status: 500, text: 'oops' }],
  ['talks nonsense', { text: '<html>' }],
] as const) {
  test(`a Cinder that ${what} is soon not asked any more, and Nova goes on`, async () => {
    await using fake = await startFakeCloud({ settings: { requestTimeoutMs: 1_000 } });
    fake.on('GET', volumes, reply);
    fake.on('GET', flavors, { json: { flavors: [] } });
    await listVolumesOften(fake.cloud, 6);
    assert.equal(fake.cloud.breakers().cinder, 'open');
    const asked = fake.requests.length;
    const [failure] = await listVolumesOften(fake.cloud, 1);
    assert.equal(failure?.code, 'UNAVAILABLE');
    assert.equal(failure?.reason, 'CIRCUIT_OPEN');
    assert.ok((failure?.retryAfterS ?? 0) > 0);
    assert.match(failure?.message ?? '', /Cinder/);
    assert.equal(failure?.metadata.circuit, `${new URL(fake.url).host}/RegionOne/cinder`);
    assert.equal(fake.requests.length, asked);
    assert.deepEqual(await fake.cloud.project('home').nova.listFlavors(context()), []);
    assert.equal(fake.cloud.breakers().nova, 'closed');
  });
}

test('refusals do not make a service sick', async () => {
  await using fake = await startFakeCloud();
  for (const status of [400, 403, 404, 409, 413, 501]) {
    fake.on('GET', volumes, { status, text: '' });
    await listVolumesOften(fake.cloud, 6);
    assert.equal(fake.cloud.breakers().cinder, 'closed', String(status));
  }
});

test('a service that has recovered is used again', async () => {
  await using fake = await startFakeCloud({ settings: { breakerResetMs: 50 } });
  fake.on('GET', volumes, { status: 500, text: '' });
  await listVolumesOften(fake.cloud, 6);
  assert.equal(fake.cloud.breakers().cinder, 'open');
  fake.on('GET', volumes, { json: { volumes: [] } });
  await until(() => fake.cloud.breakers().cinder === 'half-open', 'it may be probed');
  assert.deepEqual(await fake.cloud.project('home').cinder.listVolumes({}, context()), []);
  assert.equal(fake.cloud.breakers().cinder, 'closed');
});

test('the ping names the service that is sick', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', '/identity/v3/auth/projects', { json: { projects: [] } });
  fake.on('GET', '/compute/v2.1/flavors', { json: { flavors: [] } });
  fake.on('GET', '/network/v2.0/networks', { json: { networks: [] } });
  fake.on('GET', '/image/v2/images', { json: { images: [] } });
  fake.on('GET', '/volume/v3/home-id/volumes', { status: 500, text: '' });
  const health = await fake.cloud.ping(context().signal);
  assert.deepEqual(
    health.map(({ service, ok }) => [service, ok]),
    [
      ['keystone', true],
      ['nova', true],
      ['neutron', true],
      ['glance', true],
      ['cinder', false],
    ],
  );
  assert.equal(health[4]?.error?.reason, 'CLOUD_ERROR');
});
