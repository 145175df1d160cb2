import { connect } from '#common/rpc-client.ts';
import {
  type ComputeServiceServer,
  ComputeServiceService,
} from '#proto/pucp/openstack/v1/compute_service.ts';
import { absentIsDone } from '../../../services/openstack/api/errors.ts';
import { examplesOf } from '../ownership-examples.ts';

export const examples = examplesOf<ComputeServiceServer>(ComputeServiceService, {
  async make(contract, { options }, { instance = '' }) {
    const client = connect<ComputeServiceServer>(ComputeServiceService, contract.url);
    try {
      const keyPair = contract.name('key');
      await client.createKeyPair({ name: keyPair, publicKey: '' }, options);
      const { ports } = await client.listInstancePorts({ id: instance, pageSize: 0, pageToken: '' }, options);
      return { keyPair, instancePort: ports[0]?.portId ?? '' };
    } finally {
      client.close();
    }
  },

  async clean(contract, { options }, { keyPair = '' }) {
    const client = connect<ComputeServiceServer>(ComputeServiceService, contract.url);
    try {
      await absentIsDone(client.deleteKeyPair({ name: keyPair, userId: '' }, options));
    } finally {
      client.close();
    }
  },

  mixed: ({ instance: id = '' }, { network = '', port = '', image = '', instancePort = '' }) => [
    { attachInstancePort: { id, network }, rebuildInstance: { id, imageId: image } },
    { attachInstancePort: { id, portId: port }, detachInstancePort: { id, portId: instancePort } },
  ],

  named: ({ project = '', user = '', instance: id = '', instancePort = '', network = '', keyPair = '' }) => ({
    pauseInstance: { id },
    unpauseInstance: { id },
    suspendInstance: { id },
    resumeInstance: { id },
    shelveInstance: { id },
    unshelveInstance: { id },
    lockInstance: { id },
    unlockInstance: { id },
    resizeInstance: { id, flavorId: 'small' },
    confirmInstanceResize: { id },
    revertInstanceResize: { id },
    rebuildInstance: { id },
    snapshotInstance: { id, name: 'x' },
    getConsoleLog: { id },
    updateInstance: { id, instanceName: 'x' },
    mergeInstanceMetadata: { id, metadata: { a: 'b' } },
    replaceInstanceMetadata: { id, metadata: { a: 'b' } },
    deleteInstanceMetadata: { id, key: 'a' },
    listInstancePorts: { id },
    attachInstancePort: { id, network },
    detachInstancePort: { id, portId: instancePort },
    listInstanceVolumes: { id },
    listKeyPairs: { userId: user },
    getKeyPair: { name: keyPair, userId: user },
    deleteKeyPair: { name: keyPair, userId: user },
    getUsage: { projectId: project },
  }),

  nameless: {
    createKeyPair: { name: '' },
    getFlavor: { id: 'nano' },
    createFlavor: { name: '' },
    deleteFlavor: { id: 'x' },
    listHypervisors: {},
    listFlavorAccess: { id: 'x' },
    addFlavorAccess: { id: 'x', projectId: 'x' },
    removeFlavorAccess: { id: 'x', projectId: 'x' },
    getFlavorExtraSpecs: { id: 'nano' },
    mergeFlavorExtraSpecs: { id: 'x' },
    deleteFlavorExtraSpec: { id: 'x', key: 'x' },
  },
});
