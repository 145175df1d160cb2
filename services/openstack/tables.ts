// The original system's names for flavors and images with the names that clouds give them, and the quotas of a new
// project. Each can be changed in configuration, as JSON or as `small=m1.small|c1.small,large=m1.large`.

/** By our name the cloud's names to look for, the best first. */
export type NameTable = Readonly<Record<string, readonly string[]>>;

export const DEFAULT_FLAVORS: NameTable = {
  tiny: ['m1.tiny'],
  nano: ['m1.nano'],
  micro: ['m1.micro'],
  small: ['m1.small'],
  medium: ['m1.medium'],
  large: ['m1.large'],
};

export const DEFAULT_IMAGES: NameTable = {
  'ubuntu-20.04': ['ubuntu-20.04-server-cloudimg', 'ubuntu-20.04-server'],
  'ubuntu-22.04': ['ubuntu-22.04-server-cloudimg', 'ubuntu-22.04-server', 'ubuntu-22.04-minimal'],
  'centos-8': ['centos-8-stream-cloudimg', 'centos-8-minimal'],
  'alpine-linux': ['alpine-linux-cloudimg', 'alpine-linux'],
  alpine: ['alpine-linux-cloudimg', 'alpine-linux'],
  cirros: ['cirros-0.5.2', 'cirros'],
};

/** Limits of a project; -1 is unlimited. */
export type ProjectQuotas = {
  /** Nova's. */
  readonly instances: number;
  readonly cores: number;
  /** MiB. */
  readonly ram: number;
  /** Cinder's. */
  readonly volumes: number;
  /** GiB. */
  readonly gigabytes: number;
  readonly snapshots: number;
  /** Neutron's. */
  readonly networks: number;
  readonly subnets: number;
  readonly ports: number;
  readonly routers: number;
  readonly floating_ips: number;
  readonly security_groups: number;
  readonly security_group_rules: number;
};

/** The original's, but as many networks, subnets and ports as Neutron itself gives: each link has a network of its own. */
export const DEFAULT_QUOTAS: ProjectQuotas = {
  instances: 20,
  cores: 40,
  ram: 51200,
  volumes: 10,
  gigabytes: 100,
  snapshots: 10,
  networks: 100,
  subnets: 100,
  ports: 500,
  routers: 10,
  floating_ips: 10,
  security_groups: 10,
  security_group_rules: 100,
};

const FORM = 'is not of the form small=m1.small,large=m1.large or {"small": "m1.small"}';

/** The defaults with what `text` says instead; a name without a value goes. Answers a complaint if it cannot be read. */
export function parseTable<V>(
  text: string,
  defaults: Readonly<Record<string, V>>,
  value: (list: string[]) => V,
): Readonly<Record<string, V>> | string {
  if (text.trim() === '') return defaults;
  const entries = text.trim().startsWith('{') ? jsonEntries(text) : pairEntries(text);
  if (!entries) return FORM;
  const table: Record<string, V> = { ...defaults };
  for (const [name, list] of entries) {
    if (list.length === 0) delete table[name];
    else table[name] = value(list);
  }
  return table;
}

type Entries = [string, string[]][];

function jsonEntries(text: string): Entries | undefined {
  try {
    const document: unknown = JSON.parse(text);
    const entries = Object.entries(document as object).map(([name, value]): [string, string[]] => [
      name,
      (Array.isArray(value) ? value : [value]).filter((one) => one !== null && one !== '').map(String),
    ]);
    return entries;
  } catch {
    return undefined;
  }
}

function pairEntries(text: string): Entries | undefined {
  const entries: Entries = [];
  for (const pair of text.split(',').map((part) => part.trim())) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    if (at <= 0) return undefined;
    const list = pair
      .slice(at + 1)
      .split('|')
      .map((one) => one.trim());
    entries.push([pair.slice(0, at).trim(), list.filter(Boolean)]);
  }
  return entries;
}
