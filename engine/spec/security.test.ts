import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { type DeepPartial, RuleDirection, type SecurityRuleSpec } from '#proto/pucp/slice/v1/slice.ts';
import { checkSpec } from './check.ts';
import { securityResources } from './security.ts';
import { LIMITS, nodeOf, specOf } from './testing/specs.ts';

type Rules = DeepPartial<SecurityRuleSpec>[];

function specWith(rules: Rules, name = 'web') {
  return specOf({ securityGroups: [{ name, rules }] });
}

function mistakes(spec: ReturnType<typeof specOf>): string[] {
  return checkSpec(spec, LIMITS).map(({ field, message }) => `${field}: ${message}`);
}

/** The one mistake of one rule, without the place. */
function mistake(rule: DeepPartial<SecurityRuleSpec>): string {
  const all = mistakes(specWith([rule]));
  assert.equal(all.length, 1, all.join('\n'));
  return all[0]?.replace('security_groups[0].rules[0].', '') ?? '';
}

function isOpen([group]: readonly Resource[]): boolean | undefined {
  return group?.kind?.$case === 'securityGroup' ? group.kind.value.spec?.openEgress : undefined;
}

test('a group is made with its rules, equal ones once', () => {
  const rules = [
    { protocol: 'tcp', portMin: 80 },
    { protocol: 'TCP', portMin: 80, portMax: 80 },
    { protocol: 'icmp', portMin: 8 },
    { protocol: 'icmpv6' },
    { remoteCidr: '2001:db8::/32' },
  ];
  assert.deepEqual(mistakes(specWith(rules)), []);
  assert.deepEqual(
    securityResources(specWith(rules)).map(({ kind, name }) => `${kind?.$case} ${name}`),
    [
      'securityGroup web',
      'securityRule web/in IPv4 tcp 80 from everyone',
      'securityRule web/in IPv4 icmp 8 from everyone',
      'securityRule web/in IPv6 icmpv6 from everyone',
      'securityRule web/in IPv6 any from 2001:db8::/32',
    ],
  );
});

test('everything is let out unless a rule says what is', () => {
  const out = { direction: RuleDirection.EGRESS };
  assert.equal(isOpen(securityResources(specWith([{ protocol: 'tcp' }]))), true);
  assert.equal(isOpen(securityResources(specWith([{ ...out, protocol: 'udp' }]))), false);
  const open = securityResources(specWith([{ ...out, protocol: 'udp' }, out]));
  assert.equal(isOpen(open), true);
  assert.equal(open.filter(({ kind }) => kind?.$case === 'securityRule').length, 1);
});

for (const [rule, words] of [
  [{ protocol: 'htpp' }, /^protocol: "htpp" is not known; use tcp, udp/],
  [{ protocol: '256' }, /^protocol: "256" is not known/],
  [{ ethertype: 'IPv5' }, /^ethertype: "IPv5" is not known; use IPv4 or IPv6/],
  [{ portMin: 80 }, /^port_min: a port is named, but no protocol is named; use tcp or udp/],
  [{ protocol: 'gre', portMin: 80 }, /^port_min: a port is named, but gre has none/],
  [{ protocol: 'tcp', portMax: 80 }, /^port_min: is missing beside port_max/],
  [{ protocol: 'tcp', portMin: 90, portMax: 80 }, /^port_max: 80 is less than port_min, which is 90/],
  [{ protocol: 'tcp', portMin: 80, portMax: 65_536 }, /^port_max: 65536 is no port; use 1 to 65535/],
  [{ protocol: 'icmp', portMin: 256 }, /^port_min: 256 is no type of ICMP; use 0 to 255/],
  [{ protocol: 'icmp', portMin: 8, portMax: -1 }, /^port_max: -1 is no code of ICMP/],
  [{ remoteGroup: 'db' }, /^remote_group: there is no security group "db"; there are web/],
  [{ remoteGroup: 'web', remoteCidr: '10.0.0.0/8' }, /^remote_group: stands beside remote_cidr/],
  [{ remoteCidr: 'campus' }, /^remote_cidr: "campus" is not a network in CIDR notation/],
  [
    { remoteCidr: '10.0.0.1/8' },
    /^remote_cidr: 10\.0\.0\.1\/8 has host bits set; the network is 10\.0\.0\.0\/8/,
  ],
  [{ remoteCidr: '10.0.0.0/8', ethertype: 'IPv6' }, /^remote_cidr: 10\.0\.0\.0\/8 is not IPv6/],
] as const) {
  test(`a rule is refused with the reason: ${words.source}`, () => {
    assert.match(mistake(rule), words);
  });
}

test('port 0 is no port', () => {
  assert.match(mistakes(specWith([{ protocol: 'tcp', portMin: 0 }])).join(), /port_min: 0 is no port/);
});

test('all mistakes in groups and in what nodes say of them are told at once', () => {
  const spec = specOf({
    nodes: [
      nodeOf('a', { securityGroups: ['web', 'web', 'db'] }),
      nodeOf('b', { securityGroups: ['web'], forwarding: true }),
    ],
    securityGroups: [
      { name: '' },
      { name: 'default' },
      { name: 'web', rules: [{ protocol: 'x' }, { remoteGroup: 'y' }] },
      { name: 'WEB' },
      { name: 'big', rules: Array.from({ length: 101 }, () => ({})) },
    ],
  });
  assert.deepEqual(
    checkSpec(spec, LIMITS).map(({ field }) => field),
    [
      'security_groups[0].name',
      'security_groups[1].name',
      'security_groups[2].rules[0].protocol',
      'security_groups[2].rules[1].remote_group',
      'security_groups[3].name',
      'security_groups[4].rules',
      'nodes[0].security_groups[1]',
      'nodes[0].security_groups[2]',
      'nodes[1].security_groups',
    ],
  );
});
