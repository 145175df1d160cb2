// What the openstack service reads from the environment. OPENSTACK_* come first, then OpenStack's own OS_*, then the cloud
// of clouds.yaml that OS_CLOUD names; what is wrong or missing stops the start with one message that names all of it.

import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { z } from 'zod';
import { baseShape, databaseShape, fields, loadConfig, type Secret } from '#common/config.ts';
import type { CloudSettings } from './api/settings.ts';
import { readCloudsYaml } from './clouds-yaml.ts';
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
};

/** As CloudSettings, with the secret in its wrapping. */
export type CloudConfig = Omit<CloudSettings, 'auth'> & {
  readonly auth:
    | {
        readonly type: 'password';
        readonly username: string;
        readonly password: Secret;
        readonly userDomainName: string;
      }
    | { readonly type: 'application_credential'; readonly id: string; readonly secret: Secret };
};

const shape = {
  ...baseShape,
  ...databaseShape,
  OPENSTACK_PORT: fields.port(5006),
  OPENSTACK_AUTH_URL: z
    .string()
    .optional()
    .refine(isHttpUrl, 'is not a URL such as http://10.0.10.5:5000/v3'),
  OPENSTACK_USERNAME: fields.text(''),
  OPENSTACK_PASSWORD: fields.secret(''),
  OPENSTACK_PROJECT_NAME: fields.text(''),
  OPENSTACK_USER_DOMAIN_NAME: fields.text('Default'),
  OPENSTACK_PROJECT_DOMAIN_NAME: fields.text('Default'),
  OPENSTACK_REGION_NAME: fields.text(''),
  OPENSTACK_INTERFACE: fields.choice(['public', 'internal', 'admin'], 'public'),
  OPENSTACK_APPLICATION_CREDENTIAL_ID: fields.text(''),
  OPENSTACK_APPLICATION_CREDENTIAL_SECRET: fields.secret(''),
  OPENSTACK_CACERT: fields.optionalText().refine(isReadable, 'is not a file that can be read'),
  OPENSTACK_CERT: fields.optionalText().refine(isReadable, 'is not a file that can be read'),
  OPENSTACK_KEY: fields.optionalText().refine(isReadable, 'is not a file that can be read'),
  OPENSTACK_INSECURE: fields.flag(false),
  /** Seconds. */
  OPENSTACK_TIMEOUT: fields.int(60, { min: 1, max: 600 }),
  OPENSTACK_CONNECT_TIMEOUT: fields.int(5, { min: 1, max: 60 }),
  OPENSTACK_MAX_CONNECTIONS: fields.int(32, { min: 1, max: 512 }),
  OPENSTACK_TENANCY: fields.choice(TENANCIES, 'user'),
  OPENSTACK_PROJECT_ROLE: fields.text('member'),
  OPENSTACK_QUOTAS: fields.text(''),
  OPENSTACK_FLAVORS: fields.text(''),
  OPENSTACK_IMAGES: fields.text(''),
  OPENSTACK_DNS_SERVERS: fields.list(['8.8.8.8', '8.8.4.4']),
  OPENSTACK_EXTERNAL_NETWORK: fields.text(''),
} as const;

/** Every variable that the service knows, but for the OS_* that stand for the same. */
export const variables: readonly string[] = Object.keys(shape);

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws INVALID_CONFIG naming every mistake. */
export function readConfig(
  environment: Environment = process.env,
  folders = { workingFolder: process.cwd(), homeFolder: homedir() },
): OpenstackConfig {
  const problems: string[] = [];
  const env = withOtherNames(environment, folders, problems);
  problems.push(...missing(env));
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
    cloud: {
      authUrl: set.OPENSTACK_AUTH_URL ?? '',
      auth: set.OPENSTACK_APPLICATION_CREDENTIAL_ID
        ? {
            type: 'application_credential',
            id: set.OPENSTACK_APPLICATION_CREDENTIAL_ID,
            secret: set.OPENSTACK_APPLICATION_CREDENTIAL_SECRET,
          }
        : {
            type: 'password',
            username: set.OPENSTACK_USERNAME,
            password: set.OPENSTACK_PASSWORD,
            userDomainName: set.OPENSTACK_USER_DOMAIN_NAME,
          },
      projectName: set.OPENSTACK_PROJECT_NAME,
      projectDomainName: set.OPENSTACK_PROJECT_DOMAIN_NAME,
      regionName: set.OPENSTACK_REGION_NAME,
      interface: set.OPENSTACK_INTERFACE,
      caFile: set.OPENSTACK_CACERT,
      certFile: set.OPENSTACK_CERT,
      keyFile: set.OPENSTACK_KEY,
      insecure: set.OPENSTACK_INSECURE,
      connectTimeoutMs: set.OPENSTACK_CONNECT_TIMEOUT * 1000,
      requestTimeoutMs: set.OPENSTACK_TIMEOUT * 1000,
      maxConnections: set.OPENSTACK_MAX_CONNECTIONS,
    },
    tenancy: set.OPENSTACK_TENANCY,
    projectRole: set.OPENSTACK_PROJECT_ROLE,
    quotas: { ...DEFAULT_QUOTAS, ...quotas },
    flavors,
    images,
    dnsServers: set.OPENSTACK_DNS_SERVERS,
    externalNetwork: set.OPENSTACK_EXTERNAL_NETWORK,
  };
}

