import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Power, type Resource } from '#proto/pucp/driver/v1/resource.ts';
import { NetworkType, type SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { checkWish } from '../graph.ts';
import { compileSpec } from './compile.ts';
import { anySpec, linkOf, networkOf, nodeOf, specOf } from './testing/specs.ts';

const compile = (spec: SliceSpec) => compileSpec(spec, { power: Power.ON });

/** `kind name` of each resource. */
function keys(resources: readonly Resource[]): string[] {
  return resources.map((resource) => `${resource.kind?.$case} ${resource.name}`);
}

/** The specs of one kind by name. */
function specsOf(resources: readonly Resource[], kind: NonNullable<Resource['kind']>['$case']) {
  const found = resources.filter((resource) => resource.kind?.$case === kind);
  return Object.fromEntries(found.map((resource) => [resource.name, resource.kind?.value.spec]));
}

test('a node on a network needs a network, a subnet, a port and a server', () => {
  const resources = compile(specOf({ availabilityZone: 'nova' }));
  assert.deepEqual(keys(resources), ['network lan', 'subnet lan', 'port vm1-lan', 'server vm1']);
  assert.deepEqual(specsOf(resources, 'subnet').lan, {
    network: 'lan',
    cidr: '192.168.100.0/24',
    gatewayIp: '192.168.100.1',
    dnsServers: [],
    dhcp: true,
    reservedIps: [],
  });
  assert.deepEqual(specsOf(resources, 'server').vm1, {
    image: 'ubuntu-20.04',
    flavor: 'small',
    ports: ['vm1-lan'],
    availabilityZone: 'nova',
    power: Power.ON,
    keyPair: '',
    userData: '',
    volumes: [],
  });
});

test('a stopped slice wishes for the same with its servers off', () => {
  const [server] = compileSpec(specOf(), { power: Power.OFF }).slice(-1);
  assert.equal(server?.kind?.$case === 'server' && server.kind.value.spec?.power, Power.OFF);
});

test('single nodes are off while the others run', () => {
  const spec = specOf({ nodes: ['vm1', 'vm2'].map((name) => nodeOf(name)) });
  const resources = compileSpec(spec, { power: Power.ON, off: new Set(['vm2']) });
  const powers = resources.flatMap(({ kind }) => (kind?.$case === 'server' ? [kind.value.spec?.power] : []));
  assert.deepEqual(powers, [Power.ON, Power.OFF]);
});

test('a management address becomes the address of the port on its network', () => {
  const networks = [networkOf('lan', '10.0.0.0/24'), networkOf('mgmt', '10.0.1.0/24')];
  const ports = specsOf(
    compile(specOf({ networks, nodes: [nodeOf('vm1', { managementIp: '10.0.1.7' })] })),
    'port',
  );
  const plain = { macAddress: '', forwarding: false, securityGroups: [] };
  assert.deepEqual(ports, {
    'vm1-lan': { ...plain, network: 'lan', subnet: 'lan', ipAddress: '' },
    'vm1-mgmt': { ...plain, network: 'mgmt', subnet: 'mgmt', ipAddress: '10.0.1.7' },
  });
});

test('one router leads to the outside from every network that asks for it', () => {
  const resources = compile(
    specOf({
      nodes: [nodeOf('vm1', { networks: ['c', 'a'], internetAccess: true })],
      networks: [
        networkOf('a', '10.0.0.0/24'),
        networkOf('b', '10.0.1.0/24', { internetAccess: true }),
        networkOf('c', '10.0.2.0/24'),
        networkOf('d', '10.0.3.0/24', { networkType: NetworkType.EXTERNAL }),
      ],
    }),
  );
  assert.deepEqual(specsOf(resources, 'router'), { router: { external: true } });
  assert.deepEqual(Object.keys(specsOf(resources, 'routerInterface')), ['b', 'c', 'd']);
});

test('a link has a gateway only if one of its nodes goes out by it', () => {
  const nodes = [nodeOf('a', { internetAccess: true }), nodeOf('b'), nodeOf('c')];
  const connections = [linkOf('a', 'b'), linkOf('b', 'c')];
  const subnets = Object.values(specsOf(compile(specOf({ nodes, networks: [], connections })), 'subnet'));
  const gateways = subnets.map((subnet) => subnet && 'gatewayIp' in subnet && subnet.gatewayIp);
  assert.deepEqual(gateways, ['10.255.0.1', '']);
});

test('names are unique within a kind, and everything named exists and comes earlier', () => {
  fc.assert(
    fc.property(anySpec, (spec) => {
      const seen = new Set<string>();
      for (const resource of compile(spec)) {
        for (const needed of needs(resource)) assert.ok(seen.has(needed), `${resource.name} needs ${needed}`);
        const key = `${resource.kind?.$case} ${resource.name}`;
        assert.ok(!seen.has(key), key);
        seen.add(key);
      }
      const servers = compile(spec).filter((resource) => resource.kind?.$case === 'server');
      assert.deepEqual(
        servers.map((server) => server.name),
        spec.nodes.map((node) => node.name),
      );
    }),
  );
});

test('the engine takes whatever is compiled', () => {
  fc.assert(fc.property(anySpec, (spec) => checkWish(compile(spec))));
});

test('compiling twice gives the same, and power is all that stopping changes', () => {
  fc.assert(
    fc.property(anySpec, (spec) => {
      assert.deepEqual(compile(spec), compile(spec));
      const off = compileSpec(spec, { power: Power.OFF });
      for (const resource of off) {
        if (resource.kind?.$case === 'server' && resource.kind.value.spec)
          resource.kind.value.spec.power = Power.ON;
      }
      assert.deepEqual(off, compile(spec));
    }),
  );
});

function needs({ kind }: Resource): string[] {
  switch (kind?.$case) {
    case 'subnet':
      return [`network ${kind.value.spec?.network}`];
    case 'routerInterface':
      return [`router ${kind.value.spec?.router}`, `subnet ${kind.value.spec?.subnet}`];
    case 'port':
      return [`network ${kind.value.spec?.network}`, `subnet ${kind.value.spec?.subnet}`];
    case 'server':
      return (kind.value.spec?.ports ?? []).map((port) => `port ${port}`);
    default:
      return [];
  }
}
