// A cloud out of clouds.yaml, as openstackclient finds it: in a file of its own, or in the working folder,
// ~/.config/openstack or /etc/openstack; secure.yaml fills in passwords, clouds-public.yaml the profiles of providers.
// https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';

export type CloudsYamlOptions = {
  /** The cloud's name (OS_CLOUD). */
  readonly cloud: string;
  /** Files to read instead of searching for them (OS_CLIENT_CONFIG_FILE, OS_CLIENT_SECURE_FILE). */
  readonly file?: string | undefined;
  readonly secureFile?: string | undefined;
  /** Which of the cloud's `regions`; its `region_name` or the first if not set. */
  readonly region?: string | undefined;
  readonly workingFolder: string;
  readonly homeFolder: string;
};

/** What the file says, under the names of our variables; or why it cannot be used. */
export type CloudsYaml = { readonly values: Readonly<Record<string, string>>; readonly problem?: string };

type Fields = Readonly<Record<string, unknown>>;

/** Never throws: what is wrong with the file is reported together with all other mistakes of the configuration. */
export function readCloudsYaml(options: CloudsYamlOptions): CloudsYaml {
  const { cloud: name } = options;
  const file = options.file ?? search(options, 'clouds');
  if (!file) {
    const places = folders(options).map((folder) => join(folder, 'clouds.yaml'));
    return problem(name, `but there is no clouds.yaml in ${places.join(', ')}`);
  }
  try {
    const clouds = section(file, 'clouds');
    const own = clouds[name];
    if (!own) return problem(name, `but ${file} has only: ${Object.keys(clouds).join(', ') || 'none'}`);
    const profile = profileOf(own, options);
    if (profile === undefined) {
      return problem(name, `whose profile "${own.profile ?? own.cloud}" stands in no clouds-public.yaml`);
    }
    const secureFile = options.secureFile ?? search(options, 'secure', dirname(file));
    const secure = secureFile === undefined ? {} : (section(secureFile, 'clouds')[name] ?? {});
    const cloud = merge(merge(profile, own), secure);
    const wanted = options.region || textOf(cloud.region_name);
    const region = regionOf(cloud, wanted);
    if (region === undefined) return problem(name, `which has no region "${wanted}"`);
    return { values: variablesOf(merge(cloud, region), options.homeFolder) };
  } catch (error) {
    const detail = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return problem(name, `but ${file} or what belongs to it cannot be read: ${detail}`);
  }
}

function problem(name: string, why: string): CloudsYaml {
  return { values: {}, problem: `names cloud "${name}", ${why}` };
}

function folders({ workingFolder, homeFolder }: CloudsYamlOptions): string[] {
  return [workingFolder, join(homeFolder, '.config/openstack'), '/etc/openstack'];
}

function search(options: CloudsYamlOptions, stem: string, first?: string): string | undefined {
  const places = first === undefined ? folders(options) : [first, ...folders(options)];
  return places
    .flatMap((folder) => ['yaml', 'yml', 'json'].map((suffix) => join(folder, `${stem}.${suffix}`)))
    .find((path) => existsSync(path));
}

/** The clouds of one file by name. JSON is YAML. */
function section(file: string, key: 'clouds' | 'public-clouds'): Readonly<Record<string, Fields>> {
  const clouds = Object.entries(fieldsIn(fieldsIn(parse(readFileSync(file, 'utf8')))[key]));
  return Object.fromEntries(clouds.map(([name, cloud]) => [name, fieldsIn(cloud)]));
}

/** What the cloud builds upon; undefined if that is named and not there. `cloud` is what `profile` was called first. */
function profileOf(own: Fields, options: CloudsYamlOptions): Fields | undefined {
  const name = textOf(own.profile) ?? textOf(own.cloud);
  if (name === undefined) return {};
  const file = search(options, 'clouds-public');
  return file === undefined ? undefined : section(file, 'public-clouds')[name];
}

/** What is said of the wanted region, or the first, among those the cloud lists; undefined if it lists others only. */
function regionOf({ regions }: Fields, wanted: string | undefined): Fields | undefined {
  if (!Array.isArray(regions) || regions.length === 0) return wanted ? { region_name: wanted } : {};
  const listed = regions.map((one: unknown) =>
    typeof one === 'object'
      ? { ...fieldsIn(fieldsIn(one).values), region_name: textOf(fieldsIn(one).name) }
      : { region_name: textOf(one) },
  );
  return wanted ? listed.find(({ region_name }) => region_name === wanted) : listed[0];
}

function merge(below: Fields, above: Fields): Fields {
  return { ...below, ...above, auth: { ...fieldsIn(below.auth), ...fieldsIn(above.auth) } };
}

function fieldsIn(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function textOf(value: unknown): string | undefined {
  return ['string', 'number', 'boolean'].includes(typeof value) && value !== '' ? String(value) : undefined;
}

/** Every scalar under its variable's name, those of `auth` first: `region_name` is OPENSTACK_REGION_NAME. */
function variablesOf(cloud: Fields, homeFolder: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [key, value] of Object.entries({ ...cloud, ...fieldsIn(cloud.auth) })) {
    const text = textOf(value);
    if (text !== undefined) values[`OPENSTACK_${key.toUpperCase().replaceAll('-', '_')}`] = text;
  }
  if (/^(false|no|0)$/i.test(textOf(cloud.verify) ?? '')) values.OPENSTACK_INSECURE = 'true';
  if (values.OPENSTACK_INSECURE) values.OPENSTACK_INSECURE = values.OPENSTACK_INSECURE.toLowerCase();
  for (const name of ['OPENSTACK_CACERT', 'OPENSTACK_CERT', 'OPENSTACK_KEY']) {
    const path = values[name];
    if (path?.startsWith('~/')) values[name] = join(homeFolder, path.slice(2));
  }
  values.OPENSTACK_INTERFACE ??= values.OPENSTACK_ENDPOINT_TYPE ?? '';
  return values;
}
