// Mistakes in security groups and in what nodes say of them.

import ipaddr from 'ipaddr.js';
import type { FieldViolation } from '#common/errors.ts';
import type { SecurityRuleSpec, SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { duplicates, listed } from './check-names.ts';
import { isIcmp, isSix } from './security.ts';

const GROUP_NAME = /^[\p{L}\p{N}]([\p{L}\p{N} ._-]{0,61}[\p{L}\p{N}])?$/u;
/** Names that Neutron knows: https://docs.openstack.org/api-ref/network/v2/#create-security-group-rule */
const PROTOCOLS = [
  ...['any', 'ah', 'dccp', 'egp', 'esp', 'gre', 'icmp', 'icmpv6', 'igmp', 'ipip', 'ipv6-encap', 'ipv6-frag'],
  ...['ipv6-icmp', 'ipv6-nonxt', 'ipv6-opts', 'ipv6-route', 'ospf', 'pgm', 'rsvp', 'sctp', 'tcp', 'udp'],
  ...['udplite', 'vrrp'],
];
/** Protocols whose rules may name ports. */
const WITH_PORTS = ['tcp', 'udp', 'sctp', 'dccp', 'udplite', '6', '17', '132', '33', '136'];
const MAX_RULES = 100;

export function* checkSecurity(spec: SliceSpec): Generator<FieldViolation> {
  const names = new Set(spec.securityGroups.map(({ name }) => name));
  const repeated = duplicates(spec.securityGroups.map(({ name }) => name));
  for (const [index, group] of spec.securityGroups.entries()) {
    const at = `security_groups[${index}]`;
    const first = repeated.get(index);
    if (group.name === '') yield { field: `${at}.name`, message: 'is missing: give the group a name' };
    else if (!GROUP_NAME.test(group.name) || group.name === 'default') {
      const message = `"${group.name}" cannot be a group's name: letters, digits and inner dashes, dots, underscores or spaces, at most 63, and not "default"`;
      yield { field: `${at}.name`, message };
    }
    if (first !== undefined) {
      yield {
        field: `${at}.name`,
        message: `"${group.name}" is already the name of security_groups[${first}]`,
      };
    }
    if (group.rules.length > MAX_RULES) {
      const message = `${group.rules.length} are asked for, at most ${MAX_RULES} are allowed in a group`;
      yield { field: `${at}.rules`, message };
      continue;
    }
    for (const [position, rule] of group.rules.entries()) {
      yield* checkRule(rule, `${at}.rules[${position}]`, names);
    }
  }
  yield* checkNodes(spec, names);
}

function* checkRule(
  rule: SecurityRuleSpec,
  at: string,
  groups: ReadonlySet<string>,
): Generator<FieldViolation> {
  const protocol = rule.protocol.toLowerCase();
  const isNumber = /^\d{1,3}$/.test(protocol) && Number(protocol) <= 255;
  if (protocol !== '' && !isNumber && !PROTOCOLS.includes(protocol)) {
    const message = `"${rule.protocol}" is not known; use tcp, udp, icmp, icmpv6, a number from 0 to 255, or leave it out for all`;
    yield { field: `${at}.protocol`, message };
  }
  if (!['', 'ipv4', 'ipv6'].includes(rule.ethertype.toLowerCase())) {
    yield { field: `${at}.ethertype`, message: `"${rule.ethertype}" is not known; use IPv4 or IPv6` };
  }
  yield* checkPorts(rule, at);
  if (rule.remoteCidr !== '' && rule.remoteGroup !== '') {
    yield { field: `${at}.remote_group`, message: 'stands beside remote_cidr: name one of the two' };
  }
  if (rule.remoteGroup !== '' && !groups.has(rule.remoteGroup)) {
    const message = `there is no security group "${rule.remoteGroup}"; ${listed(groups, 'security group')}`;
    yield { field: `${at}.remote_group`, message };
  }
  yield* checkRemote(rule, `${at}.remote_cidr`);
}

function* checkPorts(rule: SecurityRuleSpec, at: string): Generator<FieldViolation> {
  const { portMin: min, portMax: max } = rule;
  const protocol = rule.protocol.toLowerCase();
  if (min === undefined && max === undefined) return;
  if (min === undefined) {
    yield { field: `${at}.port_min`, message: 'is missing beside port_max' };
    return;
  }
  if (isIcmp(rule)) {
    if (min < 0 || min > 255)
      yield { field: `${at}.port_min`, message: `${min} is no type of ICMP; use 0 to 255` };
    if (max !== undefined && (max < 0 || max > 255)) {
      yield { field: `${at}.port_max`, message: `${max} is no code of ICMP; use 0 to 255` };
    }
    return;
  }
  if (!WITH_PORTS.includes(protocol)) {
    const what = protocol === '' || protocol === 'any' ? 'no protocol is named' : `${protocol} has none`;
    yield { field: `${at}.port_min`, message: `a port is named, but ${what}; use tcp or udp` };
    return;
  }
  for (const [field, port] of [
    ['port_min', min],
    ['port_max', max ?? min],
  ] as const) {
    if (port < 1 || port > 65_535)
      yield { field: `${at}.${field}`, message: `${port} is no port; use 1 to 65535` };
  }
  if (max !== undefined && max < min) {
    yield { field: `${at}.port_max`, message: `${max} is less than port_min, which is ${min}` };
  }
}

function* checkRemote(rule: SecurityRuleSpec, field: string): Generator<FieldViolation> {
  const { remoteCidr: text } = rule;
  if (text === '') return;
  if (!ipaddr.isValidCIDR(text)) {
    yield { field, message: `"${text}" is not a network in CIDR notation, such as 10.0.0.0/8` };
    return;
  }
  const network = ipaddr.parseCIDR(text)[0].kind() === 'ipv6' ? ipaddr.IPv6 : ipaddr.IPv4;
  const plain = `${network.networkAddressFromCIDR(text)}/${text.split('/')[1]}`;
  if (network === ipaddr.IPv4 && plain !== text) {
    yield { field, message: `${text} has host bits set; the network is ${plain}` };
  }
  if (isSix(rule) !== text.includes(':')) {
    yield { field, message: `${text} is not ${isSix(rule) ? 'IPv6' : 'IPv4'}, as the rest of the rule is` };
  }
}

function* checkNodes(spec: SliceSpec, groups: ReadonlySet<string>): Generator<FieldViolation> {
  for (const [index, node] of spec.nodes.entries()) {
    const at = `nodes[${index}].security_groups`;
    if (node.forwarding && node.securityGroups.length > 0) {
      const message = 'a node that forwards is not protected: leave out either forwarding or security_groups';
      yield { field: at, message };
    }
    const again = duplicates(node.securityGroups);
    for (const [position, name] of node.securityGroups.entries()) {
      if (!groups.has(name)) {
        const message = `there is no security group "${name}"; ${listed(groups, 'security group')}`;
        yield { field: `${at}[${position}]`, message };
      } else if (again.has(position))
        yield { field: `${at}[${position}]`, message: `"${name}" is named twice` };
    }
  }
}
