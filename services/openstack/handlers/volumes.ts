// Volumes, and putting them into servers. Nova attaches and detaches; Cinder keeps.

import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type {
  CreateVolumeRequest,
  OpenstackServiceServer,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { CinderVolume } from '../api/cinder.ts';
import type { CinderSnapshot } from '../api/cinder-snapshots.ts';
import { ownerMarkOf, sliceOf, volumeLabels } from '../marks.ts';
import { resolve, unknownName } from '../names.ts';
import { usableImages } from '../usable-images.ts';
import { callContext, type Deps, findReachable } from './deps.ts';
import { listOwned } from './listing.ts';
import { pageOf } from './page.ts';
import { snapshotBusy, snapshotFinder, snapshotProject } from './storage-snapshots.ts';
import {
  attachmentView,
  checkText,
  projectOf,
  volumeBusy,
  volumeFinder,
  volumeView,
} from './storage-volumes.ts';

type VolumeHandlers = Pick<
  Handlers<OpenstackServiceServer>,
  'listVolumes' | 'createVolume' | 'deleteVolume' | 'attachVolume' | 'detachVolume'
>;

export function volumeHandlers(deps: Deps): VolumeHandlers {
  const { cloud, tenancy } = deps;
  const home = cloud.project('home');

  const find = volumeFinder(deps);

  return {
    async listVolumes(request, context) {
      const volumes = await listOwned<CinderVolume>(tenancy, context, request, {
        all: (projectId, within) =>
          home.cinder.listVolumes({ allProjects: true, ...(projectId ? { projectId } : {}) }, within),
        of: ({ clients }, within) => clients.cinder.listVolumes({}, within),
        ownerMark: ownerMarkOf,
        slice: sliceOf,
      });
      const found = volumes.filter(
        ({ status, name }) =>
          (request.status === '' || status === request.status) &&
          (request.name === '' || name === request.name),
      );
      const { items, nextPageToken } = pageOf(found, request, {
        key: ({ created_at, id }) => `${created_at} ${id}`,
        descending: true,
      });
      return { volumes: items.map(volumeView), nextPageToken };
    },

    async createVolume(request, context) {
      const { caller } = context;
      const within = callContext(context);
      const existing =
        request.projectId === ''
          ? await tenancy.findPlace(caller, within)
          : await tenancy.named(caller, request.projectId, within);
      const { imageId, snapshot } = await check(deps, request, existing?.projectId, context);
      const place = existing ?? (await tenancy.place(caller, within));
      const volume = await place.clients.cinder
        .createVolume(
          {
            name: request.name,
            size: request.sizeGib || (snapshot?.size ?? 0),
            ...(request.description === '' ? {} : { description: request.description }),
            ...(imageId === undefined ? {} : { imageRef: imageId }),
            ...(snapshot === undefined ? {} : { snapshot_id: snapshot.id }),
            ...(request.volumeType === '' ? {} : { volume_type: request.volumeType }),
            ...(request.availabilityZone === '' ? {} : { availability_zone: request.availabilityZone }),
            ...volumeLabels({ ownerMark: await tenancy.ownerMark(caller), sliceId: '' }),
          },
          within,
        )
        .catch((error: unknown) => {
          // Cinder answers 404 for a type that it does not have.
          if (!(error instanceof Failure) || error.code !== 'NOT_FOUND') throw error;
          throw invalid([{ field: 'volume_type', message: error.message }]);
        });
      return volumeView({ 'os-vol-tenant-attr:tenant_id': place.projectId, ...volume });
    },

    async deleteVolume({ id }, context) {
      const volume = await find(id, context);
      const within = callContext(context);
      const { cinder } = await tenancy.clientsFor(projectOf(volume), within);
      if (volume.attachments.length > 0) throw volumeBusy(volume, 'detach it first');
      await cinder.deleteVolume(id, within).catch(async (error: unknown) => {
        if (!(error instanceof Failure) || error.code !== 'ABORTED') throw error;
        // Cinder names all that can be in the way at once.
        const snapshots = await cinder.listSnapshots({ volumeId: id }, within);
        throw snapshots.length > 0 ? hasSnapshots(volume, snapshots) : error;
      });
      return { message: 'Volume deleted successfully' };
    },

    async attachVolume(request, context) {
      if (request.instanceId === '') {
        throw invalid([{ field: 'instance_id', message: 'is missing: name an instance' }]);
      }
      const within = callContext(context);
      const volume = await find(request.id, context);
      const server = await findReachable(tenancy, context, {
        what: 'instance',
        id: request.instanceId,
        find: () => home.nova.getServer(request.instanceId, within),
        owned: (one) => ({ projectId: one.tenant_id, ownerMark: ownerMarkOf(one) }),
      });
      if (server.tenant_id !== projectOf(volume)) {
        const message = `"${server.name}" lies in another project than volume "${volume.name}"`;
        throw invalid([{ field: 'instance_id', message }]);
      }
      const there = volume.attachments.find((one) => one.server_id === server.id);
      if (there) return attachmentView(there);
      if (volume.status !== 'available') throw volumeBusy(volume, 'only an available volume can be attached');
      const { nova } = await tenancy.clientsFor(server.tenant_id, within);
      const device = request.device === '' ? undefined : request.device;
      const made = await nova.attachVolume({ serverId: server.id, volumeId: volume.id, device }, within);
      return attachmentView({ server_id: server.id, device: made.device });
    },

    async detachVolume(request, context) {
      const within = callContext(context);
      const volume = await find(request.id, context);
      const places = volume.attachments.filter(
        (one) => request.instanceId === '' || one.server_id === request.instanceId,
      );
      const [place] = places;
      // While it is being attached, Cinder lists no attachment yet.
      if (!place && volume.status === 'attaching') throw volumeBusy(volume, 'wait until it is in use');
      if (!place) return { message: 'Volume is not attached' };
      if (places.length > 1) {
        const message = `is missing: the volume is attached to ${places.map((one) => one.server_id).join(', ')}`;
        throw invalid([{ field: 'instance_id', message }]);
      }
      const { nova } = await tenancy.clientsFor(projectOf(volume), within);
      await nova.detachVolume({ serverId: place.server_id, volumeId: volume.id }, within);
      return { message: 'Volume detached successfully' };
    },
  };
}

function hasSnapshots({ id, name }: CinderVolume, snapshots: readonly CinderSnapshot[]): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'VOLUME_HAS_SNAPSHOTS',
    message: `Volume "${name || id}" has snapshots: delete ${snapshots.map((one) => `"${one.name || one.id}"`).join(', ')} first`,
    metadata: { volume_id: id },
    retryable: true,
  });
}

