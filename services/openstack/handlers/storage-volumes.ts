// Single volumes: finding, showing, changing and enlarging them. Lists, creation and attachment are in `volumes.ts`.

import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { Volume, type VolumeAttachment } from '#proto/pucp/openstack/v1/openstack.ts';
import type { StorageServiceServer } from '#proto/pucp/openstack/v1/storage_service.ts';
import type { CinderVolume } from '../api/cinder.ts';
import { ownerMarkOf, sliceOf } from '../marks.ts';
import { callContext, type Deps, findReachable, utc } from './deps.ts';

type Finder<T> = (id: string, context: Context) => Promise<T>;
type StorageVolumeHandlers = Pick<
  Handlers<StorageServiceServer>,
  'getVolume' | 'updateVolume' | 'extendVolume'
>;

export function storageVolumeHandlers(deps: Deps): StorageVolumeHandlers {
  const { tenancy } = deps;
  const find = volumeFinder(deps);
  return {
    async getVolume({ id }, context) {
      return volumeView(await find(id, context));
    },

    async updateVolume(request, context) {
      const violations = [...checkText(request)];
      if (violations.length > 0) throw invalid(violations);
      const volume = await find(request.id, context);
      const changes = changesOf(request);
      if (Object.keys(changes).length === 0) return volumeView(volume);
      const within = callContext(context);
      const { cinder } = await tenancy.clientsFor(projectOf(volume), within);
      await cinder.updateVolume(volume.id, changes, within);
      return volumeView(await find(volume.id, context));
    },

    async extendVolume({ id, sizeGib }, context) {
      const volume = await find(id, context);
      if (sizeGib < volume.size) {
        const message = `must be at least the ${volume.size} GiB that it has: volumes do not shrink`;
        throw invalid([{ field: 'size_gib', message }]);
      }
      if (sizeGib === volume.size) return volumeView(volume);
      const isAttached = volume.status === 'in-use';
      if (!isAttached && volume.status !== 'available') {
        throw volumeBusy(volume, 'only an available one, or one in use, can grow: wait until it is');
      }
      const within = callContext(context);
      const { cinder } = await tenancy.clientsFor(projectOf(volume), within);
      const extend = isAttached ? cinder.extendAttachedVolume : cinder.extendVolume;
      await extend(id, sizeGib, within).catch((error: unknown) => {
        throw isTooOld(error)
          ? volumeBusy(volume, 'this cloud cannot grow it in a server: detach it first')
          : error;
      });
      return volumeView(await find(id, context));
    },
  };
}

export function volumeFinder({ cloud, tenancy }: Pick<Deps, 'cloud' | 'tenancy'>): Finder<CinderVolume> {
  const { cinder } = cloud.project('home');
  return (id, context) =>
    findReachable(tenancy, context, {
      what: 'volume',
      id,
      find: () => cinder.getVolume(id, callContext(context)),
      owned: (volume) => ({ projectId: projectOf(volume), ownerMark: ownerMarkOf(volume) }),
    });
}

function isTooOld(error: unknown): boolean {
  return error instanceof Failure && error.reason === 'MICROVERSION_UNSUPPORTED';
}

/** Cinder's limits of what people write. */
export function* checkText(request: {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
}): Generator<FieldViolation> {
  for (const field of ['name', 'description'] as const) {
    if ((request[field]?.length ?? 0) > 255) yield { field, message: 'must have at most 255 characters' };
  }
}

/** What a request sets of a name and a description. */
export function changesOf({
  name,
  description,
}: {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
}) {
  return { ...(name === undefined ? {} : { name }), ...(description === undefined ? {} : { description }) };
}

// Absent only in answers to creation, where the project is known anyway.
export function projectOf(volume: CinderVolume): string {
  return volume['os-vol-tenant-attr:tenant_id'] ?? '';
}

export function volumeBusy({ name, id, status }: CinderVolume, advice: string): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'VOLUME_BUSY',
    message: `Volume "${name || id}" is ${status}: ${advice}`,
    metadata: { volume_id: id, status },
    retryable: true,
  });
}

export function volumeView(volume: CinderVolume): Volume {
  return Volume.fromPartial({
    id: volume.id,
    name: volume.name ?? '',
    sizeGib: volume.size,
    status: volume.status,
    projectId: projectOf(volume),
    attachments: volume.attachments.map(attachmentView),
    bootable: volume.bootable === 'true',
    volumeType: volume.volume_type ?? '',
    availabilityZone: volume.availability_zone,
    createdAt: utc(volume.created_at),
    description: volume.description ?? '',
    sliceId: sliceOf({ metadata: volume.metadata }),
    snapshotId: volume.snapshot_id ?? '',
  });
}

export function attachmentView(one: {
  readonly server_id: string;
  readonly device: string | null;
}): VolumeAttachment {
  return { instanceId: one.server_id, device: one.device ?? '' };
}
