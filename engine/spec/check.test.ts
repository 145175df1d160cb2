import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Infrastructure, SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { checkSpec } from './check.ts';
import { anySpec, LIMITS, linkOf, networkOf, nodeOf, specOf } from './testing/specs.ts';

/** The mistakes as `field: message`. */
function mistakes(spec: SliceSpec): string[] {
  return checkSpec(spec, LIMITS).map(({ field, message }) => `${field}: ${message}`);
}

/** The one mistake of a spec. */
function mistake(spec: SliceSpec): string {
  const all = mistakes(spec);
  assert.equal(all.length, 1, all.join('\n'));
  return all[0] ?? '';
}

test('a correct spec has no mistakes', () => {
  assert.deepEqual(mistakes(specOf()), []);
});

test('every spec of the generator is correct', () => {
  fc.assert(fc.property(anySpec, (spec) => assert.deepEqual(mistakes(spec), [])));
});

test('an empty spec is told everything that it lacks', () => {
  assert.deepEqual(
    checkSpec(SliceSpec.create(), LIMITS).map((violation) => violation.field),
    ['name', 'infrastructure', 'nodes', 'networks'],
  );
});

test('all mistakes are told at once, in the order of the fields', () => {
  const spec = specOf({
    name: '',
    nodes: [nodeOf('vm1'), { name: 'VM1', flavor: 'small', networks: ['nowhere'] }, nodeOf('-x')],
    networks: [networkOf('lan', '10.0.0.5/24'), networkOf('LAN', '10.0.0.128/25')],
    connections: [linkOf('vm1', 'vm1'), linkOf('vm1', 'vm9', 'moon')],
  });
  assert.deepEqual(
    checkSpec(spec, LIMITS).map((violation) => violation.field),
    [
      'name',
      'nodes[1].image',
      'nodes[1].name',
      'nodes[1].networks[0]',
      'nodes[2].name',
      'networks[0].cidr',
      'networks[1].name',
      'networks[1].cidr',
      'connections[0].target',
      'connections[1].target',
      'connections[1].network',
    ],
  );
});

test('connections alone are enough: they make networks', () => {
  const spec = specOf({ nodes: [nodeOf('a'), nodeOf('b')], networks: [], connections: [linkOf('a', 'b')] });
  assert.deepEqual(mistakes(spec), []);
});

test('a node that no connection reaches is alone when there are no networks', () => {
  const nodes = [nodeOf('a'), nodeOf('b'), nodeOf('c')];
  const spec = specOf({ nodes, networks: [], connections: [linkOf('a', 'b')] });
  assert.match(mistake(spec), /^nodes\[2\]\.networks: the node is on no network/);
});

test('more nodes, networks or links than allowed are refused with the numbers', () => {
  const nodes = Array.from({ length: 21 }, (_, i) => nodeOf(`vm${i}`));
  assert.equal(mistake(specOf({ nodes })), 'nodes: 21 are asked for, at most 20 are allowed in a slice');
});

test('a list out of all proportion is refused without looking at each entry', () => {
  const connections = Array.from({ length: 50_000 }, () => linkOf('vm1', 'vm1'));
  assert.match(mistake(specOf({ connections })), /^connections: 50000 are asked for/);
});

for (const [cidr, words] of [
  ['10.0.0.5/24', /host bits set; the network is 10\.0\.0\.0\/24/],
  ['2001:db8::/64', /IPv6, which is not served yet/],
  ['10.0.0.0', /is not an IPv4 network; write it like/],
  ['10.0.0.0/33', /is not an IPv4 network/],
  ['10.0.0/24', /is not an IPv4 network/],
  ['010.0.0.0/24', /is not an IPv4 network/],
  ['127.0.0.0/24', /lies in 127\.0\.0\.0\/8, which is loopback/],
  ['169.254.1.0/24', /link-local/],
  ['239.0.0.0/24', /multicast/],
  ['0.1.0.0/16', /"this network"/],
  ['10.0.0.0/31', /too small: 0 usable addresses, but 3 are needed \(1 node, 1 gateway, 1 DHCP server\)/],
  ['10.0.0.0/30', /too small: 2 usable addresses, but 3 are needed/],
] as const) {
  test(`the range ${cidr} is refused with the reason`, () => {
    assert.match(mistake(specOf({ networks: [networkOf('lan', cidr)] })), words);
  });
}

