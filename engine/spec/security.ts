// Security groups of a spec: the rules in the one way to write them, and the groups and rules that a driver makes.

import {
  Direction,
  SecurityGroupSpec as DriverGroupSpec,
  SecurityRuleSpec as DriverRuleSpec,
  Resource,
} from '#proto/pucp/driver/v1/resource.ts';
import {
  RuleDirection,
  type SecurityGroupSpec,
  type SecurityRuleSpec,
  type SliceSpec,
} from '#proto/pucp/slice/v1/slice.ts';
import { canonicalRule, isOpenEgress, ruleName } from './rules.ts';

/** The groups, and the rules of all of them, equal ones once. */
export function securityResources(spec: SliceSpec): Resource[] {
  const groups = spec.securityGroups.map((group) =>
    Resource.fromPartial({
      name: group.name,
      kind: {
        $case: 'securityGroup',
        value: { spec: DriverGroupSpec.fromPartial({ openEgress: isOpen(group) }) },
      },
    }),
  );
  const rules = spec.securityGroups.flatMap(rulesOf).filter((rule) => !isOpenEgress(rule));
  const byName = new Map(rules.map((rule) => [ruleName(rule), rule]));
  return [
    ...groups,
    ...[...byName].map(([name, rule]) =>
      Resource.fromPartial({ name, kind: { $case: 'securityRule', value: { spec: rule } } }),
    ),
  ];
}

/** Everything is let out unless a rule says what is. */
function isOpen(group: SecurityGroupSpec): boolean {
  const egress = rulesOf(group).filter(({ direction }) => direction === Direction.EGRESS);
  return egress.length === 0 || egress.some(isOpenEgress);
}

function rulesOf(group: SecurityGroupSpec): DriverRuleSpec[] {
  return group.rules.map((rule) =>
    canonicalRule(
      DriverRuleSpec.fromPartial({
        securityGroup: group.name,
        direction: rule.direction === RuleDirection.EGRESS ? Direction.EGRESS : Direction.INGRESS,
        ipv6: isSix(rule),
        protocol: rule.protocol,
        ...portsOf(rule),
        remoteCidr: rule.remoteCidr,
        remoteGroup: rule.remoteGroup,
      }),
    ),
  );
}

/** One port alone if no last one is named; any code of a type of ICMP. */
function portsOf(rule: SecurityRuleSpec): { portMin?: number; portMax?: number } {
  const { portMin } = rule;
  if (portMin === undefined) return {};
  const portMax = rule.portMax ?? (isIcmp(rule) ? undefined : portMin);
  return { portMin, ...(portMax !== undefined && { portMax }) };
}

/** Whether a rule is about IPv6: as it says, or as its protocol or its other side says. */
export function isSix({ ethertype, protocol, remoteCidr }: SecurityRuleSpec): boolean {
  if (ethertype !== '') return ethertype.toLowerCase() === 'ipv6';
  return remoteCidr.includes(':') || ICMP_SIX.includes(protocol.toLowerCase());
}

const ICMP_SIX: readonly string[] = ['icmpv6', 'ipv6-icmp', '58'];
const ICMP: readonly string[] = ['icmp', '1', ...ICMP_SIX];

/** Whether the ports of a rule are the type and the code of ICMP. */
export function isIcmp({ protocol }: Pick<SecurityRuleSpec, 'protocol'>): boolean {
  return ICMP.includes(protocol.toLowerCase());
}
