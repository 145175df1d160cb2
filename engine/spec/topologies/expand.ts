// A request that names a topology becomes a spec like any other: the topology's nodes, networks and connections after those
// that the request names itself, so that these keep their places. What is wrong with a part of the topology is told at the
// topology, since the parts are not in the request.

import type { FieldViolation } from '#common/errors.ts';
import {
  ConnectionSpec,
  NetworkSpec,
  NetworkType,
  NodeSpec,
  type SliceSpec,
} from '#proto/pucp/slice/v1/slice.ts';
import type { Topology, TopologyType } from '#proto/pucp/slice/v1/topology.ts';
import { freeRanges } from '../attach.ts';
import { formatCidr, parseCidr } from '../ipv4.ts';
import { SHAPES, type Shape, STAND_IN } from './shapes.ts';

export type Expansion = {
  /** With the topology in it; one that is wrong is there as far as its images and flavors can be judged by it. */
  readonly spec: SliceSpec;
  /** What is wrong with the topology itself. */
  readonly mistakes: readonly FieldViolation[];
  /** Mistakes of the spec as mistakes of the request. */
  restate(violations: readonly FieldViolation[]): FieldViolation[];
};

/** As the original had them; the last for requests whose own networks cover these. */
const BUS_POOLS = ['192.168.180.0/24', '192.168.181.0/24', '10.254.0.0/16'];
const MANAGEMENT_POOLS = ['192.168.201.0/24', '192.168.202.0/24', '10.253.0.0/16'];
const SHARED_PREFIX = 24;

/** A spec that can be checked, stored and changed as if it had been written in full. Ranges of links are left to others. */
export function expandTopology(asked: SliceSpec, topology: Topology | undefined): Expansion {
  if (!topology) return { spec: asked, mistakes: [], restate: (violations) => [...violations] };
  const mistakes = [...check(topology)];
  const isJudged = mistakes.length === 0;
  const shape = SHAPES.get(topology.type) ?? STAND_IN;
  const nodes = Math.min(Math.max(topology.nodes, shape.minNodes), shape.maxNodes);
  return {
    spec: joined(asked, partsOf({ ...topology, nodes }, shape, asked)),
    mistakes,
    restate: (violations) => restate(violations, asked, isJudged),
  };
}

/** The shapes that there are, for people. */
export function topologyTypes(): TopologyType[] {
  return [...SHAPES].map(([type, { description, minNodes, maxNodes }]) => ({
    type,
    description,
    minNodes,
    maxNodes,
  }));
}

function* check({ type, nodes, image, flavor }: Topology): Generator<FieldViolation> {
  const shape = SHAPES.get(type);
  if (!shape) {
    const what = type === '' ? 'is missing' : `"${type}" is not known`;
    const known = [...SHAPES].map(([name, one]) => `${name} (${one.minNodes} to ${one.maxNodes} nodes)`);
    const message = `${what}; use one of ${known.join(', ')}, or write nodes and connections for any other shape`;
    yield { field: 'topology.type', message };
  } else if (nodes < shape.minNodes || nodes > shape.maxNodes) {
    const message = `${nodes} are asked for; a ${type} has ${shape.minNodes} to ${shape.maxNodes} nodes`;
    yield { field: 'topology.nodes', message };
  }
  if (image === '') yield { field: 'topology.image', message: 'is missing: name the image of the nodes' };
  if (flavor === '') yield { field: 'topology.flavor', message: 'is missing: name the flavor of the nodes' };
}

type Parts = Pick<SliceSpec, 'nodes' | 'networks' | 'connections'>;

function joined(asked: SliceSpec, { nodes, networks, connections }: Parts): SliceSpec {
  return {
    ...asked,
    nodes: [...asked.nodes, ...nodes],
    networks: [...asked.networks, ...networks],
    connections: [...asked.connections, ...connections],
  };
}

function partsOf(topology: Topology, shape: Shape, asked: SliceSpec): Parts {
  const { image, flavor, internetAccess, keyPair, userData, infrastructure } = topology;
  const names = shape.names(topology.nodes).map((name) => `${topology.namePrefix}${name}`);
  const links = shape.links(topology.nodes);
  const networks = sharedNetworks(topology, asked);
  const nodes = names.map((name, at) => {
    const degree = links.filter((ends) => ends.includes(at)).length;
    return NodeSpec.fromPartial({
      name,
      image,
      flavor,
      networks: networks.map((network) => network.name),
      internetAccess,
      // On a bus nobody is in between.
      forwarding: topology.forwarding && degree > 1,
      keyPair,
      userData,
      infrastructure,
    });
  });
  const connections = links.map(([source, target]) =>
    ConnectionSpec.fromPartial({ source: names[source] ?? '', target: names[target] ?? '' }),
  );
  return { nodes, networks, connections };
}

/** The networks that all nodes are on. */
function sharedNetworks({ type, namePrefix, internetAccess }: Topology, asked: SliceSpec): NetworkSpec[] {
  const shared = (name: string, networkType: NetworkType, pools: readonly string[]) => {
    const used = [...asked.networks, ...asked.connections].flatMap(({ cidr }) => parseCidr(cidr) ?? []);
    const range = freeRanges(used, pools, SHARED_PREFIX).next().value;
    const cidr = range ? formatCidr(range) : '';
    return NetworkSpec.fromPartial({ name: `${namePrefix}${name}`, cidr, networkType, internetAccess });
  };
  if (type === 'bus') return [shared('bus', NetworkType.DATA, BUS_POOLS)];
  return internetAccess ? [shared('management', NetworkType.MANAGEMENT, MANAGEMENT_POOLS)] : [];
}

const PART = /^(nodes|networks|connections)\[(\d+)\](?:\.(\w+))?/;
/** Fields of a node that are fields of the topology, too. */
const OWN_FIELDS = ['image', 'flavor', 'key_pair', 'user_data', 'internet_access', 'infrastructure'];

function restate(
  violations: readonly FieldViolation[],
  asked: SliceSpec,
  isJudged: boolean,
): FieldViolation[] {
  const told = new Set<string>();
  return violations.flatMap(({ field, message }) => {
    const [, list, position, own = ''] = PART.exec(field) ?? [];
    const isAsked = list === undefined || Number(position) < asked[list as keyof Parts].length;
    if (isAsked && !field.startsWith('topology')) return [{ field, message }];
    const one = isAsked ? { field, message } : atTopology(own, message);
    // All nodes are alike, and so are their mistakes.
    if (told.has(one.field)) return [];
    told.add(one.field);
    // Names and addresses of a topology that is not what was meant say nothing.
    return isAsked || isJudged || OWN_FIELDS.includes(own) ? [one] : [];
  });
}

function atTopology(own: string, message: string): FieldViolation {
  if (own === 'name') {
    return { field: 'topology.name_prefix', message: `${message}: choose a name_prefix that avoids it` };
  }
  return { field: OWN_FIELDS.includes(own) ? `topology.${own}` : 'topology', message };
}