test('a subnet is too small as soon as one node more than fits attaches', () => {
  const nodes = Array.from({ length: 5 }, (_, i) => nodeOf(`vm${i}`));
  const networks = [networkOf('lan', '10.0.0.0/29')];
  assert.deepEqual(mistakes(specOf({ nodes: nodes.slice(0, 4), networks })), []);
  assert.match(mistake(specOf({ nodes, networks })), /6 usable addresses, but 7 are needed \(5 nodes/);
});

test('overlapping ranges are refused by naming both', () => {
  const networks = [networkOf('a', '10.0.0.0/16'), networkOf('b', '10.0.7.0/24')];
  assert.equal(
    mistake(specOf({ networks })),
    'networks[1].cidr: 10.0.7.0/24 overlaps the network "a" (10.0.0.0/16)',
  );
});

for (const [gateway, words] of [
  ['10.0.1.1', /10\.0\.1\.1 is not in 10\.0\.0\.0\/24/],
  ['10.0.0.0', /the address of the network itself/],
  ['10.0.0.255', /the broadcast address/],
  ['router', /is not an IPv4 address/],
] as const) {
  test(`the gateway ${gateway} is refused with the reason`, () => {
    assert.match(mistake(specOf({ networks: [networkOf('lan', '10.0.0.0/24', { gateway })] })), words);
  });
}

test('name servers must be addresses and VLANs must exist', () => {
  const network = networkOf('lan', '10.0.0.0/24', { dnsServers: ['8.8.8.8', 'dns.google'], vlanId: 4095 });
  assert.deepEqual(mistakes(specOf({ networks: [network] })), [
    'networks[0].dns_servers[1]: "dns.google" is not an IPv4 address',
    'networks[0].vlan_id: 4095 is no VLAN; use 1 to 4094',
  ]);
});

for (const [managementIp, words] of [
  ['10.9.9.9', /10\.9\.9\.9 is no host address of a network of the node \(lan\)/],
  ['192.168.100.1', /is the gateway of the network "lan"/],
  ['192.168.100.255', /is no host address/],
  ['vm1', /is not an IPv4 address/],
] as const) {
  test(`the management address ${managementIp} is refused with the reason`, () => {
    assert.match(mistake(specOf({ nodes: [nodeOf('vm1', { managementIp })] })), words);
  });
}

test('two nodes cannot have the same management address', () => {
  const nodes = ['vm1', 'vm2'].map((name) => nodeOf(name, { managementIp: '192.168.100.9' }));
  assert.match(
    mistake(specOf({ nodes })),
    /^nodes\[1\]\.management_ip: .* already the address of nodes\[0\]/,
  );
});

test('an unknown placement policy is refused with those that exist', () => {
  assert.match(mistake(specOf({ placementPolicy: 'magic' })), /"magic" is not known; use one of balanced, /);
});

test('each node of a hybrid slice says where it runs, and no other node says otherwise', () => {
  assert.match(
    mistake(specOf({ infrastructure: Infrastructure.HYBRID })),
    /^nodes\[0\]\.infrastructure: must be/,
  );
  const linux = nodeOf('vm1', { infrastructure: Infrastructure.LINUX });
  assert.match(mistake(specOf({ nodes: [linux] })), /only the nodes of a hybrid slice choose/);
});

test('a network named twice by a node is refused', () => {
  const spec = specOf({ nodes: [nodeOf('vm1', { networks: ['lan', 'lan'] })] });
  assert.match(mistake(spec), /^nodes\[0\]\.networks\[1\]: "lan" is named twice/);
});

test('from and to are other names for source and target, and must not disagree with them', () => {
  const nodes = [nodeOf('a'), nodeOf('b')];
  const aliased = { source: '', target: '', network: '', from: 'a', to: 'b' };
  assert.deepEqual(mistakes(specOf({ nodes, connections: [aliased] })), []);
  const torn = { ...aliased, source: 'b', target: 'a' };
  assert.deepEqual(
    checkSpec(specOf({ nodes, connections: [torn] }), LIMITS).map((violation) => violation.field),
    ['connections[0].from', 'connections[0].to'],
  );
});
