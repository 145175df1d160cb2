// Which networks a slice has in all and which node is on which: the reading of a spec that its check, its compilation
// and its display share. A link without a network becomes a network of its own here.

import { type ConnectionSpec, NetworkSpec, NetworkType, type SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { type Cidr, cidrAt, formatCidr, overlaps, parseCidr } from './ipv4.ts';

/** A network of the slice: one that its user named, or one that a link has for itself. */
export type PlannedNetwork = {
  readonly spec: NetworkSpec;
  /** True if it is a link's own: two nodes, a small range chosen here, no gateway unless a node needs the outside. */
  readonly isLink: boolean;
};

/** A connection with its aliases resolved. */
export type Link = { readonly source: string; readonly target: string; readonly network: string };

export type Layout = {
  /** Those of the spec in its order, then those of links. */
  readonly networks: readonly PlannedNetwork[];
  /** By node name: the names of its networks in the order of its interfaces. */
  readonly attachments: ReadonlyMap<string, readonly string[]>;
  /** In the order of the spec; `network` is never empty. */
  readonly links: readonly Link[];
};

/** Where links get their ranges from, the second for slices whose own networks cover the first. */
export const LINK_POOLS = ['10.255.0.0/16', '172.31.0.0/16'] as const;
/** Six usable addresses a link. */
const LINK_PREFIX = 29;
const MAX_NETWORK_NAME = 63;
/** A spec with more is refused for that alone, so that no request costs more than it is worth. */
const MOST_LINKS = 1000;

/** Reads a spec, also one with mistakes: what it names wrongly is left out of no list and judged elsewhere. */
export function layoutOf(spec: SliceSpec): Layout {
  const own = ownNetworks(spec);
  const links = spec.connections.map((connection, index) => ({
    ...endsOf(connection),
    network: connection.network || (own.get(index)?.name ?? ''),
  }));
  const linked = new Map<string, string[]>();
  for (const { source, target, network } of links) {
    for (const end of [source, target]) {
      const networks = linked.get(end);
      if (networks) networks.push(network);
      else linked.set(end, [network]);
    }
  }
  const everything = spec.networks.map((network) => network.name);
  const attachments = spec.nodes.map((node) => {
    const listed = [...node.interfaces.map(({ network }) => network), ...node.networks];
    const named = [...new Set([...listed, ...(linked.get(node.name) ?? [])])];
    return [node.name, named.length > 0 ? named : everything] as const;
  });
  return {
    networks: [
      ...spec.networks.map((network) => ({ spec: network, isLink: false })),
      ...[...own.values()].map((network) => ({ spec: network, isLink: true })),
    ],
    attachments: new Map(attachments),
    links,
  };
}

/** The two nodes of a connection, under whichever names it gives them. */
export function endsOf(connection: ConnectionSpec): { source: string; target: string } {
  return { source: connection.source || connection.from, target: connection.target || connection.to };
}

/**
 * The spec with a name and a range written down for each link's own segment, so that later changes of other links do not
 * move it: what the spec says, what the same link had in `before`, or what is free. Links are the same by their ends, in
 * this direction, and by their turn among those of the same ends.
 */
export function withLinks(spec: SliceSpec, before?: SliceSpec): SliceSpec {
  if (spec.connections.length > MOST_LINKS) return spec;
  const kept = keepLinks(spec, before ? withLinks(before) : undefined);
  const own = ownNetworks(kept);
  const connections = kept.connections.map((connection, index) => {
    const { name = '', cidr = '' } = own.get(index) ?? {};
    return connection.network ? connection : { ...connection, name, cidr };
  });
  return { ...kept, connections };
}

function keepLinks(spec: SliceSpec, before: SliceSpec | undefined): SliceSpec {
  const isOwn = ({ network }: ConnectionSpec) => network === '';
  const endsKey = (connection: ConnectionSpec) => JSON.stringify(Object.values(endsOf(connection)));
  const asked = spec.connections.filter(isOwn);
  const names = new Set([...spec.networks, ...asked].map(({ name }) => name.toLowerCase()));
  const ranges = [...spec.networks, ...asked].flatMap(({ cidr }) => parseCidr(cidr) ?? []);
  // What the spec names itself is that link, whichever turn it has.
  const left = Map.groupBy(
    (before?.connections ?? []).filter(isOwn).filter((link) => !asked.some(({ name }) => name === link.name)),
    endsKey,
  );
  const connections = spec.connections.map((connection) => {
    if (!isOwn(connection) || connection.name !== '') return connection;
    const same = left.get(endsKey(connection)) ?? [];
    const index = same.findIndex(({ cidr }) =>
      connection.cidr === '' ? !asked.some((one) => one.cidr === cidr) : cidr === connection.cidr,
    );
    const [link] = index < 0 ? [] : same.splice(index, 1);
    if (!link) return connection;
    const name = names.has(link.name.toLowerCase()) ? '' : link.name;
    const range = parseCidr(link.cidr);
    const isFree = range && !ranges.some((one) => overlaps(one, range));
    return { ...connection, name, cidr: connection.cidr || (isFree ? link.cidr : '') };
  });
  return { ...spec, connections };
}

// By the connection's index. Names and ranges go out in order, skipping whatever the spec itself names.
function ownNetworks(spec: SliceSpec): Map<number, NetworkSpec> {
  const links = spec.connections.filter(({ network }) => network === '');
  const taken = new Set([...spec.networks, ...links].map(({ name }) => name.toLowerCase()));
  const used = [...spec.networks, ...spec.connections].flatMap(({ cidr }) => parseCidr(cidr) ?? []);
  const ranges = freeRanges(used, LINK_POOLS, LINK_PREFIX);
  const networks = new Map<number, NetworkSpec>();
  spec.connections.forEach((connection, index) => {
    if (connection.network) return;
    const { source, target } = endsOf(connection);
    const name = connection.name || freeName(`${source}-${target}`, taken);
    const range = connection.cidr === '' ? ranges.next().value : undefined;
    const cidr = range ? formatCidr(range) : connection.cidr;
    networks.set(index, NetworkSpec.fromPartial({ name, cidr, networkType: NetworkType.DATA }));
  });
  return networks;
}

function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted.slice(0, MAX_NETWORK_NAME);
  for (let count = 2; taken.has(name.toLowerCase()); count += 1) {
    const suffix = `-${count}`;
    name = `${wanted.slice(0, MAX_NETWORK_NAME - suffix.length)}${suffix}`;
  }
  taken.add(name.toLowerCase());
  return name;
}

/** Ranges of a size, pool by pool, that overlap nothing that is used. */
export function* freeRanges(
  used: readonly Cidr[],
  pools: readonly string[],
  prefix: number,
): Generator<Cidr, undefined> {
  for (const pool of pools.map(parseCidr)) {
    for (let at = pool?.first ?? 0; at < (pool?.last ?? 0); at += 2 ** (32 - prefix)) {
      const range = cidrAt(at, prefix);
      if (!used.some((cidr) => overlaps(cidr, range))) yield range;
    }
  }
  return undefined;
}
