// Volumes: list, create, show, change, delete, metadata.

import type { Cloud } from '../cloud.ts';
import { accepted, type Call, type Json, ok, type Reply, type Route, route } from '../http.ts';
import { nowMicros, pythonText } from '../ids.ts';
import { compare } from '../neutron/lists.ts';
import { badRequest, invalidField, metadataOf, notFound, objectOf } from '../nova/faults.ts';
import { pageOf } from '../nova/pages.ts';
import type { VolumeRow } from './rows.ts';
import { SERVICE_ID, TYPE_ID, TYPE_NAME } from './types.ts';
import { createVolume, volumeDelayMs } from './volume-life.ts';

const ALLOWED = [
  ...[
    'size',
    'name',
    'description',
    'metadata',
    'availability_zone',
    'volume_type',
    'imageRef',
    'image_id',
    'snapshot_id',
  ],
  ...[
    'source_volid',
    'consistencygroup_id',
    'group_id',
    'backup_id',
    'multiattach',
    'display_name',
    'display_description',
  ],
  ...['OS-SCH-HNT:scheduler_hints', 'imageref'],
];
const FILTERS = [
  'name',
  'status',
  'metadata',
  'bootable',
  'availability_zone',
  'id',
  'project_id',
  'host',
  'group_id',
  'user_id',
];
const CONTROLS = [
  'limit',
  'marker',
  'offset',
  'sort',
  'sort_key',
  'sort_dir',
  'all_tenants',
  'with_count',
  'glance_metadata',
];
const PAGE_FAULTS = {
  marker: (id: string) => notFound(`Volume ${id} could not be found.`),
  limit: () => badRequest('limit param must be positive'),
};
export const DELETABLE =
  'Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.';

export function volumeRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/volumes', (call) => list(cloud, call, (row) => brief(cloud, row, call))),
    route('GET', '/volumes/detail', (call) =>
      list(cloud, call, (row) => showVolume(cloud, row, call, false)),
    ),
    route('POST', '/volumes', (call) => create(cloud, call)),
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
      return ok({ volume: showVolume(cloud, changed ?? row, call, true) });
    }),
    route('DELETE', '/volumes/{id}', (call) => {
      const row = mustVolume(cloud, call);
      const hasSnapshots = cloud.snapshots.count('volume_id', row.id) > 0;
      if (hasSnapshots || !['available', 'error'].includes(row.status) || row.attachments.length > 0) {
        throw badRequest(`Invalid volume: ${DELETABLE}`);
      }
      startDelete(cloud, row);
      return accepted();
    }),
    ...metadataRoutes(cloud),
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

function linksOf(cloud: Cloud, row: VolumeRow, { caller }: Call) {
  return [
    { rel: 'self', href: `${cloud.url}/volume/v3/${caller.projectId}/volumes/${row.id}` },
    { rel: 'bookmark', href: `${cloud.url}/volume/${caller.projectId}/volumes/${row.id}` },
  ];
}

function brief(cloud: Cloud, row: VolumeRow, call: Call): Json {
  return { id: row.id, name: row.name, links: linksOf(cloud, row, call) };
}

/** `isWhole` adds what only the show call has for admins; a create's reply leaves out the ownership fields. */
function showVolume(cloud: Cloud, row: VolumeRow, call: Call, isWhole: boolean, isNew = false): Json {
  const { caller, minor } = call;
  const isAdmin = caller.isAdmin && !isNew;
  return {
    id: row.id,
    status: row.status,
    size: row.size,
    availability_zone: row.availability_zone,
    created_at: row.created_at,
    updated_at: row.updated_at,
    name: row.name,
    description: row.description,
    volume_type: TYPE_NAME,
    snapshot_id: row.snapshot_id,
    source_volid: row.source_volid,
    metadata: row.metadata,
    links: linksOf(cloud, row, call),
    user_id: row.user_id,
    bootable: String(row.bootable),
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: row.multiattach,
    attachments: row.attachments.map((entry) => ({
      id: row.id,
      attachment_id: entry.attachment_id,
      volume_id: row.id,
      server_id: entry.server_id,
      host_name: caller.isAdmin ? (cloud.servers.get(entry.server_id)?.host ?? null) : null,
      device: entry.device,
      attached_at: entry.attached_at,
    })),
    ...(isAdmin ? { migration_status: null } : {}),
    ...(minor >= 13 ? { group_id: null } : {}),
    ...(isAdmin && minor >= 21 ? { provider_id: null } : {}),
    ...(minor >= 48 ? { shared_targets: isNew, service_uuid: isNew ? null : SERVICE_ID } : {}),
    ...(isAdmin && minor >= 61 ? { cluster_name: null } : {}),
    ...(minor >= 63 ? { volume_type_id: TYPE_ID } : {}),
    ...(minor >= 65 ? { consumes_quota: true } : {}),
    ...(isNew ? {} : { 'os-vol-tenant-attr:tenant_id': row.project_id }),
    ...(isAdmin
      ? {
          'os-vol-mig-status-attr:migstat': null,
          'os-vol-mig-status-attr:name_id': null,
          'os-vol-host-attr:host': 'controller@local#local',
        }
      : {}),
    ...(row.image_metadata && !isNew && (isWhole || row.status !== 'creating')
      ? { volume_image_metadata: row.image_metadata }
      : {}),
  };
}

