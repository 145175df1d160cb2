import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { layoutOf } from './attach.ts';
import { overlaps, parseCidr } from './ipv4.ts';
import { anySpec, linkOf, networkOf, nodeOf, specOf } from './testing/specs.ts';

test('a node attaches to what it names, then to its links; one that names nothing attaches to every network', () => {
  const layout = layoutOf(
    specOf({
      nodes: [nodeOf('a', { networks: ['data'] }), nodeOf('b'), nodeOf('c')],
      networks: [networkOf('lan', '10.0.0.0/24'), networkOf('data', '10.0.1.0/24')],
      connections: [linkOf('a', 'b'), linkOf('b', 'a', 'lan')],
    }),
  );
  assert.deepEqual(Object.fromEntries(layout.attachments), {
    a: ['data', 'a-b', 'lan'],
    b: ['a-b', 'lan'],
    c: ['lan', 'data'],
  });
});

test('each link without a network is a network of its own', () => {
  const nodes = [nodeOf('a'), nodeOf('b'), nodeOf('c')];
  const connections = [linkOf('a', 'b'), linkOf('b', 'c'), linkOf('a', 'b')];
  const layout = layoutOf(specOf({ nodes, networks: [networkOf('B-C', '10.255.0.0/29')], connections }));
  assert.deepEqual(
    layout.networks.map(({ spec, isLink }) => [spec.name, spec.cidr, isLink]),
    [
      ['B-C', '10.255.0.0/29', false],
      ['a-b', '10.255.0.8/29', true],
      ['b-c-2', '10.255.0.16/29', true],
      ['a-b-2', '10.255.0.24/29', true],
    ],
  );
});

test('a long link keeps within the length of a network name', () => {
  const nodes = ['a'.repeat(63), 'b'.repeat(63)];
  const connections = [linkOf(nodes[0] ?? '', nodes[1] ?? ''), linkOf(nodes[0] ?? '', nodes[1] ?? '')];
  const names = layoutOf(specOf({ connections, networks: [] })).networks.map((network) => network.spec.name);
  assert.deepEqual(names, ['a'.repeat(63), `${'a'.repeat(61)}-2`]);
});

test('no two networks of a slice share a name or an address', () => {
  fc.assert(
    fc.property(anySpec, (spec) => {
      const { networks } = layoutOf(spec);
      const names = networks.map((network) => network.spec.name.toLowerCase());
      assert.equal(new Set(names).size, names.length);
      const ranges = networks.map((network) => parseCidr(network.spec.cidr));
      for (const [i, a] of ranges.entries()) {
        assert.ok(a);
        for (const b of ranges.slice(i + 1)) assert.ok(b && !overlaps(a, b));
      }
    }),
  );
});

test('every link puts both its nodes on its network', () => {
  fc.assert(
    fc.property(anySpec, (spec) => {
      const { attachments, links } = layoutOf(spec);
      for (const { source, target, network } of links) {
        assert.ok(attachments.get(source)?.includes(network));
        assert.ok(attachments.get(target)?.includes(network));
      }
    }),
  );
});

test('links find room elsewhere when a network covers their usual range', () => {
  const nodes = [nodeOf('a'), nodeOf('b')];
  const networks = [networkOf('all', '10.0.0.0/8')];
  const layout = layoutOf(specOf({ nodes, networks, connections: [linkOf('a', 'b')] }));
  assert.equal(layout.networks[1]?.spec.cidr, '172.31.0.0/29');
});
