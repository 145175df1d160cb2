// Volumes: list, create, show, change, delete, metadata.

import type { Cloud } from '../cloud.ts';
import { accepted, type Call, ok, type Reply, type Route, route } from '../http.ts';
import { nowMicros, pythonText } from '../ids.ts';
import { badRequest, invalidField, metadataOf, notFound, objectOf } from '../nova/faults.ts';
import type { VolumeRow } from './rows.ts';
import { startSnapshotDelete } from './snapshots.ts';
import { TYPE_ID, TYPE_NAME } from './types.ts';
import { createVolume, volumeDelayMs } from './volume-life.ts';
import { listVolumes } from './volume-list.ts';
import { briefVolume, showVolume } from './volume-view.ts';

const DELETABLE =
  'Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.';

export function volumeRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/volumes', (call) => listVolumes(cloud, call, (row) => briefVolume(cloud, row, call))),
    route('GET', '/volumes/detail', (call) =>
      listVolumes(cloud, call, (row) => showVolume(cloud, row, call, false)),
    ),
    route('POST', '/volumes', (call) => create(cloud, call)),
    route('GET', '/volumes/summary', (call) => summary(cloud, call)),
    route('GET', '/volumes/{id}', (call) =>
      ok({ volume: showVolume(cloud, mustVolume(cloud, call), call, true) }),
    ),
    route('PUT', '/volumes/{id}', (call) => {
      const row = mustVolume(cloud, call);
      const allowed = ['name', 'description', 'metadata', 'display_name', 'display_description'];
      const input = objectOf(call.body, 'volume', { allowed });
      const name = input.name ?? input.display_name;
      const description = input.description ?? input.display_description;
      const changed = cloud.volumes.update(row.id, {
        ...(name === undefined ? {} : { name: name as string | null }),
        ...(description === undefined ? {} : { description: description as string | null }),
        ...(input.metadata === undefined ? {} : { metadata: metadataOf(input.metadata, 'metadata') }),
      });
      const {
        'os-vol-tenant-attr:tenant_id': _,
        volume_image_metadata: __,
        ...shown
      } = showVolume(cloud, changed ?? row, call, true);
      return ok({ volume: shown });
    }),
    route('DELETE', '/volumes/{id}', (call) => {
      const row = mustVolume(cloud, call);
      const isCascade = /^(true|1)$/i.test(call.query.get('cascade') ?? '');
      const hasSnapshots = !isCascade && cloud.snapshots.count('volume_id', row.id) > 0;
      if (hasSnapshots || !['available', 'error'].includes(row.status) || row.attachments.length > 0) {
        throw badRequest(`Invalid volume: ${DELETABLE}`);
      }
      for (const snapshot of cloud.snapshots.by('volume_id', row.id)) startSnapshotDelete(cloud, snapshot);
      startDelete(cloud, row);
      return accepted();
    }),
  ];
}

export function startDelete(cloud: Cloud, row: VolumeRow): void {
  cloud.tasks.cancel(row.id);
  cloud.volumes.update(row.id, { status: 'deleting', updated_at: nowMicros() });
  cloud.tasks.after(volumeDelayMs(cloud), 'volume delete', row.id);
}

export function mustVolume(cloud: Cloud, { params, caller }: Call): VolumeRow {
  const row = cloud.volumes.get(params.id);
  if (row && (caller.isAdmin || row.project_id === caller.projectId)) return row;
  throw notFound(`Volume ${params.id} could not be found.`);
}

function summary(cloud: Cloud, { caller, minor, query }: Call): Reply {
  if (minor < 12) throw notFound('Volume summary could not be found.');
  const isAll = caller.isAdmin && /^(true|1)$/i.test(query.get('all_tenants') ?? '');
  const rows = isAll ? cloud.volumes.all() : cloud.volumes.by('project_id', caller.projectId);
  const metadata: Record<string, string[]> = {};
  for (const row of rows) {
    for (const [key, value] of Object.entries(row.metadata)) {
      metadata[key] = [...new Set([...(metadata[key] ?? []), value])];
    }
  }
  const total = { total_count: rows.length, total_size: rows.reduce((sum, { size }) => sum + size, 0) };
  return ok({ 'volume-summary': { ...total, ...(minor >= 36 ? { metadata } : {}) } });
}

