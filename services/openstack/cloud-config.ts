// Which cloud is meant and as whom: the variables of `cloud-variables.ts` checked, as the settings of the client in `api/`.

import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { z } from 'zod';
import { fields, loadConfig, type Secret } from '#common/config.ts';
import type { ApplicationCredentialAuth, CloudSettings, PasswordAuth, TokenAuth } from './api/settings.ts';
import { AUTHS, cloudVariables, type Environment, type Folders, missingOfCloud } from './cloud-variables.ts';

/** As CloudSettings, with the secret in its wrapping. */
export type CloudConfig = Omit<CloudSettings, 'auth'> & {
  readonly auth:
    | (Omit<PasswordAuth, 'password'> & { readonly password: Secret })
    | (Omit<TokenAuth, 'token'> & { readonly token: Secret })
    | (Omit<ApplicationCredentialAuth, 'secret'> & { readonly secret: Secret });
};

const URL_WORDS = 'is not a URL such as http://10.0.10.5:5000/v3';
const optionalUrl = () => z.string().optional().refine(isHttpUrl, URL_WORDS);
const optionalFile = () => fields.optionalText().refine(isReadable, 'is not a file that can be read');

export const cloudShape = {
  OPENSTACK_AUTH_URL: optionalUrl(),
  OPENSTACK_USERNAME: fields.text(''),
  OPENSTACK_USER_ID: fields.optionalText(),
  OPENSTACK_PASSWORD: fields.secret(''),
  OPENSTACK_TOKEN: fields.secret(''),
  OPENSTACK_APPLICATION_CREDENTIAL_ID: fields.text(''),
  OPENSTACK_APPLICATION_CREDENTIAL_SECRET: fields.secret(''),
  OPENSTACK_AUTH_TYPE: fields.choice(AUTHS, 'password'),
  OPENSTACK_USER_DOMAIN_NAME: fields.text('Default'),
  OPENSTACK_USER_DOMAIN_ID: fields.optionalText(),
  OPENSTACK_PROJECT_NAME: fields.optionalText(),
  OPENSTACK_PROJECT_ID: fields.optionalText(),
  OPENSTACK_PROJECT_DOMAIN_NAME: fields.text('Default'),
  OPENSTACK_PROJECT_DOMAIN_ID: fields.optionalText(),
  OPENSTACK_DOMAIN_NAME: fields.optionalText(),
  OPENSTACK_DOMAIN_ID: fields.optionalText(),
  OPENSTACK_SYSTEM_SCOPE: z.literal('all', 'must be all').optional(),
  OPENSTACK_REGION_NAME: fields.text(''),
  OPENSTACK_INTERFACE: fields.choice(['public', 'internal', 'admin'], 'public'),
  OPENSTACK_IDENTITY_ENDPOINT_OVERRIDE: optionalUrl(),
  OPENSTACK_COMPUTE_ENDPOINT_OVERRIDE: optionalUrl(),
  OPENSTACK_NETWORK_ENDPOINT_OVERRIDE: optionalUrl(),
  OPENSTACK_IMAGE_ENDPOINT_OVERRIDE: optionalUrl(),
  OPENSTACK_VOLUME_ENDPOINT_OVERRIDE: optionalUrl(),
  OPENSTACK_CACERT: optionalFile(),
  OPENSTACK_CERT: optionalFile(),
  OPENSTACK_KEY: optionalFile(),
  OPENSTACK_INSECURE: fields.flag(false),
  /** Seconds. */
  OPENSTACK_TIMEOUT: fields.int(60, { min: 1, max: 600 }),
  OPENSTACK_CONNECT_TIMEOUT: fields.int(5, { min: 1, max: 60 }),
  OPENSTACK_MAX_CONNECTIONS: fields.int(32, { min: 1, max: 512 }),
} as const;

