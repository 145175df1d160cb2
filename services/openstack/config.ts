// What the openstack service reads from the environment; which cloud it is for, `cloud-config.ts` reads. What is wrong or
// missing stops the start with one message that names all of it.

import { homedir } from 'node:os';
import { baseShape, databaseShape, fields, loadConfig, type Secret } from '#common/config.ts';
import { IN_FLIGHT } from '#engine/environment.ts';
import { type CloudConfig, cloudConfig, cloudShape } from './cloud-config.ts';
import { cloudVariables, type Environment, missingOfCloud } from './cloud-variables.ts';
import type { Retention } from './journal-store.ts';
import {
  DEFAULT_FLAVORS,
  DEFAULT_IMAGES,
  DEFAULT_QUOTAS,
  type NameTable,
  type ProjectQuotas,
  parseTable,
} from './tables.ts';

/** Whose Keystone project a user's things lie in: the user's own, or one for all. */
export const TENANCIES = ['user', 'shared'] as const;
export type TenancyMode = (typeof TENANCIES)[number];

export type OpenstackConfig = {
  readonly host: string;
  readonly port: number;
  readonly environment: string;
  readonly logLevel: string;
  readonly logDir: string | undefined;
  readonly jwtSecret: Secret;
  readonly databaseUrl: Secret;
  readonly databasePool: number;
  readonly authServiceUrl: string;
  readonly cloud: CloudConfig;
  readonly tenancy: TenancyMode;
  /** The role our own Keystone user takes in the projects it makes. */
  readonly projectRole: string;
  readonly quotas: ProjectQuotas;
  readonly flavors: NameTable;
  readonly images: NameTable;
  /** Name servers of subnets whose request names none. */
  readonly dnsServers: readonly string[];
  /** The network that routers lead to; the cloud's only external one, or its first by name, if empty. */
  readonly externalNetwork: string;
  /** How often a server or another resource that the cloud gave up is made anew within one piece of work. */
  readonly replacements: number;
  /** Calls for slices that change the cloud at the same time. */
  readonly inFlight: number;
  /** How much of the journal is kept. */
  readonly journal: Retention;
};

const shape = {
  ...baseShape,
  ...databaseShape,
  ...cloudShape,
  OPENSTACK_PORT: fields.port(5006),
  OPENSTACK_TENANCY: fields.choice(TENANCIES, 'user'),
  OPENSTACK_PROJECT_ROLE: fields.text('member'),
  OPENSTACK_QUOTAS: fields.text(''),
  OPENSTACK_FLAVORS: fields.text(''),
  OPENSTACK_IMAGES: fields.text(''),
  OPENSTACK_DNS_SERVERS: fields.list(['8.8.8.8', '8.8.4.4']),
  OPENSTACK_EXTERNAL_NETWORK: fields.text(''),
  OPENSTACK_REPLACEMENTS: fields.int(1, { min: 0, max: 10 }),
  OPENSTACK_IN_FLIGHT: fields.int(IN_FLIGHT, { min: 1, max: 1_000 }),
  HISTORY_RETENTION_DAYS: fields.int(30, { min: 1, max: 3_650 }),
  HISTORY_MAX_PER_SLICE: fields.int(20_000, { min: 100, max: 10_000_000 }),
} as const;

/** Every variable that the service knows, but for the OS_* that stand for the same. */
export const variables: readonly string[] = Object.keys(shape);

/** Throws INVALID_CONFIG naming every mistake. */
export function readConfig(
  environment: Environment = process.env,
  folders = { workingFolder: process.cwd(), homeFolder: homedir() },
): OpenstackConfig {
  const problems: string[] = [];
  const env = cloudVariables(environment, folders, problems);
  problems.push(...missingOfCloud(env), ...impossible(env));
  const table = <V>(name: string, defaults: Readonly<Record<string, V>>, value: (text: string[]) => V) => {
    const parsed = parseTable(env[name] ?? '', defaults, value);
    if (typeof parsed === 'string') problems.push(`${name} ${parsed}`);
    return typeof parsed === 'string' ? defaults : parsed;
  };
  const names = (list: string[]) => list;
  const flavors = table('OPENSTACK_FLAVORS', DEFAULT_FLAVORS, names);
  const images = table('OPENSTACK_IMAGES', DEFAULT_IMAGES, names);
  const quotas = table('OPENSTACK_QUOTAS', DEFAULT_QUOTAS, (list) => Number(list[0]));
  for (const [name, limit] of Object.entries(quotas)) {
    if (!Object.hasOwn(DEFAULT_QUOTAS, name)) {
      const known = Object.keys(DEFAULT_QUOTAS).join(', ');
      problems.push(`OPENSTACK_QUOTAS names "${name}"; known are ${known}`);
    } else if (!Number.isInteger(limit) || limit < -1) {
      problems.push(`OPENSTACK_QUOTAS gives ${name} no whole number, such as ${name}=20 (-1 is unlimited)`);
    }
  }
  const set = loadConfig(shape, env, problems);
  return {
    host: set.HOST,
    port: set.OPENSTACK_PORT,
    environment: set.ENVIRONMENT,
    logLevel: set.LOG_LEVEL,
    logDir: set.LOG_DIR,
    jwtSecret: set.JWT_SECRET_KEY,
    databaseUrl: set.DATABASE_URL,
    databasePool: set.DATABASE_POOL,
    authServiceUrl: set.AUTH_SERVICE_URL,
    cloud: cloudConfig(set),
    tenancy: set.OPENSTACK_TENANCY,
    projectRole: set.OPENSTACK_PROJECT_ROLE,
    quotas: { ...DEFAULT_QUOTAS, ...quotas },
    flavors,
    images,
    dnsServers: set.OPENSTACK_DNS_SERVERS,
    externalNetwork: set.OPENSTACK_EXTERNAL_NETWORK,
    replacements: set.OPENSTACK_REPLACEMENTS,
    inFlight: set.OPENSTACK_IN_FLIGHT,
    journal: { days: set.HISTORY_RETENTION_DAYS, perSlice: set.HISTORY_MAX_PER_SLICE },
  };
}

/** What the client could do and this service cannot: it works from a project of its own. */
function impossible(env: Environment): string[] {
  const problems: string[] = [];
  for (const [name, word] of [
    ['DOMAIN_NAME', 'domain_name'],
    ['DOMAIN_ID', 'domain_id'],
    ['SYSTEM_SCOPE', 'system_scope'],
  ] as const) {
    if (!env[`OPENSTACK_${name}`]) continue;
    problems.push(
      `OPENSTACK_${name} is set (or OS_${name}, or ${word} in clouds.yaml), but the orchestrator works from a project: unset it and set OPENSTACK_PROJECT_NAME`,
    );
  }
  if (env.OPENSTACK_AUTH_TYPE === 'application_credential') {
    if (env.OPENSTACK_TENANCY !== 'shared') {
      problems.push(
        'OPENSTACK_TENANCY must be shared with an application credential: Keystone binds it to one project',
      );
    }
  } else if (problems.length === 0 && !env.OPENSTACK_PROJECT_NAME && !env.OPENSTACK_PROJECT_ID) {
    problems.push(
      "OPENSTACK_PROJECT_NAME is not set: a project of that user's, such as admin (or OS_PROJECT_NAME)",
    );
  }
  return problems;
}
