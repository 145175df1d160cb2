import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '#common/metrics.ts';
import { context, type FakeCloud, failureOf, startFakeCloud } from './api/testing/fake-cloud.ts';
import { createCatalog } from './catalog.ts';

const nova = (projectId: string) => `/compute/v2.1/os-quota-sets/${projectId}`;

function arrange(fake: FakeCloud) {
  const metrics = createMetrics('test');
  for (const id of ['a', 'b']) {
    const use = { limit: 20, in_use: 1, reserved: 0 };
    fake.on('GET', nova(id), { json: { quota_set: { cores: 20 } } });
    fake.on('GET', `${nova(id)}/detail`, { json: { quota_set: { cores: use } } });
    fake.on('PUT', nova(id), { json: { quota_set: { cores: 40 } } });
    fake.on('GET', `/network/v2.0/quotas/${id}`, { json: { quota: { network: 10 } } });
    fake.on('GET', `/network/v2.0/quotas/${id}/details.json`, { json: { quota: { network: use } } });
    fake.on('GET', `/volume/v3/home-id/os-quota-sets/${id}`, { json: { quota_set: { volumes: 10 } } });
  }
  const asked = (path: string) => fake.requests.filter((one) => one.path === path && one.method === 'GET');
  return { metrics, asked, catalog: createCatalog({ cloud: fake.cloud, metrics }) };
}

test('quotas are asked for once per project, however many ask at the same time', async () => {
  await using fake = await startFakeCloud();
  const { catalog, asked, metrics } = arrange(fake);
  const [first] = await Promise.all(Array.from({ length: 10 }, () => catalog.quotas('a', context())));
  await catalog.quotas('a', context());
  await catalog.quotas('b', context());
  assert.equal(first?.compute.cores, 20);
  assert.equal(asked(nova('a')).length, 1);
  assert.equal(asked(nova('b')).length, 1);
  const text = await metrics.registry.metrics();
  assert.match(text, /cache_reads_total\{cache="quotas",result="hit",service="test"\} 3/);
});

test('quotas that are set here are read anew at once, and those of other services stay known', async () => {
  await using fake = await startFakeCloud();
  const { catalog, asked } = arrange(fake);
  await catalog.quotas('a', context());
  await fake.cloud.project('home').nova.setQuotas('a', { cores: 40 }, context());
  await catalog.quotas('a', context());
  assert.equal(asked(nova('a')).length, 2);
  assert.equal(asked('/network/v2.0/quotas/a').length, 1);
});

test('what is used of a quota is read anew after any change of ours in that service, even a failed one', async () => {
  await using fake = await startFakeCloud();
  const { catalog, asked } = arrange(fake);
  fake.on('GET', '/volume/v3/home-id/os-quota-sets/a', { json: { quota_set: { volumes: {} } } });
  await catalog.quotaUses('a', context());
  await catalog.quotaUses('a', context());
  assert.equal(asked(`${nova('a')}/detail`).length, 1);
  await failureOf(fake.cloud.project({ projectId: 'a' }).nova.deleteServer('s1', context()));
  await catalog.quotaUses('a', context());
  assert.equal(asked(`${nova('a')}/detail`).length, 2);
  assert.equal(asked('/network/v2.0/quotas/a/details.json').length, 1);
});

test('a failure to read quotas is not kept', async () => {
  await using fake = await startFakeCloud();
  const { catalog } = arrange(fake);
  fake.on('GET', nova('a'), { status: 500, text: '' });
  await failureOf(catalog.quotas('a', context()));
  fake.on('GET', nova('a'), { json: { quota_set: { cores: 5 } } });
  assert.equal((await catalog.quotas('a', context())).compute.cores, 5);
});

test('images are kept, but not while one is being made', async () => {
  await using fake = await startFakeCloud();
  const { catalog, asked } = arrange(fake);
  const images = '/image/v2/images';
  const image = (name: string, status: string) => ({
    id: name,
    name,
    status,
    visibility: 'public',
    created_at: new Date().toISOString(),
  });
  const names = async () => (await catalog.images('a', context())).map(({ name }) => name);
  fake.on('GET', images, { json: { images: [image('ubuntu', 'active'), image('snapshot', 'saving')] } });
  assert.deepEqual(await names(), ['ubuntu']);
  fake.on('GET', images, { json: { images: [image('ubuntu', 'active'), image('snapshot', 'active')] } });
  assert.deepEqual((await names()).sort(), ['snapshot', 'ubuntu']);
  await names();
  assert.equal(asked(images).length, 2);
});