/** The cloud that the environment names, for programs that want nothing but a cloud. Throws INVALID_CONFIG naming every mistake. */
export function readCloud(
  environment: Environment,
  folders: Folders = { workingFolder: process.cwd(), homeFolder: homedir() },
): CloudSettings {
  const problems: string[] = [];
  const env = cloudVariables(environment, folders, problems);
  problems.push(...missingOfCloud(env));
  return cloudSettings(cloudConfig(loadConfig(cloudShape, env, problems)));
}

type CloudSet = z.infer<z.ZodObject<typeof cloudShape>>;

export function cloudConfig(set: CloudSet): CloudConfig {
  return {
    authUrl: set.OPENSTACK_AUTH_URL ?? '',
    auth: authOf(set),
    projectName: set.OPENSTACK_PROJECT_NAME,
    projectId: set.OPENSTACK_PROJECT_ID,
    projectDomainName: set.OPENSTACK_PROJECT_DOMAIN_NAME,
    projectDomainId: set.OPENSTACK_PROJECT_DOMAIN_ID,
    homeScope: scopeOf(set),
    regionName: set.OPENSTACK_REGION_NAME,
    interface: set.OPENSTACK_INTERFACE,
    endpointOverrides: {
      keystone: set.OPENSTACK_IDENTITY_ENDPOINT_OVERRIDE,
      nova: set.OPENSTACK_COMPUTE_ENDPOINT_OVERRIDE,
      neutron: set.OPENSTACK_NETWORK_ENDPOINT_OVERRIDE,
      glance: set.OPENSTACK_IMAGE_ENDPOINT_OVERRIDE,
      cinder: set.OPENSTACK_VOLUME_ENDPOINT_OVERRIDE,
    },
    caFile: set.OPENSTACK_CACERT,
    certFile: set.OPENSTACK_CERT,
    keyFile: set.OPENSTACK_KEY,
    insecure: set.OPENSTACK_INSECURE,
    connectTimeoutMs: set.OPENSTACK_CONNECT_TIMEOUT * 1000,
    requestTimeoutMs: set.OPENSTACK_TIMEOUT * 1000,
    maxConnections: set.OPENSTACK_MAX_CONNECTIONS,
  };
}

function authOf(set: CloudSet): CloudConfig['auth'] {
  const type = set.OPENSTACK_AUTH_TYPE;
  switch (type) {
    case 'application_credential':
      return {
        type,
        id: set.OPENSTACK_APPLICATION_CREDENTIAL_ID,
        secret: set.OPENSTACK_APPLICATION_CREDENTIAL_SECRET,
      };
    case 'token':
      return { type, token: set.OPENSTACK_TOKEN };
    case 'password':
      return {
        type,
        username: set.OPENSTACK_USERNAME,
        userId: set.OPENSTACK_USER_ID,
        password: set.OPENSTACK_PASSWORD,
        userDomainName: set.OPENSTACK_USER_DOMAIN_NAME,
        userDomainId: set.OPENSTACK_USER_DOMAIN_ID,
      };
  }
}

function scopeOf(set: CloudSet): CloudConfig['homeScope'] {
  if (set.OPENSTACK_SYSTEM_SCOPE) return { system: true };
  if (set.OPENSTACK_DOMAIN_ID) return { domainId: set.OPENSTACK_DOMAIN_ID };
  return set.OPENSTACK_DOMAIN_NAME ? { domainName: set.OPENSTACK_DOMAIN_NAME } : undefined;
}

/** With the secret laid open, for the client and nobody else. */
export function cloudSettings({ auth, ...cloud }: CloudConfig): CloudSettings {
  switch (auth.type) {
    case 'password':
      return { ...cloud, auth: { ...auth, password: auth.password.reveal() } };
    case 'token':
      return { ...cloud, auth: { ...auth, token: auth.token.reveal() } };
    case 'application_credential':
      return { ...cloud, auth: { ...auth, secret: auth.secret.reveal() } };
  }
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
