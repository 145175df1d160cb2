import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreateNetworkRequest,
  CreateVolumeRequest,
  ListInstancesRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type ComputeClient, connectCompute, isRefused, runningInstance, settled } from './compute.ts';
import { type Contract, type ContractUser, failureOf, startContract, until } from './contract.ts';

let contract: Contract;
let compute: ComputeClient & { close(): void };
let owner: ContractUser;
/** The one instance that most tests change in turn. */
let id: string;
/** Images made. */
const copies: string[] = [];
/** Another, made from a copy of it. */
let secondId: string;

before(async () => {
  contract = await startContract();
  compute = connectCompute(contract);
  owner = await contract.user();
  ({ id } = await runningInstance(contract, owner, { instanceName: contract.name('one') }));
});
after(async () => {
  compute.close();
  const { glance } = contract.cloud.project('home');
  for (const imageId of copies) await glance.deleteImage(imageId, contract.within);
  await contract.close();
});

const now = (status: string) => settled(contract, owner, { id, status });

test('an instance is paused and goes on, and asking twice is no error', async () => {
  const { options } = owner;
  await compute.pauseInstance({ id }, options);
  await compute.pauseInstance({ id }, options);
  await now('paused');
  await isRefused(compute.suspendInstance({ id }, options), 'ABORTED', /is paused, .*: unpause it first/);
  await compute.unpauseInstance({ id }, options);
  await now('active');
  assert.equal((await compute.unpauseInstance({ id }, options)).status, 'active');
});

test('an instance is suspended and resumed', async () => {
  await compute.suspendInstance({ id }, owner.options);
  await now('suspended');
  const { client } = contract;
  await isRefused(client.stopInstance({ id }, owner.options), 'ABORTED', /is suspended.*resume it first/);
  const reboot = client.rebootInstance({ id, hard: false }, owner.options);
  await isRefused(reboot, 'ABORTED', /is suspended.*resume it first/);
  await compute.resumeInstance({ id }, owner.options);
  await now('active');
});

test('an instance is shelved, and comes back', async () => {
  const { options } = owner;
  await compute.shelveInstance({ id }, options);
  await now('shelved_offloaded');
  assert.equal((await compute.shelveInstance({ id }, options)).status, 'shelved_offloaded');
  await isRefused(compute.getConsoleLog({ id, lines: 0 }, options), 'ABORTED');
  await compute.unshelveInstance({ id }, options);
  await now('active');
});

test('a locked instance changes for its owner only after it is unlocked', async () => {
  const { options } = owner;
  assert.equal((await compute.lockInstance({ id }, options)).locked, true);
  assert.equal((await compute.lockInstance({ id }, options)).locked, true);
  for (const call of [
    () => compute.pauseInstance({ id }, options),
    () => compute.updateInstance({ id, instanceName: 'other' }, options),
    () => compute.mergeInstanceMetadata({ id, metadata: { a: 'b' } }, options),
    () => contract.client.stopInstance({ id }, options),
    () => contract.client.deleteInstance({ id }, options),
  ]) {
    const failure = await failureOf(call());
    assert.equal(failure.code, 'FAILED_PRECONDITION');
    assert.equal(failure.reason, 'SERVER_LOCKED');
  }
  assert.equal((await compute.unlockInstance({ id }, options)).locked, false);
  assert.equal((await compute.unlockInstance({ id }, options)).locked, false);
});

test('an instance is resized by a name of the table: reverted at first, then confirmed', async () => {
  const { options } = owner;
  const { flavorId: small } = await contract.client.getInstance({ id }, options);
  await isRefused(compute.confirmInstanceResize({ id }, options), 'ABORTED', /only a resized one/);
  await isRefused(compute.revertInstanceResize({ id }, options), 'ABORTED', /only a resized one/);
  await isRefused(compute.resizeInstance({ id, flavorId: '' }, options), 'INVALID_ARGUMENT', /flavor_id/);
  await isRefused(
    compute.resizeInstance({ id, flavorId: 'gigantic' }, options),
    'INVALID_ARGUMENT',
    /there are: .*micro/,
  );
  await isRefused(compute.resizeInstance({ id, flavorId: 'nano' }, options), 'INVALID_ARGUMENT', /already/);

  await compute.resizeInstance({ id, flavorId: 'micro' }, options);
  const larger = await now('verify_resize');
  assert.notEqual(larger.flavorId, small);
  await compute.revertInstanceResize({ id }, options);
  assert.equal((await now('active')).flavorId, small);
  await compute.resizeInstance({ id, flavorId: 'micro' }, options);
  await now('verify_resize');
  const rebuilt = compute.rebuildInstance({ id, imageId: 'debian-12' }, options);
  await isRefused(rebuilt, 'ABORTED', /is resized.*: confirm its resize, or revert it, first/);
  await compute.confirmInstanceResize({ id }, options);
  assert.equal((await now('active')).flavorId, larger.flavorId);
});

