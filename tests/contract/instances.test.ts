import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Instance } from '#proto/pucp/openstack/v1/openstack.ts';
import {
  CreateInstanceRequest,
  CreateNetworkRequest,
  CreateVolumeRequest,
  ListAvailabilityZonesRequest,
  ListFlavorsRequest,
  ListInstancesRequest,
  ListVolumesRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, type ContractUser, failureOf, startContract, until } from './contract.ts';

let contract: Contract;
let owner: ContractUser;
before(async () => {
  contract = await startContract();
  owner = await contract.user();
});
after(() => contract.close());

const all = ListInstancesRequest.fromPartial({});
const vm = (fields: Partial<CreateInstanceRequest>) =>
  CreateInstanceRequest.fromPartial({ imageId: 'ubuntu-20.04', flavorId: 'micro', ...fields });

async function reach(id: string, status: string): Promise<Instance> {
  let last: Instance | undefined;
  await until(async () => {
    last = await contract.client.getInstance({ id }, owner.options);
    assert.notEqual(last.status, 'error', last.errorMessage);
    return last.status === status && last.taskState === '';
  }, `instance ${id} is ${status}`);
  assert(last);
  return last;
}

async function flavorNamed(alias: string): Promise<string> {
  const { flavors } = await contract.client.listFlavors(ListFlavorsRequest.fromPartial({}), owner.options);
  return flavors.find(({ aliases }) => aliases.includes(alias))?.name ?? assert.fail(`no flavor ${alias}`);
}

async function anyZone(): Promise<string> {
  const { availabilityZones } = await contract.client.listAvailabilityZones(
    ListAvailabilityZonesRequest.fromPartial({}),
    owner.options,
  );
  const zones = Object.values(availabilityZones).filter(({ state }) => state === 'available');
  return zones[0]?.name ?? assert.fail('no zone is available');
}

test('an instance is made by the names of the tables, runs, and shows its address', async () => {
  const { client } = contract;
  const lan = contract.name('lan');
  await client.createNetwork(
    CreateNetworkRequest.fromPartial({ networkName: lan, cidr: '192.168.60.0/24' }),
    owner.options,
  );
  const name = contract.name('vm1');
  const zone = await anyZone();
  const request = vm({
    instanceName: name,
    networks: [lan],
    metadata: { course: '1TEL05' },
    availabilityZone: zone,
    sliceId: 'my-slice',
  });
  const made = await client.createInstance(request, owner.options);
  assert.equal(made.status, 'build');
  assert.equal(made.openstackInstanceId, made.id);
  const running = await reach(made.id, 'active');
  assert.equal(running.instanceName, name);
  assert.equal(running.flavorId, await flavorNamed('micro'));
  assert.equal(running.sliceId, 'my-slice');
  assert.equal(running.metadata.course, '1TEL05');
  assert.equal(running.availabilityZone, zone);
  assert.match(running.projectName, /^pucp-/);
  await until(async () => {
    const { privateIp, addresses } = await client.getInstance({ id: made.id }, owner.options);
    return privateIp.startsWith('192.168.60.') && addresses[0]?.network === lan;
  }, 'the address is shown');

  const { instances } = await client.listInstances({ ...all, sliceId: 'my-slice' }, owner.options);
  assert.deepEqual(
    instances.map(({ id }) => id),
    [made.id],
  );
  assert.deepEqual((await client.listInstances({ ...all, sliceId: 'other' }, owner.options)).instances, []);
});

test('an instance is stopped, started and rebooted, and doing it twice is no error', async () => {
  const { client } = contract;
  const { options } = owner;
  const { id } = await client.createInstance(vm({ instanceName: contract.name('power') }), options);
  await reach(id, 'active');
  assert.equal((await client.startInstance({ id }, options)).status, 'active');
  await client.stopInstance({ id }, options);
  await client.stopInstance({ id }, options);
  await reach(id, 'shutoff');
  const down = await failureOf(client.getConsole({ id }, options));
  assert.equal(down.code, 'ABORTED');
  assert.match(down.message, /start it first/);
  await client.startInstance({ id }, options);
  await reach(id, 'active');
  await client.rebootInstance({ id, hard: true }, options);
  await reach(id, 'active');
  const screen = await client.getConsole({ id }, options);
  assert.match(screen.url, /^https?:\/\//);
  assert.equal(screen.type, 'novnc');

  await client.deleteInstance({ id }, options);
  await until(async () => {
    const error = await client.getInstance({ id }, options).catch((caught: unknown) => caught);
    return (error as { code?: string }).code === 'NOT_FOUND';
  }, 'the instance is gone');
  assert.equal((await failureOf(client.deleteInstance({ id }, options))).code, 'NOT_FOUND');
});

test('unknown names are refused together, with the names that exist, before anything is made', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const wrong = vm({
    instanceName: '',
    imageId: 'windows-3.11',
    flavorId: 'gigantic',
    networks: ['nowhere'],
    availabilityZone: 'mars',
    keyName: 'no-key',
    sliceId: 'a/b',
  });
  const failure = await failureOf(client.createInstance(wrong, options));
  assert.equal(failure.code, 'INVALID_ARGUMENT');
  const fields = failure.violations.map(({ field }) => field).sort();
  assert.deepEqual(fields, [
    'availability_zone',
    'flavor_id',
    'image_id',
    'instance_name',
    'key_name',
    'networks[0]',
    'slice_id',
  ]);
  assert.match(failure.message, /windows-3\.11.*there are: .*ubuntu-20\.04/);
  assert.match(failure.message, /gigantic.*there are: .*small/);
  assert.match(failure.message, /mars.*there are: /);
  const { projects } = await client.listProjects({ pageSize: 0, pageToken: '' }, options);
  assert.deepEqual(projects, [], 'not even a project was made');
});

