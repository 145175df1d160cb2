// Snapshots of volumes. A volume is made from one by `volumes.ts`.

import { Failure, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { VolumeSnapshot } from '#proto/pucp/openstack/v1/storage.ts';
import type { StorageServiceServer } from '#proto/pucp/openstack/v1/storage_service.ts';
import type { CinderSnapshot } from '../api/cinder-snapshots.ts';
import { ownerMarkOf, sliceOf, volumeLabels } from '../marks.ts';
import { callContext, type Deps, findReachable, utc } from './deps.ts';
import { listOwned } from './listing.ts';
import { pageOf } from './page.ts';
import { changesOf, checkText, projectOf, volumeBusy, volumeFinder } from './storage-volumes.ts';

type SnapshotHandlers = Pick<
  Handlers<StorageServiceServer>,
  | 'listVolumeSnapshots'
  | 'getVolumeSnapshot'
  | 'createVolumeSnapshot'
  | 'updateVolumeSnapshot'
  | 'deleteVolumeSnapshot'
>;

export function snapshotHandlers(deps: Deps): SnapshotHandlers {
  const { cloud, tenancy } = deps;
  const home = cloud.project('home');
  const find = snapshotFinder(deps);
  const findVolume = volumeFinder(deps);

  return {
    async listVolumeSnapshots(request, context) {
      const all = await listOwned<CinderSnapshot>(tenancy, context, request, {
        all: (projectId, within) =>
          home.cinder.listSnapshots({ allProjects: true, ...(projectId ? { projectId } : {}) }, within),
        of: ({ clients }, within) => clients.cinder.listSnapshots({}, within),
        ownerMark: ownerMarkOf,
        slice: sliceOf,
      });
      const is = (wanted: string, actual: string | null) => wanted === '' || wanted === actual;
      const found = all.filter(
        (one) =>
          is(request.volumeId, one.volume_id) && is(request.status, one.status) && is(request.name, one.name),
      );
      const { items, nextPageToken } = pageOf(found, request, {
        key: ({ created_at, id }) => `${created_at} ${id}`,
        descending: true,
      });
      return { snapshots: items.map(snapshotView), nextPageToken };
    },

    async getVolumeSnapshot({ id }, context) {
      return snapshotView(await find(id, context));
    },

    async createVolumeSnapshot(request, context) {
      const violations = [...checkText(request)];
      if (request.volumeId === '')
        violations.push({ field: 'volume_id', message: 'is missing: name a volume' });
      if (violations.length > 0) throw invalid(violations);
      const volume = await findVolume(request.volumeId, context);
      const isAttached = volume.status === 'in-use';
      if (isAttached && !request.force) {
        throw volumeBusy(
          volume,
          'detach it first, or set "force" and accept what its server has not yet written',
        );
      }
      if (!isAttached && volume.status !== 'available')
        throw volumeBusy(volume, 'wait until it is available');
      const within = callContext(context);
      const projectId = projectOf(volume);
      const { cinder } = await tenancy.clientsFor(projectId, within);
      const { metadata } = volumeLabels({
        ownerMark: await tenancy.ownerMark(context.caller),
        sliceId: sliceOf({ metadata: volume.metadata }),
      });
      const wish = { volume_id: volume.id, name: request.name, description: request.description, metadata };
      const made = await cinder.createSnapshot(
        { ...wish, ...(request.force ? { force: true } : {}) },
        within,
      );
      return snapshotView({ [PROJECT]: projectId, ...made });
    },

    async updateVolumeSnapshot(request, context) {
      const violations = [...checkText(request)];
      if (violations.length > 0) throw invalid(violations);
      const snapshot = await find(request.id, context);
      const changes = changesOf(request);
      if (Object.keys(changes).length === 0) return snapshotView(snapshot);
      const within = callContext(context);
      const { cinder } = await tenancy.clientsFor(snapshotProject(snapshot), within);
      await cinder.updateSnapshot(snapshot.id, changes, within);
      return snapshotView(await find(snapshot.id, context));
    },

    async deleteVolumeSnapshot({ id }, context) {
      const snapshot = await find(id, context);
      if (snapshot.status === 'deleting') return DELETED;
      if (!['available', 'error', 'error_deleting'].includes(snapshot.status)) {
        throw snapshotBusy(snapshot, 'wait until it is available');
      }
      const within = callContext(context);
      const { cinder } = await tenancy.clientsFor(snapshotProject(snapshot), within);
      await cinder.deleteSnapshot(id, within);
      return DELETED;
    },
  };
}

const PROJECT = 'os-extended-snapshot-attributes:project_id';
const DELETED = { message: 'Snapshot deleted successfully' };

export function snapshotFinder({ cloud, tenancy }: Pick<Deps, 'cloud' | 'tenancy'>) {
  const { cinder } = cloud.project('home');
  return (id: string, context: Context): Promise<CinderSnapshot> =>
    findReachable(tenancy, context, {
      what: 'snapshot',
      id,
      find: () => cinder.getSnapshot(id, callContext(context)),
      owned: (snapshot) => ({ projectId: snapshotProject(snapshot), ownerMark: ownerMarkOf(snapshot) }),
    });
}

// Absent only in answers to creation, where the project is known anyway.
export function snapshotProject(snapshot: CinderSnapshot): string {
  return snapshot[PROJECT] ?? '';
}

export function snapshotBusy({ name, id, status }: CinderSnapshot, advice: string): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'SNAPSHOT_BUSY',
    message: `Snapshot "${name || id}" is ${status}: ${advice}`,
    metadata: { snapshot_id: id, status },
    retryable: true,
  });
}

function snapshotView(snapshot: CinderSnapshot): VolumeSnapshot {
  return VolumeSnapshot.fromPartial({
    id: snapshot.id,
    name: snapshot.name ?? '',
    description: snapshot.description ?? '',
    volumeId: snapshot.volume_id,
    sizeGib: snapshot.size,
    status: snapshot.status,
    projectId: snapshotProject(snapshot),
    createdAt: utc(snapshot.created_at),
    updatedAt: utc(snapshot.updated_at),
  });
}