test('an instance is rebuilt from another image; one that was down stays down', async () => {
  const { client } = contract;
  const { options } = owner;
  const before = await client.getInstance({ id }, options);
  await isRefused(
    compute.rebuildInstance({ id, imageId: 'windows-3.11' }, options),
    'INVALID_ARGUMENT',
    /there are: .*ubuntu-20\.04/,
  );
  await compute.rebuildInstance({ id, imageId: 'debian-12' }, options);
  const rebuilt = await now('active');
  assert.notEqual(rebuilt.imageId, before.imageId);
  await client.stopInstance({ id }, options);
  await now('shutoff');
  await compute.rebuildInstance({ id, imageId: before.imageId }, options);
  assert.equal((await now('shutoff')).imageId, before.imageId);
  await client.startInstance({ id }, options);
  await now('active');
});

test('a copy of an instance is an image that new instances start from', async () => {
  const { client, cloud, within } = contract;
  const { options } = owner;
  await isRefused(
    compute.snapshotInstance({ id, name: ' ', metadata: { 'a/b': 'c' } }, options),
    'INVALID_ARGUMENT',
    /name: .*metadata: /,
  );
  const taken = { owner: 'someone', min_ram: '1', 'pucp-owner': 'x', block_device_mapping: '[]' };
  const refused = await failureOf(compute.snapshotInstance({ id, name: 'x', metadata: taken }, options));
  assert.deepEqual(
    refused.violations.map(({ field }) => field),
    Object.keys(taken).map((key) => `metadata[${key}]`),
  );
  const name = contract.name('copy');
  const made = await compute.snapshotInstance({ id, name, metadata: { course: '1TEL05' } }, options);
  copies.push(made.imageId);
  assert.deepEqual({ ...made, imageId: '' }, { imageId: '', name, instanceId: id, status: 'queued' });
  const { glance } = cloud.project('home');
  await until(async () => (await glance.getImage(made.imageId, within)).status === 'active', 'the copy');
  await now('active');
  const { images } = await client.listImages({}, options);
  assert(images.some((image) => image.id === made.imageId));
  const stranger = await contract.user();
  const { images: others } = await client.listImages({}, stranger.options);
  assert(!others.some((image) => image.id === made.imageId));
  const second = await runningInstance(contract, owner, {
    instanceName: contract.name('from-copy'),
    imageId: name,
    flavorId: 'micro',
  });
  assert.equal(second.imageId, made.imageId);
  secondId = second.id;
});

test('the end of what an instance wrote to its console is read', async () => {
  const { options } = owner;
  const whole = (await compute.getConsoleLog({ id, lines: 0 }, options)).output.split('\n');
  assert(whole.length >= 3, 'the console has some lines');
  const end = (await compute.getConsoleLog({ id, lines: 2 }, options)).output.split('\n');
  assert.deepEqual(end, whole.slice(-2));
  await isRefused(compute.getConsoleLog({ id, lines: -1 }, options), 'INVALID_ARGUMENT', /lines/);
});

test('an instance is renamed, and found by a part of its name and by its status', async () => {
  const { client } = contract;
  const { options } = owner;
  const instanceName = contract.name('Renamed');
  const renamed = await compute.updateInstance({ id, instanceName }, options);
  assert.equal(renamed.instanceName, instanceName);
  assert.equal((await compute.updateInstance({ id, instanceName: undefined }, options)).id, id);
  await isRefused(compute.updateInstance({ id, instanceName: '' }, options), 'INVALID_ARGUMENT');
  const found = async (filter: Partial<ListInstancesRequest>) => {
    const { instances } = await client.listInstances(ListInstancesRequest.fromPartial(filter), options);
    return instances.some((one) => one.id === id);
  };
  assert(await found({ name: 'renamed' }));
  assert(await found({ name: 'renamed', status: 'active' }));
  assert(!(await found({ name: 'nothing like it' })));
  assert(!(await found({ status: 'shutoff' })));
});

test('metadata is added to, replaced and removed, and what the orchestrator keeps stays', async () => {
  const { options } = owner;
  const merged = await compute.mergeInstanceMetadata({ id, metadata: { a: '1', b: '2' } }, options);
  assert.deepEqual(merged.metadata, { created_by: 'pucp-orchestrator', a: '1', b: '2' });
  const without = await compute.deleteInstanceMetadata({ id, key: 'a' }, options);
  assert.deepEqual(without.metadata, { created_by: 'pucp-orchestrator', b: '2' });
  assert.deepEqual(await compute.deleteInstanceMetadata({ id, key: 'a' }, options), without);
  const replaced = await compute.replaceInstanceMetadata({ id, metadata: { 'c d': '3' } }, options);
  assert.deepEqual(replaced.metadata, { created_by: 'pucp-orchestrator', 'c d': '3' });
  const wrong = { created_by: 'me', slice_id: 'x', 'a/b': 'c' };
  const failure = await failureOf(compute.mergeInstanceMetadata({ id, metadata: wrong }, options));
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['metadata', 'metadata[created_by]', 'metadata[slice_id]'],
  );
  await isRefused(compute.deleteInstanceMetadata({ id, key: 'created_by' }, options), 'INVALID_ARGUMENT');
  await compute.replaceInstanceMetadata({ id, metadata: {} }, options);
});

