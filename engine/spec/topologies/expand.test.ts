import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NetworkType, type SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { Topology } from '#proto/pucp/slice/v1/topology.ts';
import { layoutOf } from '../attach.ts';
import { checkSpec } from '../check.ts';
import { linkOf, networkOf, nodeOf, specOf } from '../testing/specs.ts';
import { expandTopology, topologyTypes } from './expand.ts';

const LIMITS = { nodes: 40, networks: 10, links: 100 };
const NOTHING = { nodes: [], networks: [], connections: [] };

function shaped(fields: Parameters<typeof Topology.fromPartial>[0], asked: SliceSpec = specOf(NOTHING)) {
  const topology = Topology.fromPartial({
    type: 'ring',
    nodes: 3,
    image: 'cirros',
    flavor: 'nano',
    ...fields,
  });
  return expandTopology(asked, topology);
}

/** `a-b` of each link. */
function linksOf({ connections }: SliceSpec): string[] {
  return connections.map(({ source, target }) => `${source} ${target}`);
}

/** The mistakes of a request as its user is told, as `field: message`. */
function mistakes({ spec, mistakes, restate }: ReturnType<typeof shaped>): string[] {
  const all = restate([...mistakes, ...checkSpec(spec, LIMITS)]);
  return all.map(({ field, message }) => `${field}: ${message}`);
}

const anyTopology = fc.constantFrom(...topologyTypes()).chain(({ type, minNodes, maxNodes }) =>
  fc.record({
    type: fc.constant(type),
    nodes: fc.integer({ min: minNodes, max: maxNodes }),
    internetAccess: fc.boolean(),
    forwarding: fc.boolean(),
    namePrefix: fc.constantFrom('', 'left-'),
  }),
);

test('the six shapes have the nodes and links that their names say', () => {
  const seen = (type: string, nodes: number) => {
    const { spec } = shaped({ type, nodes });
    return [spec.nodes.map(({ name }) => name).join(' '), ...linksOf(spec)];
  };
  assert.deepEqual(seen('linear', 3), ['node-1 node-2 node-3', 'node-1 node-2', 'node-2 node-3']);
  assert.deepEqual(seen('ring', 3), [
    'node-1 node-2 node-3',
    'node-1 node-2',
    'node-2 node-3',
    'node-3 node-1',
  ]);
  assert.deepEqual(seen('star', 3), ['node-1 node-2 node-3', 'node-1 node-2', 'node-1 node-3']);
  assert.deepEqual(seen('mesh', 3), [
    'node-1 node-2 node-3',
    'node-1 node-2',
    'node-1 node-3',
    'node-2 node-3',
  ]);
  assert.deepEqual(seen('tree', 6), [
    'root branch-1 branch-2 leaf-1 leaf-2 leaf-3',
    'root branch-1',
    'root branch-2',
    'branch-1 leaf-1',
    'branch-1 leaf-2',
    'branch-2 leaf-3',
  ]);
  assert.deepEqual(seen('bus', 3), ['bus-server client-1 client-2']);
});

test('every topology within its limits is a correct slice, also beside a copy of itself with a prefix', () => {
  fc.assert(
    fc.property(anyTopology, (topology) => {
      const one = shaped(topology);
      assert.deepEqual(mistakes(one), []);
      const two = shaped({ ...topology, namePrefix: 'right-' }, one.spec);
      assert.deepEqual(mistakes(two), []);
    }),
  );
});

test('every link is a segment of its own, with the two nodes on it', () => {
  fc.assert(
    fc.property(anyTopology, (topology) => {
      const { spec } = shaped(topology);
      const { links, networks, attachments } = layoutOf(spec);
      assert.equal(new Set(links.map(({ network }) => network)).size, spec.connections.length);
      assert.equal(networks.filter(({ isLink }) => isLink).length, spec.connections.length);
      for (const { source, target, network } of links) {
        const onIt = [...attachments].filter(([, names]) => names.includes(network)).map(([name]) => name);
        assert.deepEqual(onIt.sort(), [source, target].sort());
      }
    }),
  );
});

test('all nodes of a topology are connected', () => {
  fc.assert(
    fc.property(anyTopology, (topology) => {
      const { spec } = shaped({ ...topology, internetAccess: false });
      const reached = new Set([spec.nodes[0]?.name]);
      const { attachments } = layoutOf(spec);
      for (const _ of spec.nodes) {
        const networks = new Set([...attachments].flatMap(([name, on]) => (reached.has(name) ? on : [])));
        for (const [name, on] of attachments) if (on.some((one) => networks.has(one))) reached.add(name);
      }
      assert.equal(reached.size, spec.nodes.length);
    }),
  );
});

