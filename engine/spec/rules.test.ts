import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DeepPartial, Direction, SecurityRuleSpec } from '#proto/pucp/driver/v1/resource.ts';
import { canonicalRule, isOpenEgress, ruleName } from './rules.ts';

function nameOf(fields: DeepPartial<SecurityRuleSpec>): string {
  return ruleName(canonicalRule(SecurityRuleSpec.fromPartial({ securityGroup: 'web', ...fields })));
}

for (const [fields, name] of [
  [{}, 'web/in IPv4 any from everyone'],
  [{ protocol: 'tcp', portMin: 80 }, 'web/in IPv4 tcp 80 from everyone'],
  [{ protocol: 'tcp', portMin: 80, portMax: 90 }, 'web/in IPv4 tcp 80-90 from everyone'],
  [{ protocol: 'udp', remoteCidr: '10.0.0.0/8' }, 'web/in IPv4 udp from 10.0.0.0/8'],
  [{ remoteGroup: 'app' }, 'web/in IPv4 any from group app'],
  [{ direction: Direction.EGRESS, ipv6: true }, 'web/out IPv6 any to everyone'],
] as const) {
  test(`a rule says all that it is: ${name}`, () => {
    assert.equal(nameOf(fields), name);
  });
}

test('two ways to write the same rule are one rule', () => {
  const plain = nameOf({ direction: Direction.INGRESS, protocol: 'tcp', portMin: 22, portMax: 22 });
  for (const fields of [
    { protocol: 'TCP', portMin: 22 },
    { protocol: '6', portMin: 22, portMax: 22 },
    { protocol: 'tcp', portMin: 22, remoteCidr: '0.0.0.0/0' },
  ]) {
    assert.equal(nameOf(fields), plain);
  }
  assert.equal(nameOf({ protocol: 'any' }), nameOf({}));
  assert.equal(nameOf({ protocol: 'ipv6-icmp', ipv6: true }), nameOf({ protocol: '58', ipv6: true }));
});

test('only a rule that lets everything out is open egress', () => {
  const out = { securityGroup: 'web', direction: Direction.EGRESS };
  assert.equal(isOpenEgress(SecurityRuleSpec.fromPartial(out)), true);
  assert.equal(isOpenEgress(SecurityRuleSpec.fromPartial({ ...out, ipv6: true })), true);
  assert.equal(isOpenEgress(SecurityRuleSpec.fromPartial({ ...out, protocol: 'tcp' })), false);
  assert.equal(isOpenEgress(SecurityRuleSpec.fromPartial({ securityGroup: 'web' })), false);
});
