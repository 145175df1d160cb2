// The rules of security groups.

import { randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { Fault, type Json } from '../http.ts';
import { nowSeconds, pythonText } from '../ids.ts';
import { cidrText, parseCidr } from './addresses.ts';
import { type Attributes, STANDARD } from './attributes.ts';
import { notFound } from './faults.ts';
import { isOwn, type Resource } from './resource.ts';
import type { GroupRow, RuleRow } from './rows.ts';

const PROTOCOLS = [
  ...['ah', 'dccp', 'egp', 'esp', 'gre', 'hopopt', 'icmp', 'igmp', 'ip', 'ipip', 'ipv6-encap', 'ipv6-frag'],
  ...[
    'ipv6-icmp',
    'icmpv6',
    'ipv6-nonxt',
    'ipv6-opts',
    'ipv6-route',
    'ospf',
    'pgm',
    'rsvp',
    'sctp',
    'tcp',
    'udp',
  ],
  ...['udplite', 'vrrp'],
];
const WITH_PORTS = ['tcp', 'udp', 'sctp', 'dccp', 'udplite', '6', '17', '132', '33', '136'];

const ICMP = ['icmp', 'icmpv6', 'ipv6-icmp', '1', '58'];

const { name: _name, tags: _tags, ...WITHOUT_NAME } = STANDARD;

const ATTRIBUTES: Attributes = {
  ...WITHOUT_NAME,
  security_group_id: { type: 'uuid', on: 'create', isRequired: true },
  direction: { type: 'text', on: 'create', isRequired: true, oneOf: ['ingress', 'egress'] },
  ethertype: { type: 'text', on: 'create', initial: 'IPv4' },
  protocol: { type: 'any', on: 'create', initial: null },
  port_range_min: { type: 'any', on: 'create', initial: null },
  port_range_max: { type: 'any', on: 'create', initial: null },
  remote_ip_prefix: { type: 'any', on: 'create', initial: null },
  // Any text: what is no group is not found, whatever it looks like.
  remote_group_id: { type: 'any', on: 'create', initial: null },
  remote_address_group_id: { type: 'uuid or null', on: 'create', initial: null },
  normalized_cidr: { type: 'any', on: 'never' },
};

export function securityGroupRules(cloud: Cloud): Resource<RuleRow> {
  return {
    singular: 'security_group_rule',
    plural: 'security_group_rules',
    className: 'SecurityGroupRule',
    path: '/security-group-rules',
    quota: 'security_group_rule',
    table: cloud.rules,
    attributes: ATTRIBUTES,
    isVisible: isOwn,
    candidates: (caller, query) => {
      const groups = new Set(query.getAll('security_group_id'));
      if (groups.size > 0) {
        const rows = [...groups].flatMap((group) => cloud.rules.by('security_group_id', group));
        return rows.filter((row) => isOwn(row, caller));
      }
      return caller.isAdmin ? cloud.rules.all() : cloud.rules.by('project_id', caller.projectId);
    },
    show,
    checkMany,
    create: (input, caller) => create(cloud, input, caller),
    update: (row) => row,
    remove: (row) => void cloud.rules.remove(row.id),
  };
}

/** Rules made at once belong to one group and differ. */
function checkMany(inputs: readonly Json[]): void {
  if (new Set(inputs.map((input) => input.security_group_id)).size > 1) {
    const message = 'Only allowed to update rules for one security profile at a time';
    throw new Fault(400, message, 'SecurityGroupNotSingleGroupRules');
  }
  if (new Set(inputs.map((input) => JSON.stringify(input))).size < inputs.length) {
    throw new Fault(409, 'Duplicate Security Group Rule in POST.', 'DuplicateSecurityGroupRuleInPost');
  }
}

function show(row: RuleRow): Json {
  return {
    id: row.id,
    tenant_id: row.project_id,
    security_group_id: row.security_group_id,
    ethertype: row.ethertype,
    direction: row.direction,
    protocol: row.protocol,
    port_range_min: row.port_range_min,
    port_range_max: row.port_range_max,
    remote_ip_prefix: row.remote_ip_prefix,
    remote_address_group_id: null,
    normalized_cidr: normalized(row.remote_ip_prefix),
    remote_group_id: row.remote_group_id,
    description: row.description,
    created_at: row.created_at,
    updated_at: row.updated_at,
    revision_number: row.revision_number,
    project_id: row.project_id,
  };
}

/** A rule as it appears inside its group, which has two fields more. */
export function ruleInGroup(row: RuleRow): Json {
  return { ...show(row), standard_attr_id: row.number, tags: [] };
}

function normalized(prefix: string | null): string | null {
  const cidr = parseCidr(prefix);
  return cidr ? cidrText(cidr) : null;
}

function create(cloud: Cloud, input: Json, caller: Caller): RuleRow {
  const group = cloud.groups.get(String(input.security_group_id));
  if (!group || !isOwn(group, caller)) throw notFound('SecurityGroup', input.security_group_id);
  const ethertype = ethertypeOf(String(input.ethertype));
  const protocol = protocolOf(input.protocol);
  const isIcmp = protocol !== null && ICMP.includes(protocol);
  const isForSix = protocol !== null && ['icmpv6', 'ipv6-icmp'].includes(protocol);
  if (isForSix && ethertype === 'IPv4') {
    const message = `Invalid ethertype IPv4 for protocol ${protocol}.`;
    throw new Fault(400, message, 'SecurityGroupEthertypeConflictWithProtocol');
  }
  const [least, most] = [portOf(input.port_range_min), portOf(input.port_range_max)];
  if (isIcmp) checkIcmp(least, most);
  else checkPorts(protocol, least, most);
  const prefix = prefixOf(input.remote_ip_prefix, ethertype);
  const remoteGroupId = input.remote_group_id as string | null;
  const addressGroupId = input.remote_address_group_id as string | null;
  if (addressGroupId !== null) {
    const message = `Address group ${addressGroupId} could not be found.`;
    throw new Fault(404, message, 'AddressGroupNotFound');
  }
  if (prefix !== null && remoteGroupId !== null) {
    const message =
      'Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.';
    throw new Fault(400, message, 'SecurityGroupMultipleRemoteEntites');
  }
  if (remoteGroupId !== null && !cloud.groups.get(remoteGroupId))
    throw notFound('SecurityGroup', remoteGroupId);
  const wish: NewRule = {
    group,
    direction: String(input.direction),
    ethertype,
    protocol: protocol === 'icmp' && ethertype === 'IPv6' ? 'ipv6-icmp' : protocol,
    least,
    most,
    prefix,
    remoteGroupId,
    description: String(input.description ?? ''),
  };
  const twin = cloud.rules.by('security_group_id', group.id).find((row) => isSame(row, wish));
  if (twin) {
    const message = `Security group rule already exists. Rule id is ${twin.id}.`;
    throw new Fault(409, message, 'SecurityGroupRuleExists');
  }
  return addRule(cloud, wish);
}

function ethertypeOf(text: string): string {
  const known = ['IPv4', 'IPv6'].find((name) => name.toLowerCase() === text.toLowerCase());
  if (known) return known;
  const message = `Security group rule for ethertype '${text}' not supported. Allowed values are ['IPv4', 'IPv6'].`;
  throw new Fault(400, message, 'SecurityGroupRuleInvalidEtherType');
}

function protocolOf(value: unknown): string | null {
  if (value === null) return null;
  const text = String(value).toLowerCase();
  const isNumber = /^\d+$/.test(text) && Number(text) <= 255;
  if (isNumber || PROTOCOLS.includes(text)) return text;
  const known = pythonText([null, ...PROTOCOLS]);
  throw new Fault(
    400,
    `Security group rule protocol ${text} not supported. Only protocol values ${known} and integer representations [0 to 255] are supported.`,
    'SecurityGroupRuleInvalidProtocol',
  );
}

function portOf(value: unknown): number | null {
  if (value === null || value === '') return null;
  const number = Number(value);
  if (Number.isInteger(number) && number >= 0 && number <= 65_535) return number;
  throw new Fault(400, `Invalid value for port ${String(value)}`, 'SecurityGroupInvalidPortValue');
}

/** For ICMP the ports are its type and code. */
function checkIcmp(type: number | null, code: number | null): void {
  const wrong = (field: string, name: string, value: number) =>
    new Fault(
      400,
      `Invalid value for ICMP ${field} (${name}) ${value}. It must be 0 to 255.`,
      'SecurityGroupInvalidIcmpValue',
    );
  if (type !== null && type > 255) throw wrong('type', 'port_range_min', type);
  if (code !== null && code > 255) throw wrong('code', 'port_range_max', code);
  if (type === null && code !== null) {
    const message = `ICMP code (port-range-max) ${code} is provided but ICMP type (port-range-min) is missing.`;
    throw new Fault(400, message, 'SecurityGroupMissingIcmpType');
  }
}

function checkPorts(protocol: string | null, least: number | null, most: number | null): void {
  if (least === null && most === null) return;
  if (protocol === null) {
    const message = 'Must also specify protocol if port range is given.';
    throw new Fault(400, message, 'SecurityGroupProtocolRequiredWithPorts');
  }
  if (!WITH_PORTS.includes(protocol)) {
    const number = NUMBER_OF[protocol] ?? protocol;
    const message = `Ports cannot be specified for protocol ${number}. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.`;
    throw new Fault(400, message, 'SecurityGroupInvalidProtocolForPort');
  }
  if (least === 0 || most === 0) {
    throw new Fault(400, 'Invalid value for port 0', 'SecurityGroupInvalidPortValue');
  }
  if (least === null || most === null || least > most) {
    const message = 'For TCP/UDP protocols, port_range_min must be <= port_range_max';
    throw new Fault(400, message, 'SecurityGroupInvalidPortRange');
  }
}

function prefixOf(value: unknown, ethertype: string): string | null {
  if (value === null || value === '') return null;
  const text = String(value).includes('/')
    ? String(value)
    : `${String(value)}/${ethertype === 'IPv4' ? 32 : 128}`;
  const cidr = parseCidr(text);
  if (!cidr) throw new Fault(400, `Invalid CIDR ${String(value)} given as IP prefix.`, 'InvalidCIDR');
  if (cidr.version !== (ethertype === 'IPv4' ? 4 : 6)) {
    const message = `Conflicting value ethertype ${ethertype} for CIDR ${String(value)}`;
    throw new Fault(400, message, 'SecurityGroupRuleParameterConflict');
  }
  return text;
}

export type NewRule = {
  readonly group: GroupRow;
  readonly direction: string;
  readonly ethertype: string;
  readonly protocol?: string | null;
  readonly least?: number | null;
  readonly most?: number | null;
  readonly prefix?: string | null;
  readonly remoteGroupId?: string | null;
  readonly description?: string;
};

/** Neutron takes numbers for names, anywhere for no prefix, and does not look at descriptions. */
function isSame(row: RuleRow, wish: NewRule): boolean {
  return (
    row.direction === wish.direction &&
    row.ethertype === wish.ethertype &&
    nameOf(row.protocol, row.ethertype) === nameOf(wish.protocol, wish.ethertype) &&
    portsOf(row.port_range_min, row.port_range_max) === portsOf(wish.least, wish.most) &&
    prefixText(row.remote_ip_prefix) === prefixText(wish.prefix) &&
    row.remote_group_id === (wish.remoteGroupId ?? null)
  );
}

/** All ports are none in particular. */
function portsOf(least: number | null | undefined, most: number | null | undefined): string {
  const isAll = least === 1 && most === 65_535;
  return isAll || (least == null && most == null) ? '' : `${least}-${most}`;
}

/** IANA's protocol numbers. */
const NUMBER_OF: Readonly<Record<string, number>> = {
  ...{ hopopt: 0, icmp: 1, igmp: 2, ip: 0, ipip: 4, tcp: 6, egp: 8, udp: 17, dccp: 33, 'ipv6-encap': 41 },
  ...{ 'ipv6-route': 43, 'ipv6-frag': 44, rsvp: 46, gre: 47, esp: 50, ah: 51, 'ipv6-icmp': 58 },
  ...{ 'ipv6-nonxt': 59, 'ipv6-opts': 60, ospf: 89, vrrp: 112, pgm: 113, sctp: 132, udplite: 136 },
};
const NAMES = new Map(Object.entries(NUMBER_OF).map(([name, number]) => [String(number), name]));

function nameOf(protocol: string | null | undefined, ethertype: string): string {
  const name = NAMES.get(protocol ?? '') ?? protocol ?? '';
  return name === 'icmpv6' || (name === 'icmp' && ethertype === 'IPv6') ? 'ipv6-icmp' : name;
}

/** Anywhere is no prefix; otherwise prefixes are compared as they were written. */
function prefixText(prefix: string | null | undefined): string {
  return prefix == null || prefix.endsWith('/0') ? '' : prefix;
}

export function addRule(cloud: Cloud, wish: NewRule): RuleRow {
  const now = nowSeconds();
  return cloud.rules.put({
    id: randomUUID(),
    project_id: wish.group.project_id,
    security_group_id: wish.group.id,
    ethertype: wish.ethertype,
    direction: wish.direction,
    protocol: wish.protocol ?? null,
    port_range_min: wish.least ?? null,
    port_range_max: wish.most ?? null,
    remote_ip_prefix: wish.prefix ?? null,
    remote_group_id: wish.remoteGroupId ?? null,
    description: wish.description ?? null,
    number: cloud.rules.size + 1,
    created_at: now,
    updated_at: now,
    revision_number: 0,
  });
}
