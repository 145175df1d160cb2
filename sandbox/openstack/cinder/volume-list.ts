// The lists of volumes: filters, order, pages.

import type { Cloud } from '../cloud.ts';
import { type Call, type Json, ok, type Reply } from '../http.ts';
import { compare } from '../neutron/lists.ts';
import { badRequest, notFound } from '../nova/faults.ts';
import { pageOf } from '../nova/pages.ts';
import type { VolumeRow } from './rows.ts';

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
  'size',
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

export function listVolumes(cloud: Cloud, call: Call, render: (row: VolumeRow) => Json): Reply {
  const { query, caller } = call;
  const unknown = [...query.keys()].filter((name) => !FILTERS.includes(name) && !CONTROLS.includes(name));
  // Since 3.31 there is a list of filters; before, whatever is not known is ignored.
  if (unknown.length > 0 && call.minor >= 31)
    throw badRequest(`Invalid filters ${unknown.join(', ')} are found in query options.`);
  const isAll = caller.isAdmin && /^(true|1)$/i.test(query.get('all_tenants') ?? '');
  const project = query.get('project_id');
  const rows = !isAll
    ? cloud.volumes.by('project_id', caller.projectId)
    : project === null
      ? cloud.volumes.all()
      : cloud.volumes.by('project_id', project);
  const found = inOrder(
    rows.filter((row) => matches(row, query)),
    query,
  );
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
    is('size', row.size) &&
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

const SORT_KEYS: readonly string[] = [
  'id',
  'name',
  'size',
  'status',
  'created_at',
  'updated_at',
  'bootable',
  'availability_zone',
];

/** Newest first without a sort key; `offset` rows are left out at the beginning. */
export function inOrder<T extends object>(rows: readonly T[], query: URLSearchParams): T[] {
  const text =
    query.get('sort') ??
    (query.has('sort_key') ? `${query.get('sort_key')}:${query.get('sort_dir') ?? 'desc'}` : '');
  const rules =
    text === '' ? [] : text.split(',').map((part) => part.replace(/^display_name\b/, 'name').split(':'));
  const sorted = [...rows].reverse();
  for (const [key = ''] of rules) {
    if (!SORT_KEYS.includes(key)) throw badRequest('Invalid input received: Invalid sort key');
  }
  sorted.sort((a, b) => {
    for (const [key = 'id', direction = 'desc'] of rules) {
      const order = compare(a[key as keyof T], b[key as keyof T]);
      if (order !== 0) return direction === 'asc' ? order : -order;
    }
    return 0;
  });
  const offset = query.get('offset') ?? '0';
  if (!/^\d+$/.test(offset)) throw badRequest('offset must be an integer');
  return sorted.slice(Number(offset));
}
