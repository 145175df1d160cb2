// Credentials from clouds.yaml, as openstackclient finds them: one named by OS_CLIENT_CONFIG_FILE, else in the working
// folder, in ~/.config/openstack or in /etc/openstack; secure.yaml beside it fills in passwords.
// https://docs.openstack.org/python-openstackclient/latest/configuration/index.html#clouds-yaml

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';

export type CloudsYamlOptions = {
  /** The cloud's name (OS_CLOUD). */
  readonly cloud: string;
  /** A file to read instead of searching for one (OS_CLIENT_CONFIG_FILE). */
  readonly file?: string | undefined;
  readonly workingFolder: string;
  readonly homeFolder: string;
};

/** What the file says, under the names of our variables; or why it cannot be used. */
export type CloudsYaml = { readonly values: Readonly<Record<string, string>>; readonly problem?: string };

/** Never throws: what is wrong with the file is reported together with all other mistakes of the configuration. */
export function readCloudsYaml(options: CloudsYamlOptions): CloudsYaml {
  const file = options.file ?? searchPath(options).find((path) => existsSync(path));
  if (!file) {
    return {
      values: {},
      problem: `names cloud "${options.cloud}", but there is no clouds.yaml in ${searchPath(options).join(', ')}`,
    };
  }
  try {
    const clouds = cloudsIn(file);
    const cloud = clouds[options.cloud];
    if (!cloud) {
      const known = Object.keys(clouds).join(', ') || 'none';
      return { values: {}, problem: `names cloud "${options.cloud}", but ${file} has only: ${known}` };
    }
    const secureFile = join(dirname(file), 'secure.yaml');
    const secure = existsSync(secureFile) ? cloudsIn(secureFile)[options.cloud] : undefined;
    return {
      values: variablesOf({ ...cloud, ...secure, auth: { ...mapIn(cloud.auth), ...mapIn(secure?.auth) } }),
    };
  } catch (error) {
    const detail = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { values: {}, problem: `names cloud "${options.cloud}", but ${file} cannot be read: ${detail}` };
  }
}

function searchPath({ workingFolder, homeFolder }: CloudsYamlOptions): string[] {
  return [workingFolder, join(homeFolder, '.config/openstack'), '/etc/openstack'].map((folder) =>
    join(folder, 'clouds.yaml'),
  );
}

type Map = Readonly<Record<string, unknown>>;

function cloudsIn(file: string): Readonly<Record<string, Map>> {
  const document = mapIn(parse(readFileSync(file, 'utf8')));
  const clouds = Object.entries(mapIn(document.clouds));
  return Object.fromEntries(clouds.map(([name, cloud]) => [name, mapIn(cloud)]));
}

function mapIn(value: unknown): Map {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Map) : {};
}

const authKeys = [
  'auth_url',
  'username',
  'password',
  'project_name',
  'project_id',
  'user_domain_name',
  'user_domain_id',
  'project_domain_name',
  'project_domain_id',
  'application_credential_id',
  'application_credential_name',
  'application_credential_secret',
] as const;

function variablesOf(cloud: Map): Record<string, string> {
  const auth = mapIn(cloud.auth);
  const values: Record<string, string> = {};
  const put = (name: string, value: unknown) => {
    if (typeof value === 'string' || typeof value === 'number') values[name] = String(value);
  };
  for (const key of authKeys) put(`OPENSTACK_${key.toUpperCase()}`, auth[key]);
  put('OPENSTACK_REGION_NAME', cloud.region_name);
  put('OPENSTACK_INTERFACE', cloud.interface);
  put('OPENSTACK_CACERT', cloud.cacert);
  if (cloud.verify === false) values.OPENSTACK_INSECURE = 'true';
  return values;
}
