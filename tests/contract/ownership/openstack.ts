import assert from 'node:assert/strict';
import {
  CreateInstanceRequest,
  CreateNetworkRequest,
  CreateVolumeRequest,
  DeploySliceRequest,
  type OpenstackServiceServer,
  OpenstackServiceService,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { until } from '../contract.ts';
import { examplesOf } from '../ownership-examples.ts';

export const examples = examplesOf<OpenstackServiceServer>(OpenstackServiceService, {
  async make(contract, { options, userId }) {
    const { client } = contract;
    const lan = CreateNetworkRequest.fromPartial({ networkName: contract.name('lan'), cidr: '10.4.0.0/24' });
    const { id: network, subnetId: subnet } = await client.createNetwork(lan, options);
    const vm = {
      instanceName: contract.name('vm'),
      imageId: 'cirros',
      flavorId: 'nano',
      networks: [network],
    };
    const { id: instance } = await client.createInstance(CreateInstanceRequest.fromPartial(vm), options);
    const disk = CreateVolumeRequest.fromPartial({ name: contract.name('disk'), sizeGib: 1 });
    const { id: volume } = await client.createVolume(disk, options);
    const { projects } = await client.listProjects({ pageSize: 0, pageToken: '' }, options);
    await until(async () => {
      const { status, errorMessage } = await client.getInstance({ id: instance }, options);
      assert.notEqual(status, 'error', errorMessage);
      return status === 'active';
    }, 'the instance runs');
    return { user: userId, project: projects[0]?.id ?? '', instance, network, subnet, volume };
  },

  named({ project: projectId = '', instance = '', network = '', volume = '' }) {
    const spec = {
      sliceConfig: {
        name: 'x',
        nodes: [{ name: 'a', image: 'cirros', flavor: 'nano' }],
        networks: [{ name: 'n', cidr: '10.1.0.0/24' }],
      },
      placement: { a: { projectId } },
    };
    return {
      listInstances: { projectId },
      getInstance: { id: instance },
      createInstance: { instanceName: 'x', imageId: 'cirros', flavorId: 'nano', projectId },
      startInstance: { id: instance },
      stopInstance: { id: instance },
      rebootInstance: { id: instance, hard: true },
      getConsole: { id: instance },
      listNetworks: { projectId },
      createNetwork: { networkName: 'x', cidr: '10.3.0.0/24', projectId },
      listVolumes: { projectId },
      createVolume: { name: 'x', sizeGib: 1, projectId },
      attachVolume: { id: volume, instanceId: instance },
      detachVolume: { id: volume },
      getQuotas: { projectId },
      deploySlice: DeploySliceRequest.fromPartial(spec),
      deleteVolume: { id: volume },
      deleteInstance: { id: instance },
      deleteNetwork: { id: network },
    };
  },

  mixed(own, { project: projectId = '', network = '', image = '', instance = '', volume = '' }) {
    const vm = { instanceName: 'x', imageId: 'cirros', flavorId: 'nano' };
    return [
      {
        createInstance: { ...vm, networks: [network] },
        createVolume: { name: 'x', sizeGib: 1, imageId: image },
      },
      { createInstance: { ...vm, imageId: image } },
      { createInstance: { ...vm, networks: [own.network ?? ''], projectId } },
      { attachVolume: { id: own.volume ?? '', instanceId: instance } },
      { attachVolume: { id: volume, instanceId: own.instance ?? '' } },
    ];
  },

  // DestroySlice looks among the caller's own only.
  nameless: {
    listProjects: {},
    createProject: { projectName: '' },
    listImages: {},
    listFlavors: {},
    listAvailabilityZones: {},
    destroySlice: { sliceId: 'x' },
  },
});
