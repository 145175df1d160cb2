// The volumes that a new server starts with.

import { createVolume } from '../cinder/volume-life.ts';
import type { Cloud } from '../cloud.ts';
import { type Call, isObject } from '../http.ts';
import { pythonText } from '../ids.ts';
import { badRequest, invalidField } from './faults.ts';
import type { VolumeAttachment } from './rows.ts';
import { newAttachmentIds } from './server-life.ts';

const DESTINATIONS: readonly unknown[] = ['local', 'volume', undefined, null];

/** One maker per volume that the server starts with; a maker makes the volume if there is none yet. */
export function volumesOf(cloud: Cloud, { caller }: Call, value: unknown): (() => VolumeAttachment)[] {
  if (!Array.isArray(value)) return [];
  const makers: (() => VolumeAttachment)[] = [];
  for (const [index, entry] of value.entries()) {
    if (!isObject(entry)) throw invalidField('block_device_mapping_v2', value, 'it is not of type object');
    const { source_type: source, destination_type: destination, uuid } = entry;
    if (!DESTINATIONS.includes(destination)) {
      const text = `${pythonText(destination)} is not one of ['local', 'volume']`;
      throw invalidField('destination_type', destination, text);
    }
    if (source === 'image' && destination === 'local') continue;
    const device = `/dev/sd${String.fromCharCode(97 + index)}`;
    const attachment = (volumeId: string): VolumeAttachment => ({
      volume_id: volumeId,
      device,
      ...newAttachmentIds(),
      delete_on_termination: entry.delete_on_termination === true,
      tag: typeof entry.tag === 'string' ? entry.tag : null,
      is_boot: Number(entry.boot_index) === 0,
    });
    if (source === 'volume') {
      const volume = cloud.volumes.get(String(uuid));
      if (!volume || volume.project_id !== caller.projectId) {
        throw badRequest(`Block Device Mapping is Invalid: failed to get volume ${String(uuid)}.`);
      }
      if (volume.status !== 'available') {
        throw badRequest(
          `Invalid volume: volume '${volume.id}' status must be 'available'. Currently in '${volume.status}'`,
        );
      }
      if (Number(entry.boot_index) === 0 && !volume.bootable) {
        throw badRequest(`Block Device ${volume.id} is not bootable.`);
      }
      makers.push(() => {
        cloud.volumes.update(volume.id, { status: 'attaching' });
        return attachment(volume.id);
      });
    } else {
      const size = Number(entry.volume_size ?? 0);
      if (!Number.isInteger(size) || size < 1) {
        throw badRequest(
          source === 'image'
            ? "Images with destination_type 'volume' need to have a non-zero size specified"
            : 'Block Device Mapping is Invalid: volume_size must be given.',
        );
      }
      if (source === 'image' && !cloud.images.get(String(uuid))) {
        throw badRequest(`Block Device Mapping is Invalid: failed to get image ${String(uuid)}.`);
      }
      makers.push(() => {
        const image = source === 'image' ? String(uuid) : undefined;
        const volume = createVolume(cloud, { caller, size, imageId: image, status: 'attaching' });
        return attachment(volume.id);
      });
    }
  }
  return makers;
}