/** With the secret laid open, for the client and nobody else. */
export function cloudSettings({ auth, ...cloud }: CloudConfig): CloudSettings {
  return auth.type === 'password'
    ? { ...cloud, auth: { ...auth, password: auth.password.reveal() } }
    : { ...cloud, auth: { ...auth, secret: auth.secret.reveal() } };
}

const OTHER_NAMES = [
  'AUTH_URL',
  'USERNAME',
  'PASSWORD',
  'PROJECT_NAME',
  'USER_DOMAIN_NAME',
  'PROJECT_DOMAIN_NAME',
  'REGION_NAME',
  'INTERFACE',
  'APPLICATION_CREDENTIAL_ID',
  'APPLICATION_CREDENTIAL_SECRET',
  'CACERT',
  'CERT',
  'KEY',
  'INSECURE',
] as const;

// Fills OPENSTACK_X from OS_X, then from clouds.yaml. Whoever sets one of the three credentials by another way than the
// rest mixes two clouds, which openstackclient allows as well.
function withOtherNames(
  environment: Environment,
  folders: { workingFolder: string; homeFolder: string },
  problems: string[],
): Record<string, string | undefined> {
  const cloud = environment.OS_CLOUD;
  const file = environment.OS_CLIENT_CONFIG_FILE || undefined;
  const yaml = cloud ? readCloudsYaml({ cloud, file, ...folders }) : { values: {} };
  if (yaml.problem) problems.push(`OS_CLOUD ${yaml.problem}`);
  const env: Record<string, string | undefined> = { ...environment };
  for (const name of OTHER_NAMES) {
    env[`OPENSTACK_${name}`] =
      environment[`OPENSTACK_${name}`] || environment[`OS_${name}`] || yaml.values[`OPENSTACK_${name}`];
  }
  // Some files still say publicURL, as Keystone v2 did; DevStack writes domains as ids, and there `default` is "Default".
  env.OPENSTACK_INTERFACE = env.OPENSTACK_INTERFACE?.replace(/URL$/, '');
  for (const owner of ['USER', 'PROJECT'] as const) {
    const id = `${owner}_DOMAIN_ID`;
    const domainId =
      environment[`OPENSTACK_${id}`] || environment[`OS_${id}`] || yaml.values[`OPENSTACK_${id}`];
    if (!domainId || env[`OPENSTACK_${owner}_DOMAIN_NAME`]) continue;
    if (domainId === 'default') env[`OPENSTACK_${owner}_DOMAIN_NAME`] = 'Default';
    else
      problems.push(
        `OPENSTACK_${owner}_DOMAIN_NAME is not set: domains are named, an id (${domainId}) is not enough`,
      );
  }
  return env;
}

function missing(env: Environment): string[] {
  const problems: string[] = [];
  const need = (name: string, example: string) => {
    if (!env[name]) problems.push(`${name} is not set: ${example}`);
  };
  need(
    'OPENSTACK_AUTH_URL',
    "Keystone's address, such as http://10.0.10.5:5000/v3 (or OS_AUTH_URL, or OS_CLOUD)",
  );
  if (env.OPENSTACK_APPLICATION_CREDENTIAL_ID) {
    need(
      'OPENSTACK_APPLICATION_CREDENTIAL_SECRET',
      'the secret that belongs to OPENSTACK_APPLICATION_CREDENTIAL_ID',
    );
    if (env.OPENSTACK_TENANCY !== 'shared') {
      problems.push(
        'OPENSTACK_TENANCY must be shared with an application credential: Keystone binds it to one project',
      );
    }
    return problems;
  }
  need('OPENSTACK_USERNAME', 'a Keystone user, such as admin (or OS_USERNAME)');
  need('OPENSTACK_PASSWORD', "that user's password (or OS_PASSWORD)");
  need('OPENSTACK_PROJECT_NAME', "a project of that user's, such as admin (or OS_PROJECT_NAME)");
  return problems;
}

function isHttpUrl(value: string | undefined): boolean {
  return value === undefined || (URL.canParse(value) && /^https?:/.test(value));
}

function isReadable(file: string | undefined): boolean {
  if (file === undefined) return true;
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
