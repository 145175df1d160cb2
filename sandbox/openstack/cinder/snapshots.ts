// Snapshots of volumes.

import { randomUUID } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import { accepted, type Call, type Json, ok, type Reply, type Route, route } from '../http.ts';
import { nowMicros } from '../ids.ts';
import { badRequest, invalidField, metadataOf, notFound, objectOf } from '../nova/faults.ts';
import { pageOf } from '../nova/pages.ts';
import { reserveStorage } from './quotas.ts';
import type { SnapshotRow } from './rows.ts';
import { volumeDelayMs } from './volume-life.ts';
import { inOrder } from './volume-list.ts';

export function snapshotRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/snapshots', (call) => list(cloud, call)),
    route('GET', '/snapshots/detail', (call) => list(cloud, call)),
    route('POST', '/snapshots', (call) => create(cloud, call)),
    route('GET', '/snapshots/{id}', (call) => ok({ snapshot: show(mustSnapshot(cloud, call), call, true) })),
    route('PUT', '/snapshots/{id}', (call) => ok({ snapshot: show(update(cloud, call), call, false) })),
    route('DELETE', '/snapshots/{id}', (call) => {
      const row = mustSnapshot(cloud, call);
      if (!['available', 'error'].includes(row.status)) {
        throw badRequest(
          'Invalid snapshot: Snapshot status must be available or error and must not be part of a group.',
        );
      }
      startSnapshotDelete(cloud, row);
      return accepted();
    }),
  ];
}

export function startSnapshotDelete(cloud: Cloud, row: SnapshotRow): void {
  cloud.tasks.cancel(row.id);
  cloud.snapshots.update(row.id, { status: 'deleting', updated_at: nowMicros() });
  cloud.tasks.after(volumeDelayMs(cloud), 'snapshot delete', row.id);
}

const PAGE_FAULTS = {
  marker: (id: string) => notFound(`Snapshot ${id} could not be found.`),
  limit: () => badRequest('limit param must be positive'),
};

function list(cloud: Cloud, call: Call): Reply {
  const { caller, query } = call;
  const isAll = caller.isAdmin && /^(true|1)$/i.test(query.get('all_tenants') ?? '');
  const project = query.get('project_id');
  const rows = !isAll
    ? cloud.snapshots.by('project_id', caller.projectId)
    : project === null
      ? cloud.snapshots.all()
      : cloud.snapshots.by('project_id', project);
  const is = (name: string, actual: unknown) => !query.has(name) || query.get(name) === String(actual);
  const wanted = rows.filter(
    (row) => is('name', row.name) && is('status', row.status) && is('volume_id', row.volume_id),
  );
  const found = inOrder(wanted, query);
  const base = `${cloud.url}/volume/v3`;
  const { page, links } = pageOf(found, { call, key: 'snapshots', base, faults: PAGE_FAULTS });
  const isDetailed = call.target.includes('/detail');
  return ok({ snapshots: page.map((row) => show(row, call, isDetailed)), ...links });
}

const TEXTS = ['name', 'description', 'display_name', 'display_description'];

function update(cloud: Cloud, call: Call): SnapshotRow {
  const row = mustSnapshot(cloud, call);
  const input = objectOf(call.body, 'snapshot', { allowed: TEXTS });
  if (Object.keys(input).length === 0) {
    throw invalidField('snapshot', {}, '{} is not valid under any of the given schemas');
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  const { name = input.display_name, description = input.display_description } = input;
  const changes = {
    ...(name === undefined ? {} : { name: text(name) }),
    ...(description === undefined ? {} : { description: text(description) }),
    updated_at: nowMicros(),
  };
  return cloud.snapshots.update(row.id, changes) ?? row;
}

export function mustSnapshot(cloud: Cloud, { params, caller }: Call): SnapshotRow {
  const row = cloud.snapshots.get(params.id);
  if (row && (caller.isAdmin || row.project_id === caller.projectId)) return row;
  throw notFound(`Snapshot ${params.id} could not be found.`);
}

function show(row: SnapshotRow, { minor }: Call, isDetailed: boolean): Json {
  return {
    id: row.id,
    created_at: row.created_at,
    updated_at: row.updated_at,
    name: row.name,
    description: row.description,
    volume_id: row.volume_id,
    status: row.status,
    size: row.size,
    metadata: row.metadata,
    ...(minor >= 14 ? { group_snapshot_id: null } : {}),
    ...(minor >= 41 ? { user_id: row.user_id } : {}),
    ...(minor >= 65 ? { consumes_quota: true } : {}),
    ...(isDetailed
      ? {
          'os-extended-snapshot-attributes:project_id': row.project_id,
          'os-extended-snapshot-attributes:progress': row.status === 'available' ? '100%' : '0%',
        }
      : {}),
  };
}

function create(cloud: Cloud, call: Call): Reply {
  const allowed = [
    'volume_id',
    'name',
    'description',
    'metadata',
    'force',
    'display_name',
    'display_description',
  ];
  const input = objectOf(call.body, 'snapshot', { allowed, required: ['volume_id'] });
  const volume = cloud.volumes.get(String(input.volume_id));
  if (!volume || (volume.project_id !== call.caller.projectId && !call.caller.isAdmin)) {
    throw notFound(`Volume ${String(input.volume_id)} could not be found.`);
  }
  // From 3.66 on a volume in use needs no force.
  const allowedStates = call.minor >= 66 || input.force === true ? ['available', 'in-use'] : ['available'];
  if (!allowedStates.includes(volume.status)) {
    throw badRequest(
      `Invalid volume: Volume ${volume.id} status must be available, but current status is: ${volume.status}.`,
    );
  }
  reserveStorage(cloud, volume.project_id, 'snapshots', volume.size);
  const row = cloud.snapshots.put({
    id: randomUUID(),
    project_id: volume.project_id,
    user_id: call.caller.userId,
    volume_id: volume.id,
    name: typeof input.name === 'string' ? input.name : null,
    description: typeof input.description === 'string' ? input.description : null,
    size: volume.size,
    status: 'creating',
    metadata: metadataOf(input.metadata ?? {}, 'metadata'),
    created_at: nowMicros(),
    updated_at: null,
  });
  cloud.tasks.after(volumeDelayMs(cloud), 'snapshot state', row.id, { to: 'available' });
  return accepted({ snapshot: show(row, call, false) });
}
