import { connect } from '#common/rpc-client.ts';
import {
  CreateVolumeSnapshotRequest,
  type StorageServiceServer,
  StorageServiceService,
} from '#proto/pucp/openstack/v1/storage_service.ts';
import { until } from '../contract.ts';
import { examplesOf } from '../ownership-examples.ts';

export const examples = examplesOf<StorageServiceServer>(StorageServiceService, {
  async make(contract, { options }, { volume = '' }) {
    const client = connect<StorageServiceServer>(StorageServiceService, contract.url);
    try {
      await until(async () => (await client.getVolume({ id: volume }, options)).status === 'available');
      const request = { volumeId: volume, name: contract.name('snapshot') };
      const { id } = await client.createVolumeSnapshot(
        CreateVolumeSnapshotRequest.fromPartial(request),
        options,
      );
      return { snapshot: id };
    } finally {
      client.close();
    }
  },

  named: ({ project: projectId = '', volume = '', snapshot = '' }) => ({
    getVolume: { id: volume },
    updateVolume: { id: volume, description: 'changed' },
    extendVolume: { id: volume, sizeGib: 2 },
    listVolumeSnapshots: { projectId },
    getVolumeSnapshot: { id: snapshot },
    createVolumeSnapshot: { volumeId: volume, name: 'x' },
    updateVolumeSnapshot: { id: snapshot, description: 'changed' },
    deleteVolumeSnapshot: { id: snapshot },
  }),
  nameless: { listVolumeTypes: {} },
});