test('ids of image, flavor and network work as well as names', async () => {
  const { client } = contract;
  const { images } = await client.listImages({}, owner.options);
  const { flavors } = await client.listFlavors(ListFlavorsRequest.fromPartial({}), owner.options);
  const lan = CreateNetworkRequest.fromPartial({ networkName: contract.name('ids'), cidr: '10.5.0.0/24' });
  const network = await client.createNetwork(lan, owner.options);
  const request = vm({
    instanceName: contract.name('ids'),
    imageId: images.find(({ aliases }) => aliases.includes('cirros'))?.id ?? '',
    flavorId: flavors.find(({ aliases }) => aliases.includes('nano'))?.id ?? '',
    networks: [network.id],
  });
  const { id } = await client.createInstance(request, owner.options);
  await reach(id, 'active');
  const busy = await failureOf(client.deleteNetwork({ id: network.id }, owner.options));
  assert.equal(busy.code, 'ABORTED');
  assert.equal(busy.reason, 'NETWORK_IN_USE');
});

test('more instances than the quota allows are refused as such', async () => {
  const { client, cloud, within } = contract;
  const { options } = await contract.user();
  await client.createInstance(vm({ instanceName: contract.name('q1') }), options);
  const { projects } = await client.listProjects({ pageSize: 0, pageToken: '' }, options);
  await cloud.project('home').nova.setQuotas(projects[0]?.id ?? '', { instances: 1 }, within);
  const failure = await failureOf(client.createInstance(vm({ instanceName: contract.name('q2') }), options));
  assert.equal(failure.code, 'RESOURCE_EXHAUSTED');
  assert.equal(failure.reason, 'QUOTA_EXCEEDED');
});

test('a volume is made, attached, detached and deleted', async () => {
  const { client } = contract;
  const { options } = owner;
  const { id: instanceId } = await client.createInstance(
    vm({ instanceName: contract.name('disk') }),
    options,
  );
  await reach(instanceId, 'active');
  const request = CreateVolumeRequest.fromPartial({ name: contract.name('data'), sizeGib: 1 });
  const made = await client.createVolume(request, options);
  assert.equal(made.sizeGib, 1);
  const { id } = made;
  const volume = async () => {
    const { volumes } = await client.listVolumes(ListVolumesRequest.fromPartial({}), options);
    return volumes.find((one) => one.id === id);
  };
  await until(async () => (await volume())?.status === 'available', 'the volume is available');
  const placed = await client.attachVolume({ id, instanceId, device: '' }, options);
  assert.equal(placed.instanceId, instanceId);
  await until(async () => (await volume())?.status === 'in-use', 'the volume is in use');
  const again = await client.attachVolume({ id, instanceId, device: '' }, options);
  assert.equal(again.instanceId, instanceId);
  const busy = await failureOf(client.deleteVolume({ id }, options));
  assert.equal(busy.code, 'ABORTED');
  await client.detachVolume({ id, instanceId: '' }, options);
  await until(async () => (await volume())?.status === 'available', 'the volume is available again');
  await client.detachVolume({ id, instanceId: '' }, options);
  await client.deleteVolume({ id }, options);
  await until(async () => (await volume()) === undefined, 'the volume is gone');
});

test('every mistake in a request for a volume is told', async () => {
  const { client } = contract;
  const request = CreateVolumeRequest.fromPartial({ name: 'x'.repeat(300), sizeGib: 0, imageId: 'nothing' });
  const failure = await failureOf(client.createVolume(request, owner.options));
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['name', 'size_gib', 'image_id'],
  );
  const typed = CreateVolumeRequest.fromPartial({
    name: contract.name('typed'),
    sizeGib: 1,
    volumeType: 'odd',
  });
  const unknown = await failureOf(client.createVolume(typed, owner.options));
  assert.equal(unknown.code, 'INVALID_ARGUMENT');
  assert.match(unknown.message, /odd/);
});