/** What fills it, if something is asked for. */
async function check(
  deps: Deps,
  request: CreateVolumeRequest,
  projectId: string | undefined,
  context: Context,
): Promise<{ imageId: string | undefined; snapshot: CinderSnapshot | undefined }> {
  const { config } = deps;
  const violations: FieldViolation[] = [...checkText(request)];
  const snapshot =
    request.snapshotId === '' ? undefined : await snapshotFinder(deps)(request.snapshotId, context);
  const size = request.sizeGib || (snapshot?.size ?? 0);
  if (size < 1) violations.push({ field: 'size_gib', message: 'must be at least 1' });
  const images =
    request.imageId === ''
      ? []
      : await usableImages(deps, { projectId, owner: context.caller }, callContext(context));
  const image = resolve(request.imageId, images, config.images);
  if (request.imageId !== '' && !image) {
    const message = unknownName('image', request.imageId, images, config.images);
    violations.push({ field: 'image_id', message });
  }
  if (request.imageId !== '' && request.snapshotId !== '') {
    violations.push({ field: 'snapshot_id', message: 'cannot be given together with "image_id"' });
  }
  if (image && image.min_disk > size) {
    violations.push({ field: 'size_gib', message: `image "${image.name}" needs ${image.min_disk} GiB` });
  }
  if (snapshot && snapshot.size > size) {
    violations.push({ field: 'size_gib', message: `the snapshot needs ${snapshot.size} GiB` });
  }
  if (snapshot && projectId !== snapshotProject(snapshot)) {
    violations.push({ field: 'snapshot_id', message: 'lies in another project than the volume is to' });
  }
  if (violations.length > 0) throw invalid(violations);
  if (snapshot && snapshot.status !== 'available') throw snapshotBusy(snapshot, 'wait until it is available');
  return { imageId: image?.id, snapshot };
}
