// Every rpc, called with what belongs to someone else: it does not exist, in the same words as what never existed.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { CallOptions } from '#common/rpc-client.ts';
import {
  CreateInstanceRequest,
  CreateNetworkRequest,
  CreateVolumeRequest,
  DeploySliceRequest,
  ListInstancesRequest,
  ListNetworksRequest,
  ListVolumesRequest,
  OpenstackServiceService,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, type ContractUser, failureOf, startContract, until } from './contract.ts';

type Things = { project: string; instance: string; network: string; volume: string };
type Rpc = keyof typeof OpenstackServiceService;

let contract: Contract;
let owner: ContractUser;
let things: Things;

before(async () => {
  contract = await startContract();
  owner = await contract.user();
  const { client } = contract;
  const { options } = owner;
  const lan = CreateNetworkRequest.fromPartial({ networkName: contract.name('lan'), cidr: '10.4.0.0/24' });
  const { id: network } = await client.createNetwork(lan, options);
  const vm = { instanceName: contract.name('vm'), imageId: 'cirros', flavorId: 'nano' };
  const { id: instance } = await client.createInstance(CreateInstanceRequest.fromPartial(vm), options);
  const disk = CreateVolumeRequest.fromPartial({ name: contract.name('disk'), sizeGib: 1 });
  const { id: volume } = await client.createVolume(disk, options);
  const { projects } = await client.listProjects({ pageSize: 0, pageToken: '' }, options);
  things = { project: projects[0]?.id ?? '', instance, network, volume };
  await until(async () => {
    const { status } = await client.getInstance({ id: instance }, options);
    return status === 'active';
  }, 'the instance runs');
});
after(() => contract.close());

const named = (thing: Things): Partial<Record<Rpc, (options: CallOptions) => Promise<unknown>>> => {
  const { client } = contract;
  const { project: projectId, instance, network, volume } = thing;
  const vm = { instanceName: 'x', imageId: 'cirros', flavorId: 'nano', projectId };
  const slice = {
    sliceConfig: {
      id: '',
      name: 'x',
      nodes: [{ name: 'a', image: 'cirros', flavor: 'nano' }],
      networks: [{ name: 'n', cidr: '10.1.0.0/24' }],
      connections: [],
    },
    placement: { a: { availabilityZone: '', projectId } },
  };
  return {
    listInstances: (o) => client.listInstances(ListInstancesRequest.fromPartial({ projectId }), o),
    getInstance: (o) => client.getInstance({ id: instance }, o),
    createInstance: (o) => client.createInstance(CreateInstanceRequest.fromPartial(vm), o),
    deleteInstance: (o) => client.deleteInstance({ id: instance }, o),
    startInstance: (o) => client.startInstance({ id: instance }, o),
    stopInstance: (o) => client.stopInstance({ id: instance }, o),
    rebootInstance: (o) => client.rebootInstance({ id: instance, hard: true }, o),
    getConsole: (o) => client.getConsole({ id: instance }, o),
    listNetworks: (o) => client.listNetworks(ListNetworksRequest.fromPartial({ projectId }), o),
    createNetwork: (o) => {
      const request = { networkName: 'x', cidr: '10.3.0.0/24', projectId };
      return client.createNetwork(CreateNetworkRequest.fromPartial(request), o);
    },
    deleteNetwork: (o) => client.deleteNetwork({ id: network }, o),
    listVolumes: (o) => client.listVolumes(ListVolumesRequest.fromPartial({ projectId }), o),
    createVolume: (o) => {
      const request = { name: 'x', sizeGib: 1, projectId };
      return client.createVolume(CreateVolumeRequest.fromPartial(request), o);
    },
    deleteVolume: (o) => client.deleteVolume({ id: volume }, o),
    attachVolume: (o) => client.attachVolume({ id: volume, instanceId: instance, device: '' }, o),
    detachVolume: (o) => client.detachVolume({ id: volume, instanceId: '' }, o),
    getQuotas: (o) => client.getQuotas({ projectId }, o),
    deploySlice: (o) => client.deploySlice(DeploySliceRequest.fromPartial(slice), o),
  };
};

/** Rpcs whose requests name nothing that someone else could own; DestroySlice looks among the caller's own only. */
const NAMELESS: readonly Rpc[] = [
  'listProjects',
  'createProject',
  'listImages',
  'listFlavors',
  'listAvailabilityZones',
  'destroySlice',
];

test('every rpc is in one of the two lists', () => {
  const all = [...Object.keys(named(things)), ...NAMELESS].sort();
  assert.deepEqual(all, Object.keys(OpenstackServiceService).sort());
});

test('what is someone else’s does not exist, in the words for what never existed', async () => {
  const stranger = await contract.user('professor');
  const nothing = {
    project: randomUUID().replaceAll('-', ''),
    instance: randomUUID(),
    network: randomUUID(),
    volume: randomUUID(),
  };
  const foreign = named(things);
  for (const [rpc, call] of Object.entries(named(nothing))) {
    const absent = await failureOf(call(stranger.options));
    const hidden = await failureOf((foreign[rpc as Rpc] as typeof call)(stranger.options));
    assert.equal(absent.code, 'NOT_FOUND', `${rpc}: ${absent.message}`);
    const words = Object.entries(things).reduce(
      (text, [kind, id]) => text.replaceAll(id, nothing[kind as keyof Things]),
      hidden.message,
    );
    assert.deepEqual(
      { rpc, code: hidden.code, reason: hidden.reason, words },
      { rpc, code: absent.code, reason: absent.reason, words: absent.message },
    );
  }
});

test('nothing of it was touched, and its owner still has all of it', async () => {
  const { client } = contract;
  const { options } = owner;
  const { status, taskState } = await client.getInstance({ id: things.instance }, options);
  assert.deepEqual({ status, taskState }, { status: 'active', taskState: '' });
  const { networks } = await client.listNetworks(ListNetworksRequest.fromPartial({}), options);
  assert(networks.some(({ id }) => id === things.network));
  const { volumes } = await client.listVolumes(ListVolumesRequest.fromPartial({}), options);
  assert.deepEqual(
    volumes.map(({ id }) => id),
    [things.volume],
  );
});

test('a stranger’s lists are empty', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const { instances } = await client.listInstances(ListInstancesRequest.fromPartial({}), options);
  const { volumes } = await client.listVolumes(ListVolumesRequest.fromPartial({}), options);
  const { networks } = await client.listNetworks(ListNetworksRequest.fromPartial({}), options);
  assert.deepEqual({ instances, volumes }, { instances: [], volumes: [] });
  assert(networks.every(({ shared, isExternal }) => shared || isExternal));
});

test('an admin reaches everything', async () => {
  const { client } = contract;
  const { options } = await contract.user('admin');
  const { instances } = await client.listInstances(ListInstancesRequest.fromPartial({}), options);
  const found = instances.find(({ id }) => id === things.instance);
  assert.equal(found?.projectId, things.project);
  assert.equal(found.projectName, `pucp-${owner.username}`);
  const request = ListVolumesRequest.fromPartial({ projectId: things.project });
  const { volumes } = await client.listVolumes(request, options);
  assert.deepEqual(
    volumes.map(({ id }) => id),
    [things.volume],
  );
  await client.stopInstance({ id: things.instance }, options);
  await until(async () => {
    const { status } = await client.getInstance({ id: things.instance }, owner.options);
    return status === 'shutoff';
  }, 'the instance is down');
});
