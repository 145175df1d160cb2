// Specs for tests: examples made short, and a generator of correct ones for laws.

import fc from 'fast-check';
import {
  ConnectionSpec,
  type DeepPartial,
  Infrastructure,
  NetworkSpec,
  NodeSpec,
  SliceSpec,
} from '#proto/pucp/slice/v1/slice.ts';
import { formatAddress } from '../ipv4.ts';

export const LIMITS = { nodes: 20, networks: 10, links: 100 };

/** A correct spec of one node on one network, with changes. */
export function specOf(changes: DeepPartial<SliceSpec> = {}): SliceSpec {
  return SliceSpec.fromPartial({
    name: 'lab',
    infrastructure: Infrastructure.OPENSTACK,
    nodes: [nodeOf('vm1')],
    networks: [networkOf('lan', '192.168.100.0/24')],
    ...changes,
  });
}

export function nodeOf(name: string, changes: DeepPartial<NodeSpec> = {}): NodeSpec {
  return NodeSpec.fromPartial({ name, image: 'ubuntu-20.04', flavor: 'small', ...changes });
}

export function networkOf(name: string, cidr: string, changes: DeepPartial<NetworkSpec> = {}): NetworkSpec {
  return NetworkSpec.fromPartial({ name, cidr, ...changes });
}

export function linkOf(source: string, target: string, network = ''): ConnectionSpec {
  return ConnectionSpec.fromPartial({ source, target, network });
}

/** Correct specs of 1 to 12 nodes: every way to attach, links with and without a network, ways to the outside. */
export const anySpec: fc.Arbitrary<SliceSpec> = fc
  .record({
    nodes: fc.integer({ min: 1, max: 12 }),
    networks: fc.integer({ min: 1, max: 6 }),
    dashes: fc.boolean(),
    picks: fc.infiniteStream(fc.nat(1000)),
  })
  .map(({ nodes, networks, dashes, picks }) => {
    const pick = (below: number) => (picks.next().value ?? 0) % below;
    const networkNames = Array.from({ length: networks }, (_, i) =>
      dashes ? `n-${'x-'.repeat(i)}z` : `net${i}`,
    );
    const nodeNames = Array.from({ length: nodes }, (_, i) => (dashes ? `${'n-x-'.repeat(i)}n` : `vm${i}`));
    return specOf({
      nodes: nodeNames.map((name) => {
        const named = networkNames.filter(() => pick(3) === 0);
        return nodeOf(name, { networks: named, internetAccess: pick(4) === 0 });
      }),
      networks: networkNames.map((name, i) =>
        networkOf(name, `${formatAddress(0x0a_f8_00_00 + i * 0x2_00_00)}/${15 + pick(10)}`, {
          internetAccess: pick(4) === 0,
        }),
      ),
      connections: Array.from({ length: nodes < 2 ? 0 : pick(8) }, () => {
        const source = pick(nodes);
        const target = (source + 1 + pick(nodes - 1)) % nodes;
        const network = pick(2) === 0 ? networkNames[pick(networks)] : '';
        return linkOf(nodeNames[source] ?? '', nodeNames[target] ?? '', network);
      }),
    });
  });
