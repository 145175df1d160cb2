// The names under which a cloud is told: OPENSTACK_* come first, then OpenStack's own OS_*, then the cloud of clouds.yaml that
// OS_CLOUD names. What the client cannot do is refused by name, never passed over. Values are `cloud-config.ts`'s business.

import { readCloudsYaml } from './clouds-yaml.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Folders = { readonly workingFolder: string; readonly homeFolder: string };

export const AUTHS = ['password', 'token', 'application_credential'] as const;
type AuthType = (typeof AUTHS)[number];

// Names that say one thing together: whoever says one of a group says the whole of it, so that a project named in the
// environment is not looked for in the domain of another one in clouds.yaml. Those in brackets are older names.
const GROUPS: readonly (readonly string[])[] = [
  ['AUTH_URL'],
  ['AUTH_TYPE'],
  ['USERNAME', 'USER_ID'],
  ['PASSWORD'],
  ['TOKEN'],
  ['USER_DOMAIN_NAME', 'USER_DOMAIN_ID'],
  ['PROJECT_DOMAIN_NAME', 'PROJECT_DOMAIN_ID'],
  ['PROJECT_NAME', 'PROJECT_ID', 'TENANT_NAME', 'TENANT_ID', 'DOMAIN_NAME', 'DOMAIN_ID', 'SYSTEM_SCOPE'],
  ['REGION_NAME'],
  ['INTERFACE', 'ENDPOINT_TYPE'],
  ['APPLICATION_CREDENTIAL_ID', 'APPLICATION_CREDENTIAL_NAME'],
  ['APPLICATION_CREDENTIAL_SECRET'],
  ...['CACERT', 'CERT', 'KEY', 'INSECURE', 'TRUST_ID', 'PASSCODE'].map((name) => [name]),
  ...['IDENTITY', 'COMPUTE', 'NETWORK', 'IMAGE', 'VOLUME', 'BLOCK_STORAGE'].flatMap((type) => [
    [`${type}_ENDPOINT_OVERRIDE`],
    [`${type}_API_VERSION`],
  ]),
];
const OLD_NAMES = {
  TENANT_NAME: 'PROJECT_NAME',
  TENANT_ID: 'PROJECT_ID',
  ENDPOINT_TYPE: 'INTERFACE',
  BLOCK_STORAGE_ENDPOINT_OVERRIDE: 'VOLUME_ENDPOINT_OVERRIDE',
  BLOCK_STORAGE_API_VERSION: 'VOLUME_API_VERSION',
} as const;

const AUTH_TYPES: Readonly<Record<string, AuthType>> = {
  v3password: 'password',
  v3token: 'token',
  v3applicationcredential: 'application_credential',
};

/** The one major version of each API that is spoken. */
const API_VERSIONS = { IDENTITY: '3', COMPUTE: '2', NETWORK: '2', IMAGE: '2', VOLUME: '3' } as const;

/** Every variable of the environment, with those of the cloud filled in from their other names and from clouds.yaml. */
export function cloudVariables(
  environment: Environment,
  folders: Folders,
  problems: string[],
): Record<string, string | undefined> {
  const yaml = environment.OS_CLOUD
    ? readCloudsYaml({
        cloud: environment.OS_CLOUD,
        file: environment.OS_CLIENT_CONFIG_FILE || undefined,
        secureFile: environment.OS_CLIENT_SECURE_FILE || undefined,
        region: environment.OPENSTACK_REGION_NAME || environment.OS_REGION_NAME,
        ...folders,
      })
    : { values: {} };
  if (yaml.problem) problems.push(`OS_CLOUD ${yaml.problem}`);
  const sources: ((name: string) => string | undefined)[] = [
    (name) => environment[`OPENSTACK_${name}`],
    (name) => environment[`OS_${name}`],
    (name) => yaml.values[`OPENSTACK_${name}`],
  ];
  const env: Record<string, string | undefined> = { ...environment };
  for (const group of GROUPS) {
    const source = sources.find((one) => group.some((name) => one(name)));
    for (const name of group) env[`OPENSTACK_${name}`] = source?.(name);
  }
  for (const [old, name] of Object.entries(OLD_NAMES)) {
    env[`OPENSTACK_${name}`] ||= env[`OPENSTACK_${old}`];
    delete env[`OPENSTACK_${old}`];
  }
  // Some files still say publicURL, as Keystone v2 did.
  env.OPENSTACK_INTERFACE = env.OPENSTACK_INTERFACE?.replace(/URL$/, '');
  env.OPENSTACK_AUTH_TYPE = authTypeOf(env);
  problems.push(...unspoken(env));
  return env;
}