function list(cloud: Cloud, call: Call, render: (row: VolumeRow) => Json): Reply {
  const { query, caller } = call;
  const unknown = [...query.keys()].filter((name) => !FILTERS.includes(name) && !CONTROLS.includes(name));
  if (unknown.length > 0)
    throw badRequest(`Invalid filters ${unknown.join(', ')} are found in query options.`);
  const isAll = caller.isAdmin && /^(true|1)$/i.test(query.get('all_tenants') ?? '');
  const project = query.get('project_id');
  const rows = !isAll
    ? cloud.volumes.by('project_id', caller.projectId)
    : project === null
      ? cloud.volumes.all()
      : cloud.volumes.by('project_id', project);
  const found = rows.filter((row) => matches(row, query));
  sort(found, query);
  const base = `${cloud.url}/volume/v3`;
  const { page, links } = pageOf(found, { call, key: 'volumes', base, faults: PAGE_FAULTS });
  return ok({ volumes: page.map(render), ...links });
}

function matches(row: VolumeRow, query: URLSearchParams): boolean {
  const is = (name: string, actual: unknown) =>
    !query.has(name) || query.getAll(name).includes(String(actual));
  return (
    is('name', row.name) &&
    is('id', row.id) &&
    is('status', row.status) &&
    is('availability_zone', row.availability_zone) &&
    (!query.has('bootable') || /^(true|1)$/i.test(query.get('bootable') ?? '') === row.bootable) &&
    matchesMetadata(row, query.get('metadata'))
  );
}

/** metadata={'key': 'value'}, with Python's quotes or JSON's. */
function matchesMetadata(row: VolumeRow, text: string | null): boolean {
  if (text === null) return true;
  try {
    const wanted = JSON.parse(text.replaceAll("'", '"')) as Record<string, string>;
    return Object.entries(wanted).every(([key, value]) => row.metadata[key] === value);
  } catch {
    return false;
  }
}

const SORT_KEYS = [
  'id',
  'name',
  'size',
  'status',
  'created_at',
  'updated_at',
  'bootable',
  'availability_zone',
] as const;

/** Newest first without a sort key. */
function sort(rows: VolumeRow[], query: URLSearchParams): void {
  const text =
    query.get('sort') ??
    (query.has('sort_key') ? `${query.get('sort_key')}:${query.get('sort_dir') ?? 'desc'}` : '');
  const rules = text === '' ? [] : text.split(',').map((part) => part.split(':'));
  rows.reverse();
  for (const [key = ''] of rules) {
    if (!SORT_KEYS.some((name) => name === key)) throw badRequest('Invalid input received: Invalid sort key');
  }
  rows.sort((a, b) => {
    for (const [key = 'id', direction = 'desc'] of rules) {
      const order = compare(a[key as keyof VolumeRow], b[key as keyof VolumeRow]);
      if (order !== 0) return direction === 'asc' ? order : -order;
    }
    return 0;
  });
}

function create(cloud: Cloud, call: Call): Reply {
  const input = objectOf(call.body, 'volume', { allowed: ALLOWED });
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

function metadataRoutes(cloud: Cloud): Route[] {
  const path = '/volumes/{id}/metadata';
  const save = (row: VolumeRow, metadata: Readonly<Record<string, string>>) => {
    cloud.volumes.update(row.id, { metadata });
    return ok({ metadata });
  };
  return [
    route('GET', path, (call) => ok({ metadata: mustVolume(cloud, call).metadata })),
    route('POST', path, (call) => {
      const row = mustVolume(cloud, call);
      return save(row, { ...row.metadata, ...metadataOf(call.body.metadata, 'metadata') });
    }),
    route('PUT', path, (call) => save(mustVolume(cloud, call), metadataOf(call.body.metadata, 'metadata'))),
    route('DELETE', `${path}/{key}`, (call) => {
      const row = mustVolume(cloud, call);
      const { [call.params.key ?? '']: value, ...rest } = row.metadata;
      if (value === undefined)
        throw notFound(`Volume ${row.id} has no metadata with key ${call.params.key}.`);
      save(row, rest);
      return { status: 200 };
    }),
  ];
}
