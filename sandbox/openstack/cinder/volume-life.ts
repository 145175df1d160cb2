// What happens to a volume by itself, and what Nova does to volumes.

import { randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { nowMicros } from '../ids.ts';
import { reserveStorage } from './quotas.ts';
import type { VolumeRow } from './rows.ts';

const SHARE = 0.3;

export function volumeDelayMs(cloud: Cloud): number {
  return cloud.buildDelayMs * SHARE;
}

export function registerVolumeTasks(cloud: Cloud): void {
  cloud.tasks.on('volume state', (id, { from = '', to = 'available', size }) => {
    if (cloud.volumes.get(id)?.status !== from) return;
    cloud.volumes.update(id, {
      status: to,
      updated_at: nowMicros(),
      ...(size === undefined ? {} : { size: Number(size) }),
    });
  });
  cloud.tasks.on('volume delete', (id) => void cloud.volumes.remove(id));
  cloud.tasks.on('snapshot state', (id, { to = 'available' }) => {
    cloud.snapshots.update(id, { status: to, updated_at: nowMicros() });
  });
  cloud.tasks.on('snapshot delete', (id) => void cloud.snapshots.remove(id));
}

export type NewVolume = {
  readonly caller: Caller;
  readonly size: number;
  readonly name?: string | null;
  readonly description?: string | null;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly imageId?: string | undefined;
  readonly snapshotId?: string | null;
  readonly sourceId?: string | null;
  readonly isMultiattach?: boolean;
  readonly isBootable?: boolean;
  /** 'creating' unless Nova makes it for a server. */
  readonly status?: string;
};

/** Makes a volume within its project's quota; a 'creating' one becomes available after a while. */
export function createVolume(cloud: Cloud, wish: NewVolume): VolumeRow {
  const { projectId, userId } = wish.caller;
  reserveStorage(cloud, projectId, 'volumes', wish.size);
  const image = cloud.images.get(wish.imageId);
  const status = wish.status ?? 'creating';
  const row = cloud.volumes.put({
    id: randomUUID(),
    project_id: projectId,
    user_id: userId,
    name: wish.name ?? null,
    description: wish.description ?? null,
    size: wish.size,
    status,
    availability_zone: 'nova',
    metadata: wish.metadata ?? {},
    bootable: image !== undefined || wish.isBootable === true,
    multiattach: wish.isMultiattach === true,
    snapshot_id: wish.snapshotId ?? null,
    source_volid: wish.sourceId ?? null,
    image_metadata: image
      ? {
          signature_verified: 'False',
          ...(image.properties as Record<string, string>),
          image_id: image.id,
          image_name: image.name ?? '',
          checksum: image.checksum ?? '',
          container_format: image.container_format ?? '',
          disk_format: image.disk_format ?? '',
          min_disk: String(image.min_disk),
          min_ram: String(image.min_ram),
          size: String(image.size),
        }
      : null,
    attachments: [],
    created_at: nowMicros(),
    updated_at: null,
  });
  if (status === 'creating') {
    cloud.tasks.after(volumeDelayMs(cloud), 'volume state', row.id, { from: 'creating', to: 'available' });
  }
  return row;
}

export function markAttached(
  cloud: Cloud,
  volumeId: string,
  serverId: string,
  device: string,
  attachmentId: string,
): void {
  const row = cloud.volumes.get(volumeId);
  if (!row) return;
  const attachment = { attachment_id: attachmentId, server_id: serverId, device, attached_at: nowMicros() };
  const others = row.attachments.filter((entry) => entry.server_id !== serverId);
  cloud.volumes.update(volumeId, {
    status: 'in-use',
    attachments: [...others, attachment],
    updated_at: nowMicros(),
  });
}

/** Ends a server's hold on a volume, and the volume with it if the server had it so. */
export function detachVolume(cloud: Cloud, volumeId: string, serverId: string, isDeleted: boolean): void {
  const row = cloud.volumes.get(volumeId);
  if (!row) return;
  if (isDeleted) {
    cloud.volumes.remove(volumeId);
    return;
  }
  const rest = row.attachments.filter((entry) => entry.server_id !== serverId);
  const status = rest.length === 0 ? 'available' : 'in-use';
  cloud.volumes.update(volumeId, { attachments: rest, status, updated_at: nowMicros() });
}
