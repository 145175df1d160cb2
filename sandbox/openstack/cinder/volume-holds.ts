// Actions by which someone holds a volume (as Nova does), and those that answer something: image metadata, upload.

import { randomUUID } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import type { Call, Json, Reply } from '../http.ts';
import { nowMicros, nowSeconds } from '../ids.ts';
import { badRequest, invalidField, metadataOf, notFound } from '../nova/faults.ts';
import type { VolumeRow } from './rows.ts';
import { defaultType } from './types.ts';
import { detachVolume, markAttached, volumeDelayMs } from './volume-life.ts';

export type AnsweringAction = (cloud: Cloud, row: VolumeRow, call: Call, argument: Json) => Reply;

const VISIBILITIES = ['private', 'public', 'shared', 'community'] as const;
const done: Reply = { status: 202 };

export const HOLDS: Readonly<Record<string, AnsweringAction>> = {
  'os-reserve': (cloud, row) => {
    if (row.status !== 'available') {
      const text = `Volume status must be available to reserve, but the status is ${row.status}.`;
      throw badRequest(`Invalid volume: ${text}`);
    }
    return become(cloud, row, 'attaching');
  },
  'os-unreserve': (cloud, row) =>
    row.status === 'attaching'
      ? become(cloud, row, row.attachments.length > 0 ? 'in-use' : 'available')
      : done,
  'os-begin_detaching': (cloud, row) => {
    if (row.status !== 'in-use' || row.attachments.length === 0) {
      throw badRequest(
        "Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.",
      );
    }
    return become(cloud, row, 'detaching');
  },
  'os-roll_detaching': (cloud, row) => (row.status === 'detaching' ? become(cloud, row, 'in-use') : done),
  'os-attach': (cloud, row, _call, { instance_uuid: server, mountpoint, mode }) => {
    if (mountpoint === undefined) throw invalidField('os-attach', {}, "'mountpoint' is a required property");
    const isReadOnly = row.metadata.readonly === 'True';
    if (isReadOnly && mode !== 'ro') {
      throw badRequest(`Invalid attaching mode 'rw' for volume ${row.id}.`);
    }
    if (!['available', 'attaching'].includes(row.status)) {
      throw badRequest(`Invalid volume: volume '${row.id}' status must be available or attaching.`);
    }
    markAttached(cloud, row.id, String(server ?? ''), String(mountpoint ?? ''), randomUUID());
    return done;
  },
  'os-detach': (cloud, row, _call, { attachment_id: id }) => {
    const held = row.attachments.find((entry) => id == null || entry.attachment_id === id);
    detachVolume(cloud, row.id, held?.server_id ?? '', false);
    return done;
  },
  'os-update_readonly_flag': (cloud, row, _call, { readonly }) => {
    const isReadOnly = /^(true|1)$/i.test(String(readonly));
    const metadata = { ...row.metadata, readonly: isReadOnly ? 'True' : 'False' };
    cloud.volumes.update(row.id, { metadata, updated_at: nowMicros() });
    return done;
  },
  'os-set_image_metadata': (cloud, row, _call, { metadata }) => {
    const image_metadata = { ...row.image_metadata, ...metadataOf(metadata, 'metadata') };
    cloud.volumes.update(row.id, { image_metadata });
    return { status: 200, body: { metadata: image_metadata } };
  },
  'os-show_image_metadata': (_cloud, row) => ({ status: 200, body: { metadata: row.image_metadata ?? {} } }),
  'os-unset_image_metadata': (cloud, row, _call, { key }) => {
    const { [String(key)]: value, ...rest } = row.image_metadata ?? {};
    if (value === undefined)
      throw notFound(`Volume ${row.id} has no image metadata with key ${String(key)}.`);
    cloud.volumes.update(row.id, { image_metadata: rest });
    return { status: 200 };
  },
  'os-volume_upload_image': (cloud, row, call, argument) => upload(cloud, row, call, argument),
};

function become(cloud: Cloud, row: VolumeRow, status: string): Reply {
  cloud.volumes.update(row.id, { status, updated_at: nowMicros() });
  return done;
}

/** An image of a volume; its bytes are made up. */
function upload(cloud: Cloud, row: VolumeRow, { minor }: Call, argument: Json): Reply {
  if (row.status !== 'available' && !(row.status === 'in-use' && argument.force === true)) {
    throw badRequest(
      `Invalid volume: Volume ${row.id} status must be '{'status': 'available'}', currently ${row.status}.`,
    );
  }
  const text = (value: unknown, fallback: string) => (typeof value === 'string' ? value : fallback);
  const now = nowSeconds();
  const image = cloud.images.put({
    id: randomUUID(),
    name: text(argument.image_name, ''),
    status: 'queued',
    visibility: VISIBILITIES.find((name) => name === argument.visibility) ?? 'shared',
    owner: row.project_id,
    disk_format: text(argument.disk_format, 'raw'),
    container_format: text(argument.container_format, 'bare'),
    size: null,
    virtual_size: null,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    protected: argument.protected === true,
    os_hidden: false,
    min_ram: 0,
    min_disk: 0,
    created_at: now,
    updated_at: now,
    tags: [],
    properties: {},
  });
  cloud.volumes.update(row.id, { status: 'uploading', updated_at: nowMicros() });
  const delay = volumeDelayMs(cloud);
  cloud.tasks.after(delay, 'volume state', row.id, { from: 'uploading', to: row.status });
  cloud.tasks.after(delay, 'server snapshot', row.id, { image: image.id });
  const answer = {
    id: row.id,
    updated_at: row.updated_at,
    status: 'uploading',
    display_description: row.description,
    size: row.size,
    volume_type: defaultType(),
    image_id: image.id,
    container_format: image.container_format,
    disk_format: image.disk_format,
    image_name: image.name,
    ...(minor >= 1 ? { protected: image.protected, visibility: image.visibility } : {}),
  };
  return { status: 202, body: { 'os-volume_upload_image': answer } };
}
