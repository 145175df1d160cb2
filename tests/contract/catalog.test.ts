import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Contract, failureOf, startContract } from './contract.ts';

let contract: Contract;
before(async () => {
  contract = await startContract();
});
after(() => contract.close());

test('images are listed with the names of the table that lead to them', async () => {
  const { options } = await contract.user('guest');
  const { images } = await contract.client.listImages({}, options);
  const ubuntu = images.find(({ aliases }) => aliases.includes('ubuntu-20.04'));
  assert(ubuntu, images.map(({ name }) => name).join(', '));
  assert.equal(ubuntu.status, 'active');
  assert(ubuntu.size > 0);
  assert.notEqual(ubuntu.diskFormat, '');
  assert.match(ubuntu.createdAt ?? '', /^\d{4}-\d\d-\d\dT.*Z$/);
  const names = images.map(({ name }) => name);
  assert.deepEqual(
    names,
    [...names].sort((a, b) => a.localeCompare(b)),
  );
});

test('flavors are listed, smallest first, with what they are and the names of the table', async () => {
  const { options } = await contract.user();
  const { flavors } = await contract.client.listFlavors({}, options);
  const small = flavors.find(({ aliases }) => aliases.includes('small'));
  assert(small, flavors.map(({ name }) => name).join(', '));
  assert(small.vcpus >= 1 && small.ram >= 512 && small.isPublic);
  const sizes = flavors.map(({ vcpus, ram }) => vcpus * 1e7 + ram);
  assert.deepEqual(
    sizes,
    [...sizes].sort((a, b) => a - b),
  );
});

test('zones are listed, with hosts for admins only', async () => {
  const user = await contract.user();
  const admin = await contract.user('admin');
  const seen = await contract.client.listAvailabilityZones({}, user.options);
  const [zone] = Object.values(seen.availabilityZones).filter(({ state }) => state === 'available');
  assert(zone, 'a zone is available');
  assert.deepEqual(zone.hosts, []);
  const all = await contract.client.listAvailabilityZones({}, admin.options);
  assert((all.availabilityZones[zone.name]?.hosts.length ?? 0) > 0);
  assert.equal(all.availabilityZones.internal, undefined);
});

test('images, flavors and zones are asked for once, and the metrics say so', async () => {
  const { options } = await contract.user();
  const { client } = contract;
  await client.listImages({}, options);
  const before = contract.counts();
  await Promise.all([1, 2, 3].map(() => client.listImages({}, options)));
  await Promise.all([1, 2, 3].map(() => client.listFlavors({}, options)));
  assert.deepEqual(contract.counts(), before);
  const metrics = await (await fetch(`${contract.url}/metrics`)).text();
  const lines = metrics.split('\n');
  const has = (...parts: string[]) => lines.some((line) => parts.every((part) => line.includes(part)));
  assert(has('cache_reads_total', 'cache="images"', 'result="hit"'), 'cache hits are counted');
  assert(has('openstack_call_seconds_count', 'cloud_service="glance"', 'status="200"'), 'calls are counted');
  assert(has('openstack_breaker_open', 'cloud_service="nova"'), 'breakers are shown');
});

test('quotas of an unknown project are not found, and an admin sees those of any by its name', async () => {
  const user = await contract.user();
  const admin = await contract.user('admin');
  const home = contract.config.cloud.projectName ?? '';
  const unknown = await failureOf(contract.client.getQuotas({ projectId: 'nowhere' }, user.options));
  assert.equal(unknown.code, 'NOT_FOUND');
  const foreign = await failureOf(contract.client.getQuotas({ projectId: home }, user.options));
  assert.equal(foreign.message, unknown.message.replace('nowhere', home));
  const { compute } = await contract.client.getQuotas({ projectId: home }, admin.options);
  assert(Number.isInteger(compute.cores));
});

test('health tells how the cloud is', async () => {
  const answer = await fetch(`${contract.url}/health`);
  assert.equal(answer.status, 200);
  const health = (await answer.json()) as Record<string, Record<string, unknown>>;
  assert.equal(health.status, 'healthy');
  assert.equal(health.database, 'ok');
  assert.equal(health.cloud?.reachable, true);
  assert.deepEqual(health.cloud?.services, {
    keystone: 'ok',
    nova: 'ok',
    neutron: 'ok',
    glance: 'ok',
    cinder: 'ok',
  });
  assert.equal(health.breakers?.nova, 'closed');
});
