import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  ListAvailabilityZonesRequest,
  ListFlavorsRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, failureOf, isRealCloud, startContract, until } from './contract.ts';

let contract: Contract;
before(async () => {
  contract = await startContract();
});
after(() => contract.close());

test('images and flavors are listed by name and in pages', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const all = (await client.listFlavors(ListFlavorsRequest.fromPartial({}), options)).flavors;
  const seen: string[] = [];
  let pageToken = '';
  do {
    const page = await client.listFlavors(
      ListFlavorsRequest.fromPartial({ pageSize: 3, pageToken }),
      options,
    );
    assert.ok(page.flavors.length <= 3);
    seen.push(...page.flavors.map(({ id }) => id));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  assert.deepEqual(
    seen,
    all.map(({ id }) => id),
  );
  const { flavors } = await client.listFlavors(ListFlavorsRequest.fromPartial({ name: 'NANO' }), options);
  assert.deepEqual(
    flavors.map(({ name }) => name),
    ['m1.nano'],
  );
  const { images, nextPageToken } = await client.listImages({ visibility: 'public', pageSize: 1 }, options);
  assert.deepEqual([images.length, images[0]?.visibility, nextPageToken !== ''], [1, 'public', true]);
  assert.deepEqual((await client.listImages({ name: 'no image is called so' }, options)).images, []);
  await assert.rejects(client.listImages({ visibility: 'secret' }, options), { code: 'INVALID_ARGUMENT' });
});

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
  const { flavors } = await contract.client.listFlavors(ListFlavorsRequest.fromPartial({}), options);
  const small = flavors.find(({ aliases }) => aliases.includes('small'));
  assert(small, flavors.map(({ name }) => name).join(', '));
  assert(small.vcpus >= 1 && small.ram >= 512 && small.isPublic);
  const sizes = flavors.map(({ vcpus, ram }) => vcpus * 1e7 + ram);
  assert.deepEqual(
    sizes,
    [...sizes].sort((a, b) => a - b),
  );
});

test('zones are listed, and an admin who asks for details is told their hosts', async () => {
  const { client } = contract;
  const user = await contract.user();
  const admin = await contract.user('admin');
  const brief = ListAvailabilityZonesRequest.fromPartial({});
  const detailed = ListAvailabilityZonesRequest.fromPartial({ detailed: true });
  const seen = await client.listAvailabilityZones(detailed, user.options);
  const [zone] = Object.values(seen.availabilityZones).filter(({ state }) => state === 'available');
  assert(zone, 'a zone is available');
  assert.deepEqual(zone.hosts, []);
  assert.deepEqual(seen.zoneCapacity, {});
  const all = await client.listAvailabilityZones(detailed, admin.options);
  assert((all.availabilityZones[zone.name]?.hosts.length ?? 0) > 0);
  assert.equal(all.availabilityZones.internal, undefined);
  const short = await client.listAvailabilityZones(brief, admin.options);
  assert.deepEqual(short.availabilityZones[zone.name]?.hosts, []);
});

test('the capacity of a zone is what its hosts have and use', async () => {
  const { client, cloud, within } = contract;
  const { options } = await contract.user('guest');
  const request = ListAvailabilityZonesRequest.fromPartial({ capacity: true });
  const { availabilityZones, zoneCapacity } = await client.listAvailabilityZones(request, options);
  const hypervisors = await cloud.project('home').nova.listHypervisors(within);
  const sums = Object.values(zoneCapacity);
  const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);
  assert(Object.keys(zoneCapacity).every((name) => name in availabilityZones));
  assert.equal(sum(sums.map(({ hosts }) => hosts)), hypervisors.length);
  assert.equal(sum(sums.map(({ totalVcpus }) => totalVcpus)), sum(hypervisors.map(({ vcpus }) => vcpus)));
  assert(sums.every((zone) => zone.availableRam <= zone.totalRam));
});

test('flavors are read anew past the cache if asked for', { skip: isRealCloud }, async () => {
  const { client } = contract;
  const { options } = await contract.user('guest');
  const ask = (request: Partial<ListFlavorsRequest>) =>
    client.listFlavors(ListFlavorsRequest.fromPartial(request), options);
  const flavors = await ask({});
  const before = contract.counts();
  assert.deepEqual(await ask({ stats: true }), flavors);
  assert.deepEqual(contract.counts(), before);
  assert.deepEqual(await ask({ sync: true }), flavors);
  assert.notDeepEqual(contract.counts(), before);
});

test('images, flavors and zones are asked for once, and the metrics say so', async () => {
  const { options } = await contract.user();
  const { client } = contract;
  await client.listImages({}, options);
  const before = contract.counts();
  await Promise.all([1, 2, 3].map(() => client.listImages({}, options)));
  await Promise.all([1, 2, 3].map(() => client.listFlavors(ListFlavorsRequest.fromPartial({}), options)));
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
  let health: Record<string, Record<string, unknown>> = {};
  const look = async () => {
    const answer = await fetch(`${contract.url}/health`);
    assert.equal(answer.status, 200);
    health = (await answer.json()) as typeof health;
    // It does not wait for a slow cloud: what the first look finds may only be told later.
    return health.cloud?.checked_at !== null;
  };
  await until(look, 'the cloud was looked at');
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