/** What is asked for and cannot be done. */
function unspoken(env: Environment): string[] {
  const problems: string[] = [];
  if (env.OPENSTACK_APPLICATION_CREDENTIAL_NAME && !env.OPENSTACK_APPLICATION_CREDENTIAL_ID) {
    problems.push(
      'OPENSTACK_APPLICATION_CREDENTIAL_NAME is not enough: set OPENSTACK_APPLICATION_CREDENTIAL_ID, which names one credential of one user',
    );
  }
  for (const name of ['OPENSTACK_TRUST_ID', 'OPENSTACK_PASSCODE']) {
    if (env[name]) problems.push(`${name} is set, but trusts and one-time passwords are not spoken`);
  }
  for (const [type, major] of Object.entries(API_VERSIONS)) {
    const asked = env[`OPENSTACK_${type}_API_VERSION`];
    if (asked && asked.replace(/^v/, '').split('.')[0] !== major) {
      problems.push(`OPENSTACK_${type}_API_VERSION is ${asked}, but only version ${major} is spoken`);
    }
  }
  const scopes = ['PROJECT', 'DOMAIN', 'SYSTEM'].filter((kind) =>
    ['NAME', 'ID', 'SCOPE'].some((part) => env[`OPENSTACK_${kind}_${part}`]),
  );
  if (scopes.length > 1) {
    const names = scopes.map((kind) => `OPENSTACK_${kind}_${kind === 'SYSTEM' ? 'SCOPE' : 'NAME'}`);
    problems.push(
      `${names[0]} and ${names.slice(1).join(' and ')} are both set: a token has one scope, so keep one of them`,
    );
  }
  return problems;
}

/** What must be said and is not, for whatever way of authenticating is meant. */
export function missingOfCloud(env: Environment): string[] {
  const need = (name: string, example: string) => (env[name] ? [] : [`${name} is not set: ${example}`]);
  const url = need(
    'OPENSTACK_AUTH_URL',
    "Keystone's address, such as http://10.0.10.5:5000/v3 (or OS_AUTH_URL, or OS_CLOUD)",
  );
  switch (env.OPENSTACK_AUTH_TYPE) {
    case 'application_credential':
      return [
        ...url,
        ...need('OPENSTACK_APPLICATION_CREDENTIAL_ID', 'the id of an application credential'),
        ...need(
          'OPENSTACK_APPLICATION_CREDENTIAL_SECRET',
          'the secret that belongs to OPENSTACK_APPLICATION_CREDENTIAL_ID',
        ),
      ];
    case 'token':
      return [...url, ...need('OPENSTACK_TOKEN', 'a token of Keystone (or OS_TOKEN)')];
    default:
      return [
        ...url,
        ...(env.OPENSTACK_USER_ID
          ? []
          : need('OPENSTACK_USERNAME', 'a Keystone user, such as admin (or OS_USERNAME)')),
        ...need('OPENSTACK_PASSWORD', "that user's password (or OS_PASSWORD)"),
      ];
  }
}

/** What is set speaks for one, if none is said. */
function authTypeOf(env: Environment): string {
  const said = env.OPENSTACK_AUTH_TYPE;
  if (said) return AUTH_TYPES[said] ?? said;
  if (env.OPENSTACK_APPLICATION_CREDENTIAL_ID) return 'application_credential';
  return env.OPENSTACK_TOKEN && !env.OPENSTACK_PASSWORD ? 'token' : 'password';
}
