// Rules of security groups: what can be wrong with one, and when two are the same to Neutron.

import type { FieldViolation } from '#common/errors.ts';
import type { SecurityGroupRuleSpec } from '#proto/pucp/openstack/v1/networking.ts';
import type { SecurityGroupRule, SecurityGroupRuleCreate } from '../api/neutron-types.ts';
import { ipVersionOf } from './network-check.ts';
import { isAddress, networkOf } from './networking-subnet-check.ts';

// Neutron's names (neutron_lib.constants.IP_PROTOCOL_MAP), by IANA's numbers.
const PROTOCOLS: Readonly<Record<string, string>> = {
  1: 'icmp',
  2: 'igmp',
  4: 'ipip',
  6: 'tcp',
  8: 'egp',
  17: 'udp',
  33: 'dccp',
  41: 'ipv6-encap',
  43: 'ipv6-route',
  44: 'ipv6-frag',
  46: 'rsvp',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'ipv6-icmp',
  59: 'ipv6-nonxt',
  60: 'ipv6-opts',
  89: 'ospf',
  112: 'vrrp',
  113: 'pgm',
  132: 'sctp',
  136: 'udplite',
};
const WITH_PORTS = ['tcp', 'udp', 'sctp', 'dccp', 'udplite'];
const ICMP = ['icmp', 'ipv6-icmp'];
const MAX_PORT = 65_535;
const MAX_DESCRIPTION = 255;

/** A rule as Neutron would store it, without its group. */
export type RuleBody = Omit<SecurityGroupRuleCreate, 'security_group_id'>;

/** A spec with every default filled in and its names as Neutron writes them. */
export function ruleBody(spec: SecurityGroupRuleSpec, remoteGroupId: string | undefined): RuleBody {
  const prefix = prefixOf(spec);
  const ethertype = ethertypeOf(spec);
  const protocol = protocolOf(spec.protocol, ethertype);
  const { portRangeMin: least, portRangeMax: most, description } = spec;
  const last = most ?? (WITH_PORTS.includes(protocol) ? least : undefined);
  return {
    direction: spec.direction === 'egress' ? 'egress' : 'ingress',
    ethertype,
    ...(protocol === '' ? {} : { protocol }),
    ...(least === undefined ? {} : { port_range_min: least }),
    ...(last === undefined ? {} : { port_range_max: last }),
    ...(prefix === '' ? {} : { remote_ip_prefix: prefix }),
    ...(remoteGroupId === undefined ? {} : { remote_group_id: remoteGroupId }),
    ...(description === '' ? {} : { description }),
  };
}

/** The same for rules that Neutron takes for the same: it does not look at descriptions. */
export function ruleKey(rule: RuleBody | SecurityGroupRule): string {
  const ethertype = rule.ethertype ?? 'IPv4';
  const prefix = rule.remote_ip_prefix ?? '';
  const isAnyone = ['', '0.0.0.0/0', '::/0'].includes(prefix);
  return [
    rule.direction,
    ethertype,
    protocolOf(rule.protocol ?? '', ethertype),
    rule.port_range_min ?? '',
    rule.port_range_max ?? '',
    isAnyone ? '' : (networkOf(prefix) ?? prefix),
    rule.remote_group_id ?? '',
  ].join(' ');
}

export function* checkRule(spec: SecurityGroupRuleSpec, at: string): Generator<FieldViolation> {
  const { direction, ethertype, protocol, remoteIpPrefix, remoteGroup, description } = spec;
  if (!['', 'ingress', 'egress'].includes(direction)) {
    yield { field: `${at}direction`, message: 'must be ingress or egress' };
  }
  if (!['', 'IPv4', 'IPv6'].includes(ethertype)) {
    yield { field: `${at}ethertype`, message: 'must be IPv4 or IPv6' };
  }
  const name = protocolOf(protocol, ethertypeOf(spec));
  const isKnown = name === '' || Object.values(PROTOCOLS).includes(name) || isNumber(name);
  if (!isKnown) {
    const known = Object.values(PROTOCOLS).toSorted().join(', ');
    yield { field: `${at}protocol`, message: `"${protocol}" is none; there are: ${known}, and 0 to 255` };
  } else {
    yield* checkPorts(spec, name, at);
  }
  if (remoteIpPrefix !== '' && remoteGroup !== '') {
    yield { field: `${at}remote_group`, message: 'cannot stand beside remote_ip_prefix: give one of them' };
  }
  yield* checkPrefix(spec, at);
  if (description.length > MAX_DESCRIPTION) {
    yield { field: `${at}description`, message: `must have at most ${MAX_DESCRIPTION} characters` };
  }
}

function* checkPorts(spec: SecurityGroupRuleSpec, protocol: string, at: string): Generator<FieldViolation> {
  const { portRangeMin: least, portRangeMax: most } = spec;
  if (least === undefined && most === undefined) return;
  const isIcmp = ICMP.includes(protocol);
  if (!isIcmp && !WITH_PORTS.includes(protocol)) {
    const who = protocol === '' ? 'a rule for any protocol' : protocol;
    yield {
      field: `${at}port_range_min`,
      message: `${who} has no ports: name tcp or udp, or leave them out`,
    };
    return;
  }
  if (least === undefined) {
    yield { field: `${at}port_range_min`, message: 'is missing: port_range_max alone says nothing' };
    return;
  }
  const [low, high] = isIcmp ? [0, 255] : [1, MAX_PORT];
  for (const [field, value] of Object.entries({ port_range_min: least, port_range_max: most ?? least })) {
    if (value < low || value > high) {
      yield { field: `${at}${field}`, message: `must be from ${low} to ${high}` };
    }
  }
  if (!isIcmp && most !== undefined && least > most) {
    yield {
      field: `${at}port_range_max`,
      message: `must not be less than port_range_min, which is ${least}`,
    };
  }
}

function* checkPrefix(spec: SecurityGroupRuleSpec, at: string): Generator<FieldViolation> {
  const { remoteIpPrefix: text, ethertype } = spec;
  if (text === '') return;
  const field = `${at}remote_ip_prefix`;
  const network = networkOf(prefixOf(spec));
  if (network === undefined) {
    yield { field, message: `"${text}" is not a network such as 10.1.0.0/16` };
  } else if (network !== prefixOf(spec)) {
    yield { field, message: `"${text}" has host bits: ${network} is meant` };
  } else if (ethertype !== '' && ethertype !== `IPv${ipVersionOf(text)}`) {
    yield { field, message: `"${text}" is not of ${ethertype}` };
  }
}

/** A single address is a range of one. */
function prefixOf({ remoteIpPrefix: text }: SecurityGroupRuleSpec): string {
  return isAddress(text) ? `${text}/${ipVersionOf(text) === 4 ? 32 : 128}` : text;
}

function ethertypeOf(spec: SecurityGroupRuleSpec): 'IPv4' | 'IPv6' {
  if (spec.ethertype === 'IPv4' || spec.ethertype === 'IPv6') return spec.ethertype;
  return spec.remoteIpPrefix === '' ? 'IPv4' : `IPv${ipVersionOf(spec.remoteIpPrefix)}`;
}

function protocolOf(text: string, ethertype: string): string {
  const name = PROTOCOLS[text] ?? text.toLowerCase();
  if (name === 'any') return '';
  if (name === 'icmpv6' || (name === 'icmp' && ethertype === 'IPv6')) return 'ipv6-icmp';
  return name;
}

function isNumber(text: string): boolean {
  return /^\d{1,3}$/.test(text) && Number(text) <= 255;
}