test('all nodes are as the topology says, and those in between forward if asked', () => {
  const { spec } = shaped({
    type: 'star',
    nodes: 4,
    forwarding: true,
    keyPair: 'laptop',
    userData: '#!/bin/sh',
  });
  assert.deepEqual(
    spec.nodes.map(({ forwarding }) => forwarding),
    [true, false, false, false],
  );
  for (const { image, flavor, keyPair, userData } of spec.nodes) {
    assert.deepEqual([image, flavor, keyPair, userData], ['cirros', 'nano', 'laptop', '#!/bin/sh']);
  }
});

test('with internet access each node has a first interface outside of the shape', () => {
  const { spec } = shaped({ internetAccess: true });
  assert.deepEqual(
    spec.networks.map(({ name, cidr, networkType, internetAccess }) => [
      name,
      cidr,
      networkType,
      internetAccess,
    ]),
    [['management', '192.168.201.0/24', NetworkType.MANAGEMENT, true]],
  );
  assert.deepEqual(layoutOf(spec).attachments.get('node-2'), [
    'management',
    'node-1-node-2',
    'node-2-node-3',
  ]);
  const bus = shaped({ type: 'bus', internetAccess: true }).spec;
  assert.deepEqual(
    bus.networks.map(({ name, cidr, internetAccess }) => [name, cidr, internetAccess]),
    [['bus', '192.168.180.0/24', true]],
  );
});

test('a shared network takes another range where the request has the usual one', () => {
  const asked = specOf({ networks: [networkOf('lan', '192.168.180.0/22')] });
  assert.equal(shaped({ type: 'bus' }, asked).spec.networks[1]?.cidr, '10.254.0.0/24');
});

test('further nodes, networks and connections come first and may name what the topology makes', () => {
  const asked = specOf({
    nodes: [nodeOf('probe')],
    networks: [networkOf('lan', '10.1.0.0/24')],
    connections: [linkOf('probe', 'node-2'), linkOf('node-1', 'node-3', 'lan')],
  });
  const request = shaped({}, asked);
  assert.deepEqual(mistakes(request), []);
  assert.deepEqual(
    request.spec.nodes.map(({ name }) => name),
    ['probe', 'node-1', 'node-2', 'node-3'],
  );
  assert.deepEqual(linksOf(request.spec).slice(0, 2), ['probe node-2', 'node-1 node-3']);
});

test('a request without a topology stays as it is', () => {
  const asked = specOf();
  assert.equal(expandTopology(asked, undefined).spec, asked);
});

test('names that are taken are told at the prefix, once', () => {
  const asked = specOf({ nodes: [nodeOf('node-1'), nodeOf('NODE-2')] });
  assert.deepEqual(mistakes(shaped({}, asked)), [
    'topology.name_prefix: "node-1" is already the name of nodes[0]: choose a name_prefix that avoids it',
  ]);
  assert.match(
    mistakes(shaped({ namePrefix: '_' })).join(),
    /^topology\.name_prefix: "_node-1" is not a host name/,
  );
});

test('everything wrong with a topology and with the rest is told at once, where it was written', () => {
  const asked = specOf({
    nodes: [nodeOf('probe', { image: '' })],
    networks: [networkOf('lan', '10.0.0.0/33')],
  });
  assert.deepEqual(
    mistakes(shaped({ type: 'rign', nodes: 99, image: '', flavor: '' }, asked)).map(
      (one) => one.split(':')[0],
    ),
    ['topology.type', 'topology.image', 'topology.flavor', 'nodes[0].image', 'networks[0].cidr'],
  );
  const [type = ''] = mistakes(shaped({ type: 'rign' }));
  assert.match(
    type,
    /"rign" is not known; use one of linear \(2 to 20 nodes\), ring \(3 to 15 nodes\), star/,
  );
  assert.deepEqual(mistakes(shaped({ nodes: 16 })), [
    'topology.nodes: 16 are asked for; a ring has 3 to 15 nodes',
  ]);
  assert.deepEqual(mistakes(shaped({ nodes: 0 })), [
    'topology.nodes: 0 are asked for; a ring has 3 to 15 nodes',
  ]);
});

test('what the cloud has against an image is told at the topology, once for all nodes', () => {
  const asked = specOf({ nodes: [nodeOf('probe')] });
  const { restate } = shaped({}, asked);
  const told = restate([
    { field: 'nodes[0].image', message: 'first' },
    { field: 'nodes[1].image', message: 'second' },
    { field: 'nodes[2].image', message: 'third' },
    { field: 'availability_zone', message: 'fourth' },
  ]);
  assert.deepEqual(
    told.map(({ field, message }) => `${field}: ${message}`),
    ['nodes[0].image: first', 'topology.image: second', 'availability_zone: fourth'],
  );
});

test('a hybrid slice says at the topology where its nodes run', () => {
  const hybrid = specOf({ ...NOTHING, infrastructure: 'INFRASTRUCTURE_HYBRID' });
  assert.match(
    mistakes(shaped({}, hybrid)).join(),
    /^topology\.infrastructure: must be "linux" or "openstack"/,
  );
});
