// Every rpc of StorageService.

import type { Handlers } from '#common/rpc-server.ts';
import type { StorageServiceServer } from '#proto/pucp/openstack/v1/storage_service.ts';
import type { VolumeTypes } from '../volume-types.ts';
import { callContext, type Deps } from './deps.ts';
import { pageOf } from './page.ts';
import { snapshotHandlers } from './storage-snapshots.ts';
import { storageVolumeHandlers } from './storage-volumes.ts';

export type StorageDeps = Deps & { readonly volumeTypes: VolumeTypes };

export function storageHandlers(deps: StorageDeps): Handlers<StorageServiceServer> {
  const { volumeTypes } = deps;
  return {
    ...storageVolumeHandlers(deps),
    ...snapshotHandlers(deps),

    async listVolumeTypes(request, context) {
      const types = await volumeTypes.list(callContext(context));
      const { items, nextPageToken } = pageOf(types, request, { key: ({ name, id }) => `${name} ${id}` });
      const shown = items.map((type) => ({
        id: type.id,
        name: type.name,
        description: type.description ?? '',
        isPublic: type.is_public,
        isDefault: type.isDefault,
      }));
      return { volumeTypes: shown, nextPageToken };
    },
  };
}
