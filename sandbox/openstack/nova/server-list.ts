// The filters and order of server lists.

import type { Cloud } from '../cloud.ts';
import type { Call } from '../http.ts';
import { compare } from '../neutron/lists.ts';
import { badRequest, requirePolicy } from './faults.ts';
import type { ServerRow } from './rows.ts';
import { portsOf, statusOf } from './server-view.ts';

const MEMBER_FILTERS = [
  'reservation_id',
  'name',
  'status',
  'image',
  'flavor',
  'ip',
  'ip6',
  'changes-since',
  'changes-before',
];
/** From which microversion on members may filter by these; before, they are ignored. */
const MEMBERS_SINCE: Readonly<Record<string, number>> = { ip6: 5, 'changes-before': 66 };
/** Known, and without effect here. */
const IGNORED = ['access_ip_v4', 'access_ip_v6', 'auto_disk_config', 'image_ref', 'launch_index'];
const TAG_FILTERS = ['tags', 'tags-any', 'not-tags', 'not-tags-any'];
/** Members may use these from 2.83 on; before, they are ignored. */
const NEWER_MEMBER_FILTERS = [
  ...[
    'availability_zone',
    'config_drive',
    'key_name',
    'created_at',
    'launched_at',
    'terminated_at',
    'power_state',
  ],
  ...['task_state', 'vm_state', 'progress', 'user_id', 'locked', 'hostname', 'description'],
];
const ADMIN_FILTERS = [
  'host',
  'node',
  'uuid',
  'project_id',
  'tenant_id',
  'metadata',
  'deleted',
  'soft_deleted',
];
const CONTROLS = ['limit', 'marker', 'sort_key', 'sort_dir', 'all_tenants'];
const SORT_COLUMNS: Readonly<Record<string, (row: ServerRow) => unknown>> = {
  display_name: (row) => row.name,
  created_at: (row) => row.created_at,
  updated_at: (row) => row.updated_at,
  launched_at: (row) => row.launched_at,
  uuid: (row) => row.id,
  host: (row) => row.host,
  hostname: (row) => row.hostname,
  project_id: (row) => row.project_id,
  user_id: (row) => row.user_id,
  vm_state: (row) => row.vm_state,
  task_state: (row) => row.task_state,
  power_state: (row) => row.power_state,
  availability_zone: (row) => row.availability_zone,
  image_ref: (row) => row.image_id,
  instance_type_id: (row) => row.flavor.id,
  display_description: (row) => row.description,
  key_name: (row) => row.key_name,
  launch_index: (row) => row.launch_index,
  locked: (row) => row.locked,
};
const STATUSES = [
  ...[
    'ACTIVE',
    'BUILD',
    'DELETED',
    'ERROR',
    'HARD_REBOOT',
    'MIGRATING',
    'PASSWORD',
    'PAUSED',
    'REBOOT',
    'REBUILD',
  ],
  ...[
    'RESCUE',
    'RESIZE',
    'REVERT_RESIZE',
    'SHELVED',
    'SHELVED_OFFLOADED',
    'SHUTOFF',
    'SOFT_DELETED',
    'SUSPENDED',
  ],
  ...['UNKNOWN', 'VERIFY_RESIZE'],
];

/** The servers a list call asks for, in order, before paging. */
export function findServers(cloud: Cloud, call: Call, action: 'index' | 'detail'): ServerRow[] {
  const { query, caller, minor } = call;
  checkNames(query, minor);
  const isAll = query.has('all_tenants') && booleanOf(query.getAll('all_tenants').at(-1) || '1');
  if (isAll) requirePolicy(caller, `os_compute_api:servers:${action}:get_all_tenants`);
  const project = query.get('project_id') ?? query.get('tenant_id');
  const rows = !isAll
    ? cloud.servers.by('project_id', caller.projectId)
    : project === null
      ? cloud.servers.all()
      : cloud.servers.by('project_id', project);
  const usable = (name: string) =>
    caller.isAdmin ||
    (MEMBER_FILTERS.includes(name) && minor >= (MEMBERS_SINCE[name] ?? 1)) ||
    (TAG_FILTERS.includes(name) && minor >= 26) ||
    (NEWER_MEMBER_FILTERS.includes(name) && minor >= 83);
  // An unknown status is a mistake only since 2.38; before, nothing has it.
  const isHopeless =
    minor < 38 && query.getAll('status').some((text) => !STATUSES.includes(text.toUpperCase()));
  if (isHopeless) return [];
  const tests = [...new Set(query.keys())]
    .filter((name) => !CONTROLS.includes(name) && usable(name))
    .flatMap((name) => testOf(cloud, name, query.getAll(name)) ?? []);
  const found = rows.filter((row) => tests.every((test) => test(row)));
  return sorted(found, query);
}

const TRUE_WORDS = ['1', 'on', 't', 'true', 'y', 'yes'];
const FALSE_WORDS = ['0', 'f', 'false', 'n', 'no', 'off'];

function booleanOf(text: string): boolean {
  const word = text.toLowerCase();
  if (TRUE_WORDS.includes(word) || FALSE_WORDS.includes(word)) return TRUE_WORDS.includes(word);
  const words = [...TRUE_WORDS, ...FALSE_WORDS].sort().map((one) => `'${one}'`);
  throw badRequest(`Unrecognized value '${text}', acceptable values are: ${words.join(', ')}`);
}