function create(cloud: Cloud, call: Call): Reply {
  // Cinder ignores what it does not know.
  const input = objectOf(call.body, 'volume', { allowed: Object.keys(Object(call.body.volume)) });
  for (const name of ['name', 'description']) {
    const text = input[name];
    if (text !== undefined && text !== null && typeof text !== 'string')
      throw invalidField(name, text, `${pythonText(text)} is not of type 'string', 'null'`);
  }
  const snapshot = input.snapshot_id == null ? undefined : cloud.snapshots.get(String(input.snapshot_id));
  if (input.snapshot_id != null && !snapshot)
    throw notFound(`Snapshot ${String(input.snapshot_id)} could not be found.`);
  const source = input.source_volid == null ? undefined : cloud.volumes.get(String(input.source_volid));
  if (input.source_volid != null && !source)
    throw notFound(`Volume ${String(input.source_volid)} could not be found.`);
  const size = sizeOf(input.size, snapshot?.size ?? source?.size);
  const type = input.volume_type;
  if (type != null && type !== TYPE_NAME && type !== TYPE_ID) {
    throw notFound(`Volume type with name ${String(type)} could not be found.`);
  }
  if (input.availability_zone != null && input.availability_zone !== 'nova') {
    throw badRequest(`Availability zone '${String(input.availability_zone)}' is invalid.`);
  }
  const imageId = input.imageRef ?? input.image_id;
  const image = imageId == null ? undefined : cloud.images.get(String(imageId));
  if (imageId != null && !image)
    throw badRequest('Invalid image identifier or unable to access requested image.');
  if (image && image.status !== 'active') {
    throw badRequest(`Invalid input received: Image ${image.id} is not active.`);
  }
  if (image && image.min_disk > size) {
    throw badRequest(
      `Invalid input received: Volume size ${size}GB cannot be smaller than the image minDisk size ${image.min_disk}GB.`,
    );
  }
  for (const field of ['name', 'description']) {
    const text = input[field];
    if (typeof text === 'string' && text.length > 255) {
      throw badRequest(`Invalid input received: ${field} has ${text.length} characters, more than 255.`);
    }
  }
  const row = createVolume(cloud, {
    caller: call.caller,
    size,
    name: (input.name ?? input.display_name) as string | null | undefined,
    description: (input.description ?? input.display_description) as string | null | undefined,
    metadata: metadataOf(input.metadata ?? {}, 'metadata'),
    imageId: image?.id,
    snapshotId: snapshot?.id ?? null,
    sourceId: source?.id ?? null,
    isMultiattach: input.multiattach === true,
    isBootable: source?.bootable === true,
  });
  return accepted({ volume: showVolume(cloud, row, call, true, true) });
}

function sizeOf(value: unknown, fallback: number | undefined): number {
  if (value === undefined || value === null) {
    if (fallback !== undefined) return fallback;
    throw badRequest(
      'The server could not comply with the request since it is either malformed or otherwise incorrect.',
    );
  }
  if (typeof value === 'string' && !/^[0-9]+$/.test(value)) {
    throw invalidField('size', value, `${pythonText(value)} does not match '^[0-9]+$'`);
  }
  const size = Number(value);
  if (!Number.isInteger(size))
    throw invalidField('size', value, `${pythonText(value)} is not of type 'integer', 'string'`);
  if (size < 1) throw invalidField('size', value, `${pythonText(value)} is less than the minimum of 1`);
  if (fallback !== undefined && size < fallback) {
    throw badRequest(
      `Invalid input received: Volume size '${size}'GB cannot be smaller than original volume size  ${fallback}GB. They must be >= original volume size.`,
    );
  }
  return size;
}
