import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SecurityGroupRuleSpec } from '#proto/pucp/openstack/v1/networking.ts';
import { checkRule, ruleBody, ruleKey } from './networking-rule-check.ts';
import { checkSubnet, isAddress, networkOf } from './networking-subnet-check.ts';
import { describe, descriptionOf, markIn, textChanges } from './networking-text.ts';

type Spec = Parameters<typeof SecurityGroupRuleSpec.fromPartial>[0];
const keyOf = (spec: Spec) => ruleKey(ruleBody(SecurityGroupRuleSpec.fromPartial(spec), undefined));
const wrong = (spec: Spec) => [...checkRule(SecurityGroupRuleSpec.fromPartial(spec), '')];

test('rules that Neutron takes for the same are the same', () => {
  const ssh = keyOf({ protocol: 'tcp', portRangeMin: 22 });
  assert.equal(keyOf({ protocol: '6', portRangeMin: 22, portRangeMax: 22, description: 'x' }), ssh);
  assert.equal(keyOf({ protocol: 'TCP', portRangeMin: 22, remoteIpPrefix: '0.0.0.0/0' }), ssh);
  assert.notEqual(keyOf({ protocol: 'tcp', portRangeMin: 22, ethertype: 'IPv6' }), ssh);
  assert.notEqual(keyOf({ protocol: 'tcp', portRangeMin: 22, direction: 'egress' }), ssh);
  const six = keyOf({ protocol: 'icmp', ethertype: 'IPv6' });
  assert.equal(keyOf({ protocol: '58', ethertype: 'IPv6' }), six);
  assert.equal(keyOf({ protocol: 'any' }), keyOf({}));
});

test('a rule’s version follows its prefix, and a single address is a range of one', () => {
  const body = ruleBody(SecurityGroupRuleSpec.fromPartial({ remoteIpPrefix: 'fd00::7' }), undefined);
  assert.deepEqual(body, { direction: 'ingress', ethertype: 'IPv6', remote_ip_prefix: 'fd00::7/128' });
});

test('an ICMP type needs no code, and a port range no end', () => {
  assert.deepEqual(wrong({ protocol: 'icmp', portRangeMin: 8 }), []);
  assert.deepEqual(wrong({ protocol: 'udp', portRangeMin: 53 }), []);
  assert.deepEqual(wrong({ protocol: 'vrrp' }), []);
  assert.deepEqual(wrong({ protocol: '200' }), []);
  assert.equal(wrong({ protocol: '256' })[0]?.field, 'protocol');
  assert.equal(wrong({ protocol: 'gre', portRangeMin: 1 })[0]?.field, 'port_range_min');
  assert.equal(wrong({ protocol: 'icmp', portRangeMin: 300 })[0]?.field, 'port_range_min');
});

test('addresses and networks are told from what only looks like them', () => {
  assert.deepEqual(['10.0.0.1', '::1', 'fd00::'].map(isAddress), [true, true, true]);
  assert.deepEqual(['10.1', '10.0.0.1/8', 'x', '', '1'].map(isAddress), [false, false, false, false, false]);
  assert.equal(networkOf('10.1.2.3/16'), '10.1.0.0/16');
  assert.equal(networkOf('fd00::1/64'), 'fd00::/64');
  assert.equal(networkOf('10.1.2.3'), undefined);
});

test('pools of IPv6 are compared as numbers', () => {
  const plan = { cidr: 'fd00::/64', gatewayIp: null, dnsNameservers: [], hostRoutes: [] };
  const pools = [
    { start: 'fd00::a', end: 'fd00::ff' },
    { start: 'fd00::100', end: 'fd00::1:0:0' },
  ];
  assert.deepEqual([...checkSubnet({ ...plan, allocationPools: pools })], []);
  const [mistake] = checkSubnet({ ...plan, gatewayIp: 'fd00::200', allocationPools: pools });
  assert.equal(mistake?.field, 'allocation_pools[1]');
});

test('a description keeps its mark, and shows none of it', () => {
  const mark = 'pucp-owner:1a2b3c4d.7';
  const thing = { id: 'n1', name: 'lan', description: describe(mark, 'of the lab\nroom 3') };
  assert.equal(descriptionOf(thing), 'of the lab\nroom 3');
  assert.equal(markIn(thing), mark);
  assert.deepEqual(textChanges({ description: '' }, thing), { description: mark });
  assert.deepEqual(textChanges({ description: 'pucp-owner:else' }, thing), {
    description: `${mark} pucp-owner:else`,
  });
  assert.equal(descriptionOf({ description: 'made by hand' }), 'made by hand');
  const slices = { ...thing, description: 'pucp-slice:s1' };
  assert.throws(() => textChanges({ name: 'x' }, slices), { reason: 'BELONGS_TO_SLICE' });
  assert.deepEqual(textChanges({}, slices), {});
});