function checkNames(query: URLSearchParams, minor: number): void {
  const known = [
    ...CONTROLS,
    ...IGNORED,
    ...MEMBER_FILTERS,
    ...TAG_FILTERS,
    ...NEWER_MEMBER_FILTERS,
    ...ADMIN_FILTERS,
  ];
  const unknown = [...query.keys()].find((name) => !known.includes(name) && !name.startsWith('_'));
  if (unknown !== undefined && minor >= 75)
    throw badRequest(`'${unknown}' does not match any of the regexes: '^_'`);
  const key = query.getAll('sort_key').find((name) => !(name in SORT_COLUMNS));
  if (key !== undefined) {
    const columns = Object.keys(SORT_COLUMNS)
      .map((name) => `'${name}'`)
      .join(', ');
    throw badRequest(
      `Invalid input for query parameters sort_key. Value: ${key}. '${key}' is not one of [${columns}]`,
    );
  }
}

type Test = (row: ServerRow) => boolean;

function testOf(cloud: Cloud, name: string, values: string[]): Test | undefined {
  // Of several values the last counts.
  const value = values.at(-1) ?? '';
  const tags = values.flatMap((text) => text.split(','));
  switch (name) {
    case 'name':
      return matching(name, value, (row) => [row.name]);
    case 'ip':
    case 'ip6':
      return matching(name, value, (row) => ipsOf(cloud, row));
    case 'status': {
      const wanted = values.map((text) => text.toUpperCase());
      if (wanted.some((text) => !STATUSES.includes(text))) throw badRequest('Invalid status value');
      return (row) => wanted.includes(statusOf(row));
    }
    case 'image':
      return (row) => row.image_id === value;
    case 'flavor':
      return (row) => row.flavor.id === value;
    case 'changes-since': {
      const time = timeOf(name, value);
      return (row) => Date.parse(row.updated_at) >= time;
    }
    case 'changes-before': {
      const time = timeOf(name, value);
      return (row) => Date.parse(row.updated_at) <= time;
    }
    case 'tags':
      return (row) => tags.every((tag) => row.tags.includes(tag));
    case 'tags-any':
      return (row) => tags.some((tag) => row.tags.includes(tag));
    case 'not-tags':
      return (row) => !tags.every((tag) => row.tags.includes(tag));
    case 'not-tags-any':
      return (row) => !tags.some((tag) => row.tags.includes(tag));
    case 'metadata':
      return metadataTest(value);
    case 'uuid':
      return (row) => values.includes(row.id);
    case 'node':
      return (row) => row.host === value;
    case 'locked': {
      const isLocked = booleanOf(value);
      return (row) => row.locked === isLocked;
    }
    case 'deleted':
      return (row) => !/^(true|1)$/i.test(value) || row.vm_state === 'deleted';
    case 'host':
    case 'vm_state':
    case 'task_state':
    case 'power_state':
    case 'user_id':
    case 'availability_zone':
    case 'key_name':
    case 'reservation_id':
    case 'hostname':
    case 'created_at':
    case 'launched_at':
      return (row) => String(row[name] ?? '') === value;
    default:
      return undefined;
  }
}

function matching(name: string, pattern: string, textsOf: (row: ServerRow) => string[]): Test {
  let expression: RegExp;
  try {
    expression = new RegExp(pattern.slice(0, 255), 'i');
  } catch {
    throw badRequest(
      `Invalid input for query parameters ${name}. Value: ${pattern}. '${pattern}' is not a 'regex'`,
    );
  }
  return (row) => textsOf(row).some((text) => expression.test(text));
}

function ipsOf(cloud: Cloud, row: ServerRow): string[] {
  return portsOf(cloud, row).flatMap((port) => [
    ...port.fixed_ips.map((ip) => ip.ip_address),
    ...cloud.floatingIps.by('port_id', port.id).map((floating) => floating.floating_ip_address),
  ]);
}

function metadataTest(value: string): Test {
  try {
    const wanted = Object.entries(JSON.parse(value) as Record<string, string>);
    return (row) => wanted.every(([key, inner]) => row.metadata[key] === inner);
  } catch {
    throw badRequest('Invalid metadata filter');
  }
}

const ISO_TIME = /^\d{4}-\d\d(-\d\d)?([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/;

function timeOf(name: string, value: string): number {
  const time = ISO_TIME.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time))
    throw badRequest(
      `Invalid input for query parameters ${name}. Value: ${value}. '${value}' is not a 'date-time'`,
    );
  return time;
}

/** Newest first, as Nova does without a sort key. */
function sorted(rows: ServerRow[], query: URLSearchParams): ServerRow[] {
  const keys = query.getAll('sort_key');
  const directions = query.getAll('sort_dir');
  const unknown = directions.find((direction) => direction !== 'asc' && direction !== 'desc');
  if (unknown !== undefined)
    throw badRequest("Invalid input received: Unknown sort direction, must be 'desc' or 'asc'");
  // Rows are in the order in which they were made.
  if (keys.length === 0) return directions[0] === 'asc' ? rows : rows.reverse();
  return rows.reverse().sort((a, b) => {
    for (const [index, key] of keys.entries()) {
      const column = SORT_COLUMNS[key];
      const order = column ? compare(column(a), column(b)) : 0;
      if (order !== 0) return (directions[index] ?? directions[0]) === 'asc' ? order : -order;
    }
    return 0;
  });
}
