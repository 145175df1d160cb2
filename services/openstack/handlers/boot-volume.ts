// What a new server boots from when that is a volume: a new one that Nova makes and fills with the image, or one that exists.

import type { FieldViolation } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import type { CreateInstanceRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { CinderVolume } from '../api/cinder.ts';
import { absentIsNone } from '../api/errors.ts';
import type { NovaFlavor } from '../api/nova-flavors.ts';
import type { BootDevice } from '../api/nova-servers.ts';
import type { BootImage } from '../catalog.ts';
import { resolve, unknownName } from '../names.ts';
import type { Place } from '../tenancy.ts';
import { callContext, type Deps } from './deps.ts';
import { projectOf, volumeFinder } from './storage-volumes.ts';

type Wish = {
  readonly request: CreateInstanceRequest;
  readonly place: Place | undefined;
  readonly image: BootImage | undefined;
  readonly flavor: NovaFlavor | undefined;
};
type Answer = { readonly device: BootDevice | undefined; readonly violations: readonly FieldViolation[] };

const GIB = 1024 ** 3;

/** The device, or every mistake in the request's `boot_volume`; neither if it has none. */
export async function readBootVolume(deps: Deps, wish: Wish, context: Context): Promise<Answer> {
  const { bootVolume } = wish.request;
  if (!bootVolume) return { device: undefined, violations: [] };
  return await (bootVolume.volumeId === '' ? newVolume(deps, wish, context) : oldVolume(deps, wish, context));
}

async function newVolume({ cloud, config }: Deps, wish: Wish, context: Context): Promise<Answer> {
  const { request, image, flavor } = wish;
  const { sizeGib = 0, volumeType = '', deleteOnTermination = true } = request.bootVolume ?? {};
  const violations: FieldViolation[] = [];
  const least = image ? Math.max(1, image.min_disk, Math.ceil((image.size ?? 0) / GIB)) : 1;
  const size = sizeGib === 0 ? Math.max(least, flavor?.disk ?? 0) : sizeGib;
  if (size < least) {
    const message = image ? `image "${image.name}" needs ${least} GiB` : 'must be at least 1';
    violations.push({ field: 'boot_volume.size_gib', message });
  }
  const types =
    volumeType === '' ? [] : await cloud.project('home').cinder.listVolumeTypes(callContext(context));
  const type = resolve(volumeType, types, {});
  if (volumeType !== '' && !type) {
    const message = unknownName('volume type', volumeType, types, {});
    violations.push({ field: 'boot_volume.volume_type', message });
  }
  // Nova makes the volume and marks it with nothing: where all share a project, nobody could reach it any more.
  if (!deleteOnTermination && config.tenancy === 'shared') {
    const message = 'must be true here: make a volume first, and boot from that one if it is to stay';
    violations.push({ field: 'boot_volume.delete_on_termination', message });
  }
  if (violations.length > 0 || !image) return { device: undefined, violations };
  const device: BootDevice = {
    boot_index: 0,
    source_type: 'image',
    destination_type: 'volume',
    uuid: image.id,
    volume_size: size,
    delete_on_termination: deleteOnTermination,
    ...(type ? { volume_type: type.name } : {}),
  };
  return { device, violations };
}

async function oldVolume(deps: Deps, { request, place }: Wish, context: Context): Promise<Answer> {
  const { volumeId = '', deleteOnTermination = false, sizeGib, volumeType } = request.bootVolume ?? {};
  const violations: FieldViolation[] = [];
  if (request.imageId !== '') {
    violations.push({ field: 'image_id', message: 'must be empty: the volume has what is to be booted' });
  }
  if (sizeGib || volumeType) {
    const message = 'has a size and a type already: leave them out';
    violations.push({ field: 'boot_volume.volume_id', message });
  }
  const volume = await volumeFinder(deps)(volumeId, context).catch(absentIsNone);
  const mistake = volume ? mistakeOf(volume, place) : `volume "${volumeId}" does not exist`;
  if (mistake !== undefined) violations.push({ field: 'boot_volume.volume_id', message: mistake });
  if (violations.length > 0) return { device: undefined, violations };
  const device: BootDevice = {
    boot_index: 0,
    source_type: 'volume',
    destination_type: 'volume',
    uuid: volumeId,
    delete_on_termination: deleteOnTermination,
  };
  return { device, violations };
}

function mistakeOf(volume: CinderVolume, place: Place | undefined): string | undefined {
  const name = `volume "${volume.name || volume.id}"`;
  if (projectOf(volume) !== place?.projectId) return `${name} lies in another project than the server is to`;
  if (volume.bootable !== 'true') return `${name} cannot be booted: make one from an image`;
  if (volume.status !== 'available') return `${name} is ${volume.status}, and must be available`;
  return undefined;
}