test('an instance gets an interface on a network with the address asked for, and gives it back', async () => {
  const { options } = owner;
  const lan = contract.name('lan');
  const network = await contract.client.createNetwork(
    CreateNetworkRequest.fromPartial({ networkName: lan, cidr: '10.44.0.0/24' }),
    options,
  );
  const page = { id, pageSize: 0, pageToken: '' };
  const attach = (network: string, portId: string, ipAddress: string) =>
    compute.attachInstancePort({ id, network, portId, ipAddress }, options);
  assert.deepEqual((await compute.listInstancePorts(page, options)).ports, []);
  await isRefused(attach('', '', ''), 'INVALID_ARGUMENT', /either a network or a port_id/);
  await isRefused(attach('nowhere', '', ''), 'INVALID_ARGUMENT', new RegExp(`there are: .*${lan}`));
  await isRefused(attach(lan, '', 'hello'), 'INVALID_ARGUMENT', /ip_address/);
  await isRefused(attach(lan, '', '10.45.0.9'), 'INVALID_ARGUMENT', /10\.44\.0\.0\/24/);

  const made = await attach(lan, '', '10.44.0.9');
  assert.deepEqual(
    { networkId: made.networkId, networkName: made.networkName, ipAddresses: made.ipAddresses },
    { networkId: network.id, networkName: lan, ipAddresses: ['10.44.0.9'] },
  );
  const { ports } = await compute.listInstancePorts(page, options);
  assert.deepEqual(
    ports.map(({ portId, networkName, macAddress }) => ({ portId, networkName, macAddress })),
    [{ portId: made.portId, networkName: lan, macAddress: made.macAddress }],
  );
  assert.equal((await attach('', made.portId, '')).portId, made.portId, 'attached already is done');
  await compute.detachInstancePort({ id, portId: made.portId }, options);
  await until(async () => (await compute.listInstancePorts(page, options)).ports.length === 0, 'detached');
  await isRefused(compute.detachInstancePort({ id, portId: made.portId }, options), 'NOT_FOUND');
});

test('a port made before is attached, stays its owner’s, and is not given to a second instance', async () => {
  const { cloud, client, within } = contract;
  const { options } = owner;
  const request = CreateNetworkRequest.fromPartial({
    networkName: contract.name('ports'),
    cidr: '10.46.0.0/24',
  });
  const { id: networkId } = await client.createNetwork(request, options);
  const { neutron } = cloud.project('home');
  const { project_id } = await neutron.networks.get(networkId, within);
  const port = await neutron.ports.create({ network_id: networkId, project_id, name: 'made before' }, within);
  const attach = (instanceId: string) =>
    compute.attachInstancePort({ id: instanceId, network: '', portId: port.id, ipAddress: '' }, options);
  const made = await attach(id);
  assert.equal(made.macAddress, port.mac_address);
  const failure = await failureOf(attach(secondId));
  assert.equal(failure.reason, 'PORT_IN_USE');
  await compute.detachInstancePort({ id, portId: port.id }, options);
  await until(async () => (await neutron.ports.get(port.id, within)).device_id === '', 'the port is free');
  await neutron.ports.remove(port.id, within);
});

test('the volumes in an instance are listed', async () => {
  const { client, cloud, within } = contract;
  const { options } = owner;
  const volume = await client.createVolume(
    CreateVolumeRequest.fromPartial({ name: contract.name('disk'), sizeGib: 1 }),
    options,
  );
  const { cinder } = cloud.project('home');
  const has = async (status: string) => (await cinder.getVolume(volume.id, within)).status === status;
  await until(() => has('available'), 'the volume is available');
  const page = { id, pageSize: 0, pageToken: '' };
  assert.deepEqual((await compute.listInstanceVolumes(page, options)).volumes, []);
  const placed = await client.attachVolume({ id: volume.id, instanceId: id, device: '' }, options);
  await until(() => has('in-use'), 'the volume is in use');
  assert.deepEqual((await compute.listInstanceVolumes(page, options)).volumes, [
    { volumeId: volume.id, device: placed.device },
  ]);
  await client.detachVolume({ id: volume.id, instanceId: '' }, options);
  await until(() => has('available'), 'the volume is available again');
  await client.deleteVolume({ id: volume.id }, options);
});
