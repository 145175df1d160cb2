// The state of the whole cloud: every table, what happens later, and the clock. Services get this one object and reach
// into each other's tables where OpenStack's services would call each other.

import type { Log } from '#common/log.ts';
import type { SnapshotRow, VolumeRow } from './cinder/rows.ts';
import { type Collection, createCollection, type Row } from './collection.ts';
import type { ImageRow } from './glance/rows.ts';
import type {
  AssignmentRow,
  CredentialRow,
  ProjectRow,
  RoleRow,
  TokenRow,
  UserRow,
} from './keystone/rows.ts';
import type {
  FloatingIpRow,
  GroupRow,
  NetworkRow,
  PortRow,
  RouterRow,
  RuleRow,
  SubnetRow,
} from './neutron/rows.ts';
import type { FlavorRow, KeypairRow, ServerGroupRow, ServerRow } from './nova/rows.ts';
import { createTasks, type TaskRow, type Tasks } from './tasks.ts';

/** The limits of one project in one service; its id is `service:project`. */
export type QuotaRow = { readonly id: string; readonly limits: Readonly<Record<string, number>> };

export type Tables = ReturnType<typeof createTables>;

export type Cloud = Tables & {
  readonly tasks: Tasks;
  /** `http://host:port`, known once the server listens. */
  url: string;
  /** How many servers there have been, for their instance names. */
  serversMade: number;
  readonly buildDelayMs: number;
  readonly adminPassword: string;
  readonly hypervisorCount: number;
  readonly tokenLifetimeMs: number;
  readonly log: Log;
  /** Bytes of uploaded images; they do not outlive the process. */
  readonly contents: Map<string, Buffer>;
};

export function createTables(changed: () => void) {
  const table = <T extends Row>(name: string, ...fields: (keyof T & string)[]): Collection<T> =>
    createCollection<T>(name, fields, changed);
  return {
    projects: table<ProjectRow>('projects'),
    users: table<UserRow>('users'),
    roles: table<RoleRow>('roles'),
    assignments: table<AssignmentRow>('assignments', 'user_id', 'project_id'),
    tokens: table<TokenRow>('tokens', 'user_id'),
    credentials: table<CredentialRow>('credentials', 'user_id'),
    flavors: table<FlavorRow>('flavors'),
    servers: table<ServerRow>('servers', 'project_id', 'host'),
    keypairs: table<KeypairRow>('keypairs', 'user_id'),
    serverGroups: table<ServerGroupRow>('serverGroups', 'project_id'),
    networks: table<NetworkRow>('networks', 'project_id'),
    subnets: table<SubnetRow>('subnets', 'project_id', 'network_id'),
    ports: table<PortRow>('ports', 'project_id', 'network_id', 'device_id'),
    routers: table<RouterRow>('routers', 'project_id'),
    floatingIps: table<FloatingIpRow>('floatingIps', 'project_id', 'port_id'),
    groups: table<GroupRow>('groups', 'project_id'),
    rules: table<RuleRow>('rules', 'project_id', 'security_group_id'),
    images: table<ImageRow>('images'),
    volumes: table<VolumeRow>('volumes', 'project_id'),
    snapshots: table<SnapshotRow>('snapshots', 'project_id', 'volume_id'),
    quotas: table<QuotaRow>('quotas'),
    taskRows: table<TaskRow>('taskRows', 'target'),
  };
}

export type CloudOptions = {
  readonly log: Log;
  readonly buildDelayMs: number;
  readonly adminPassword: string;
  readonly hypervisorCount: number;
  readonly tokenLifetimeMs: number;
  readonly changed: () => void;
};

export function createCloud(options: CloudOptions): Cloud {
  const tables = createTables(options.changed);
  return {
    ...tables,
    tasks: createTasks(tables.taskRows, options.log),
    url: '',
    serversMade: 0,
    buildDelayMs: options.buildDelayMs,
    adminPassword: options.adminPassword,
    hypervisorCount: options.hypervisorCount,
    tokenLifetimeMs: options.tokenLifetimeMs,
    log: options.log,
    contents: new Map(),
  };
}

const TABLES = Object.keys(createTables(() => {})) as (keyof Tables)[];

/** Everything worth keeping, as plain data. */
export function snapshotOf(cloud: Cloud): {
  readonly version: 1;
  readonly tables: Record<string, unknown[]>;
} {
  return { version: 1, tables: Object.fromEntries(TABLES.map((name) => [name, cloud[name].all()])) };
}

/** The cloud as it is now, for reading: what happens to it later does not show. Tokens and users stay those of today. */
export function frozenCopy(cloud: Cloud): Cloud {
  const copy = createTables(() => {});
  for (const name of TABLES) {
    const table = copy[name] as unknown as Collection<Row>;
    for (const row of cloud[name].values()) table.put(row);
  }
  const { projects, users, roles, assignments, tokens, credentials } = cloud;
  const identity = { projects, users, roles, assignments, tokens, credentials };
  return { ...cloud, ...copy, ...identity, tasks: createTasks(copy.taskRows, cloud.log) };
}

/** How much there is of everything that could grow. */
export function sizeOf(cloud: Cloud) {
  return {
    rows: Object.fromEntries(TABLES.map((name) => [name, cloud[name].size])),
    image_bytes: cloud.contents.values().reduce((sum, bytes) => sum + bytes.length, 0),
  };
}

/** Fills an empty cloud from a snapshot. Throws if it is of another version. */
export function restore(cloud: Cloud, snapshot: unknown): void {
  const saved = snapshot as { version?: unknown; tables?: Record<string, Row[]> };
  if (saved?.version !== 1)
    throw new Error('the saved sandbox is of a version that this sandbox does not know');
  for (const name of TABLES) {
    const table = cloud[name] as unknown as Collection<Row>;
    for (const row of saved.tables?.[name] ?? []) table.put(row);
  }
  cloud.serversMade = Math.max(0, ...cloud.servers.all().map((server) => server.number));
}
