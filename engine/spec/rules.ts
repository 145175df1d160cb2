// Security rules as one text each: two rules that mean the same have the same name, which is how a rule that exists is
// told from one that is missing.

import { Direction, SecurityRuleSpec } from '#proto/pucp/driver/v1/resource.ts';

/** Numbers that have a name, as IANA assigns them. The cloud may tell either: https://www.iana.org/assignments/protocol-numbers */
const NAMES: Readonly<Record<string, string>> = {
  '1': 'icmp',
  '6': 'tcp',
  '17': 'udp',
  '58': 'icmpv6',
  '132': 'sctp',
  'ipv6-icmp': 'icmpv6',
  any: '',
};
const EVERYONE = ['0.0.0.0/0', '::/0'];

/** The same rule in the one way to write it. */
export function canonicalRule(rule: SecurityRuleSpec): SecurityRuleSpec {
  const protocol = rule.protocol.toLowerCase();
  return {
    ...rule,
    direction: rule.direction === Direction.EGRESS ? Direction.EGRESS : Direction.INGRESS,
    protocol: NAMES[protocol] ?? protocol,
    remoteCidr: EVERYONE.includes(rule.remoteCidr) ? '' : rule.remoteCidr,
  };
}

/** All that a canonical rule says, such as `web/in IPv4 tcp 80-90 from 10.0.0.0/8`. */
export function ruleName(rule: SecurityRuleSpec): string {
  const isIn = rule.direction !== Direction.EGRESS;
  const { portMin: min, portMax: max } = rule;
  const ports = min === undefined ? '' : max === undefined || max === min ? ` ${min}` : ` ${min}-${max}`;
  const remote = rule.remoteCidr || (rule.remoteGroup === '' ? 'everyone' : `group ${rule.remoteGroup}`);
  const what = `${rule.ipv6 ? 'IPv6' : 'IPv4'} ${rule.protocol || 'any'}${ports}`;
  return `${rule.securityGroup}/${isIn ? 'in' : 'out'} ${what} ${isIn ? 'from' : 'to'} ${remote}`;
}

/** Whether a canonical rule lets everything out: such rules belong to the group itself. */
export function isOpenEgress(rule: SecurityRuleSpec): boolean {
  const plain = SecurityRuleSpec.fromPartial({
    direction: Direction.EGRESS,
    securityGroup: rule.securityGroup,
  });
  return ruleName({ ...rule, ipv6: false }) === ruleName(plain);
}
