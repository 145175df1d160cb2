// Glance images of a server's disk: those of the createImage action, backups, and what is kept while it is shelved.

import { createHash, randomUUID } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import type { ImageRow } from '../glance/rows.ts';
import type { Call, Json, Reply } from '../http.ts';
import { nowSeconds } from '../ids.ts';
import { invalidField, metadataOf } from './faults.ts';
import type { ServerRow } from './rows.ts';

const SNAPSHOT_BYTES = 4096;

export function registerSnapshotTasks(cloud: Cloud): void {
  cloud.tasks.on('server snapshot', (serverId, { image = '' }) => {
    const digest = (name: string) => createHash(name).update(image).digest('hex');
    cloud.images.update(image, {
      status: 'active',
      size: SNAPSHOT_BYTES,
      virtual_size: SNAPSHOT_BYTES,
      checksum: digest('md5'),
      os_hash_algo: 'sha512',
      os_hash_value: digest('sha512'),
      updated_at: nowSeconds(),
    });
    const row = cloud.servers.get(serverId);
    if (row?.task_state === 'image_snapshot') cloud.servers.update(serverId, { task_state: null });
  });
}

/** A snapshot that is a backup: of one type, no more than `rotation` of them. */
export function backUpServer(cloud: Cloud, row: ServerRow, call: Call, argument: Json): Reply {
  const { backup_type: type, rotation } = argument;
  if (typeof type !== 'string')
    throw invalidField('createBackup', argument, "'backup_type' is a required property");
  const kept = Number(rotation);
  if (!Number.isInteger(kept) || kept < 0) {
    throw invalidField('rotation', rotation, `${String(rotation)} is less than the minimum of 0`);
  }
  const backup = { image_type: 'backup', backup_type: type };
  const reply = snapshotServer(cloud, row, call, argument, backup);
  const backups = cloud.images.all().filter(({ properties }) => {
    return properties.instance_uuid === row.id && properties.backup_type === type;
  });
  for (const image of backups.slice(0, Math.max(0, backups.length - kept))) cloud.images.remove(image.id);
  return reply;
}

export function snapshotServer(
  cloud: Cloud,
  row: ServerRow,
  call: Call,
  argument: Json,
  more: Readonly<Record<string, string>> = {},
): Reply {
  const { name, metadata = {} } = argument;
  if (typeof name !== 'string' || name === '')
    throw invalidField('createImage', argument, "'name' is a required property");
  const image = imageOf(cloud, row, call, name, { ...more, ...metadataOf(metadata, 'metadata') });
  cloud.servers.update(row.id, { task_state: 'image_snapshot' });
  const location = `${cloud.url}/image/v2/images/${image.id}`;
  return call.minor >= 45
    ? { status: 202, body: { image_id: image.id } }
    : { status: 202, headers: { location } };
}

const shelvedName = (row: ServerRow) => `${row.name}-shelved`;

/** What a shelved server comes back from; one that boots from a volume needs none. */
export function keepShelved(cloud: Cloud, row: ServerRow, call: Call): void {
  if (row.image_id !== '') imageOf(cloud, row, call, shelvedName(row));
}

export function forgetShelved(cloud: Cloud, row: ServerRow): void {
  const shelved = cloud.images.all().filter(({ name, properties }) => {
    return name === shelvedName(row) && properties.instance_uuid === row.id;
  });
  for (const image of shelved) cloud.images.remove(image.id);
}

function imageOf(
  cloud: Cloud,
  row: ServerRow,
  call: Call,
  name: string,
  more: Readonly<Record<string, string>> = {},
): ImageRow {
  const now = nowSeconds();
  const image = cloud.images.put({
    id: randomUUID(),
    name,
    status: 'queued',
    visibility: 'private',
    owner: row.project_id,
    disk_format: 'raw',
    container_format: 'bare',
    size: null,
    virtual_size: null,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    protected: false,
    os_hidden: false,
    min_ram: 0,
    min_disk: row.flavor.disk,
    created_at: now,
    updated_at: now,
    tags: [],
    properties: {
      ...cloud.images.get(row.image_id)?.properties,
      owner_user_name: cloud.users.get(row.user_id)?.name ?? '',
      owner_project_name: cloud.projects.get(row.project_id)?.name ?? '',
      boot_roles: call.caller.roles.map(({ name }) => name).join(','),
      base_image_ref: row.image_id,
      instance_uuid: row.id,
      user_id: row.user_id,
      image_type: 'snapshot',
      ...more,
    },
  });
  cloud.tasks.after(cloud.buildDelayMs * 0.4, 'server snapshot', row.id, { image: image.id });
  return image;
}
