// Slices as people would ask for them, at random: the six shapes and any other graph, with what may hang on a node.

import fc from 'fast-check';
import { checkSpec } from '#engine/spec/check.ts';
import {
  type ConnectionSpec,
  type DeepPartial,
  Infrastructure,
  SliceSpec,
} from '#proto/pucp/slice/v1/slice.ts';

const LIMITS = { nodes: 20, networks: 20, links: 100 };
const SHAPES = ['linear', 'ring', 'star', 'bus', 'tree', 'mesh', 'random'] as const;
type Shape = (typeof SHAPES)[number];

type Pick = () => boolean;

/** Correct specs of 1 to 8 nodes; most have few, as what goes wrong seldom needs many. */
export const anySpec: fc.Arbitrary<SliceSpec> = fc
  .record({
    shape: fc.constantFrom(...SHAPES),
    nodes: fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 3 }) }, fc.integer({ min: 4, max: 8 })),
    picks: fc.array(fc.nat(9), { minLength: 80, maxLength: 80 }),
  })
  .map(({ shape, nodes, picks }) => {
    let at = 0;
    return specOf(shape, nodes, (tenths = 3) => (picks[at++ % picks.length] ?? 0) < tenths);
  })
  .filter((spec) => checkSpec(spec, LIMITS).length === 0);

function specOf(shape: Shape, count: number, pick: (tenths?: number) => boolean): SliceSpec {
  const names = Array.from({ length: count }, (_, index) => `vm${index + 1}`);
  const hasLan = shape === 'bus' || count === 1 || pick();
  const isGuarded = pick(4);
  const lan = { name: 'lan', cidr: '192.168.100.0/24', internetAccess: pick() };
  return SliceSpec.fromPartial({
    name: 'lab',
    infrastructure: Infrastructure.OPENSTACK,
    networks: hasLan ? [lan] : [],
    nodes: names.map((name) => {
      const isForwarding = pick(2);
      const securityGroups = isGuarded && !isForwarding && pick(6) ? ['web'] : [];
      return {
        name,
        image: 'cirros',
        flavor: pick(2) ? 'm1.nano' : 'm1.tiny',
        networks: hasLan ? ['lan'] : [],
        forwarding: isForwarding,
        internetAccess: pick(2),
        floatingIp: pick(2),
        securityGroups,
        volumes: pick(2) ? [{ size: 1 }] : [],
      };
    }),
    connections: linksOf(shape, names, () => pick(5)),
    securityGroups: isGuarded ? [{ name: 'web', rules: RULES.filter(() => pick(6)) }] : [],
  });
}

const RULES = [
  { protocol: 'tcp', portMin: 22 },
  { protocol: 'tcp', portMin: 80, portMax: 443, remoteCidr: '10.0.0.0/8' },
  { protocol: 'icmp' },
  { remoteGroup: 'web' },
];

function linksOf(shape: Shape, names: readonly string[], pick: Pick): DeepPartial<ConnectionSpec>[] {
  const pairs = names.flatMap((source, i) =>
    names.slice(i + 1).map((target, j) => ({ source, target, i, j: i + 1 + j })),
  );
  const isLinked = ({ i, j }: { readonly i: number; readonly j: number }): boolean => {
    switch (shape) {
      case 'linear':
        return j === i + 1;
      case 'ring':
        return j === i + 1 || (i === 0 && j === names.length - 1);
      case 'star':
        return i === 0;
      case 'tree':
        return i === Math.floor((j - 1) / 2);
      case 'mesh':
        return true;
      case 'bus':
        return false;
      case 'random':
        return pick();
    }
  };
  return pairs.filter(isLinked).map(({ source, target }) => ({ source, target }));
}
