import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import type { DeepPartial, InterfaceSpec, NodeSpec, SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { checkSpec } from './check.ts';
import { compileSpec } from './compile.ts';
import { LIMITS, linkOf, networkOf, nodeOf, specOf } from './testing/specs.ts';

const networks = [networkOf('lan', '10.0.0.0/24'), networkOf('mgmt', '10.0.1.0/24')];

function mistakes(spec: SliceSpec): string[] {
  return checkSpec(spec, LIMITS).map(({ field, message }) => `${field}: ${message}`);
}

/** The mistakes of a node with these interfaces. */
function told(...interfaces: DeepPartial<InterfaceSpec>[]): string {
  return mistakes(specOf({ networks, nodes: [nodeOf('vm1', { interfaces })] })).join('\n');
}

/** `name address mac` of the ports of a node, in the order of its interfaces. */
function portsOf(node: DeepPartial<NodeSpec>, changes: DeepPartial<SliceSpec> = {}): string[] {
  const spec = specOf({ networks, nodes: [nodeOf('vm1', node), nodeOf('vm2')], ...changes });
  assert.deepEqual(mistakes(spec), []);
  const resources = compileSpec(spec, { power: Power.ON });
  const ports = new Map(
    resources.flatMap(({ name, kind }) => (kind?.$case === 'port' ? [[name, kind.value.spec] as const] : [])),
  );
  const server = resources.find(({ name, kind }) => kind?.$case === 'server' && name === 'vm1')?.kind;
  const order = (server?.$case === 'server' && server.value.spec?.ports) || [];
  return order.map((name) => `${name} ${ports.get(name)?.ipAddress} ${ports.get(name)?.macAddress}`.trim());
}

test('interfaces come first and in their order, then networks, then links', () => {
  const node = {
    interfaces: [
      { network: 'mgmt', ipAddress: '10.0.1.9' },
      { network: 'lan', macAddress: 'FA:16:3E:00:00:01' },
    ],
  };
  assert.deepEqual(portsOf(node), ['vm1-mgmt 10.0.1.9', 'vm1-lan  fa:16:3e:00:00:01']);
  assert.deepEqual(
    portsOf(
      { networks: ['mgmt'], interfaces: [{ network: 'lan' }] },
      { connections: [linkOf('vm1', 'vm2')] },
    ),
    ['vm1-lan', 'vm1-mgmt', 'vm1-vm1-vm2'],
  );
});

test('an interface may be on a link of the node', () => {
  const connections = [{ source: 'vm1', target: 'vm2', cidr: '10.9.0.0/29' }];
  const node = { interfaces: [{ network: 'vm1-vm2', ipAddress: '10.9.0.2' }] };
  assert.deepEqual(portsOf(node, { connections }), ['vm1-vm1-vm2 10.9.0.2']);
});

test('a forwarding node has ports that are not protected, on every network', () => {
  const spec = specOf({ networks, nodes: [nodeOf('r1', { forwarding: true }), nodeOf('vm1')] });
  const seen = compileSpec(spec, { power: Power.ON }).flatMap(({ name, kind }) =>
    kind?.$case === 'port' ? [[name, kind.value.spec?.forwarding]] : [],
  );
  assert.deepEqual(Object.fromEntries(seen), {
    'r1-lan': true,
    'r1-mgmt': true,
    'vm1-lan': false,
    'vm1-mgmt': false,
  });
});

test('a floating IP leads to the first interface, by a router on its network', () => {
  const nodes = [nodeOf('vm1', { floatingIp: true, interfaces: [{ network: 'mgmt' }, { network: 'lan' }] })];
  const seen = compileSpec(specOf({ networks, nodes }), { power: Power.ON });
  const address = seen.find(({ kind }) => kind?.$case === 'floatingIp')?.kind;
  assert.deepEqual(address?.$case === 'floatingIp' && address.value.spec, {
    port: 'vm1-mgmt',
    routerInterface: 'mgmt',
  });
  assert.deepEqual(
    seen.filter(({ kind }) => kind?.$case === 'routerInterface').map(({ name }) => name),
    ['mgmt'],
  );
});

for (const [interfaces, words] of [
  [[{}], /^nodes\[0\]\.interfaces\[0\]\.network: is missing: name a network$/],
  [
    [{ network: 'moon' }],
    /^nodes\[0\]\.interfaces\[0\]\.network: there is no network "moon"; there are lan, mgmt$/,
  ],
  [[{ network: 'lan' }, { network: 'lan' }], /^nodes\[0\]\.interfaces\[1\]\.network: "lan" is named twice/],
  [
    [{ network: 'lan', ipAddress: 'x' }],
    /^nodes\[0\]\.interfaces\[0\]\.ip_address: "x" is not an IPv4 address$/,
  ],
  [
    [{ network: 'lan', ipAddress: '10.0.1.5' }],
    /10\.0\.1\.5 is no host address of "lan" \(10\.0\.0\.0\/24\)$/,
  ],
  [[{ network: 'lan', ipAddress: '10.0.0.255' }], /is no host address/],
  [[{ network: 'lan', ipAddress: '10.0.0.1' }], /10\.0\.0\.1 is the gateway of the network "lan"$/],
  [[{ network: 'lan', macAddress: 'fa:16:3e' }], /\.mac_address: "fa:16:3e" is no MAC address of a host/],
  [[{ network: 'lan', macAddress: '01:00:5e:00:00:01' }], /is no MAC address of a host/],
  [[{ network: 'lan', macAddress: '00:00:00:00:00:00' }], /is no MAC address of a host/],
] as const) {
  test(`an interface is refused with the reason: ${words.source}`, () => {
    assert.match(told(...interfaces), words);
  });
}

test('no two interfaces have one address or one MAC, and all mistakes are told at once', () => {
  const same = { network: 'lan', ipAddress: '10.0.0.7', macAddress: 'fa:16:3e:00:00:01' };
  const other = { network: 'lan', ipAddress: '10.0.0.7', macAddress: 'FA:16:3E:00:00:01' };
  const nodes = [
    nodeOf('vm1', { interfaces: [same] }),
    nodeOf('vm2', { interfaces: [other, { network: 'x' }] }),
  ];
  assert.deepEqual(mistakes(specOf({ networks, nodes })), [
    'nodes[1].interfaces[0].ip_address: 10.0.0.7 is already the address of nodes[0].interfaces[0]',
    'nodes[1].interfaces[0].mac_address: FA:16:3E:00:00:01 is already the MAC address of nodes[0].interfaces[0]',
    'nodes[1].interfaces[1].network: there is no network "x"; there are lan, mgmt',
  ]);
});

test('an interface cannot have the management address of another node', () => {
  const interfaces = [{ network: 'mgmt', ipAddress: '10.0.1.9' }];
  const nodes = [nodeOf('vm1', { interfaces }), nodeOf('vm2', { managementIp: '10.0.1.9' })];
  assert.deepEqual(mistakes(specOf({ networks, nodes })), [
    'nodes[0].interfaces[0].ip_address: 10.0.1.9 is already the address of nodes[1].management_ip',
  ]);
  const own = nodeOf('vm1', { interfaces, managementIp: '10.0.1.9' });
  assert.deepEqual(mistakes(specOf({ networks, nodes: [own] })), []);
});
