// The shapes that a topology may have: how many nodes, what they are called, which of them a link joins. Limits and names
// are the original system's.

export type Shape = {
  readonly description: string;
  readonly minNodes: number;
  readonly maxNodes: number;
  /** The names of that many nodes. */
  readonly names: (nodes: number) => string[];
  /** Pairs of positions among them; none if one network joins all of them. */
  readonly links: (nodes: number) => (readonly [number, number])[];
};

const LINEAR: Shape = {
  description: 'A chain: each node is linked to the next; node-1, node-2, …',
  minNodes: 2,
  maxNodes: 20,
  names: numbered,
  links: chain,
};

const RING: Shape = {
  description: 'A chain whose last node is linked to the first; node-1, node-2, …',
  minNodes: 3,
  maxNodes: 15,
  names: numbered,
  links: (nodes) => [...chain(nodes), [nodes - 1, 0]],
};

const STAR: Shape = {
  description: 'A hub, node-1, with a link to each of node-2, node-3, …',
  minNodes: 2,
  maxNodes: 10,
  names: numbered,
  links: (nodes) => positions(nodes - 1).map((spoke) => [0, spoke + 1]),
};

const BUS: Shape = {
  description: 'One network that all are on: bus-server, client-1, client-2, …',
  minNodes: 3,
  maxNodes: 20,
  names: (nodes) => positions(nodes).map((at) => (at === 0 ? 'bus-server' : `client-${at}`)),
  links: () => [],
};

const TREE: Shape = {
  description: 'A binary tree, filled level by level: root, branch-1, branch-2, …, leaf-1, leaf-2, …',
  minNodes: 3,
  maxNodes: 15,
  names: treeNames,
  links: (nodes) => positions(nodes - 1).map((at) => [parentOf(at + 1), at + 1]),
};

const MESH: Shape = {
  description: 'Every node is linked to every other; node-1, node-2, …',
  minNodes: 2,
  maxNodes: 8,
  names: numbered,
  links: (nodes) => positions(nodes).flatMap((to) => positions(to).map((from) => [from, to] as const)),
};

/** By type, the simplest first. */
export const SHAPES: ReadonlyMap<string, Shape> = new Map(
  Object.entries({ linear: LINEAR, ring: RING, star: STAR, bus: BUS, tree: TREE, mesh: MESH }),
);

/** For judging the rest of a topology whose type is not known: its nodes are most likely to be called so. */
export const STAND_IN = LINEAR;

function positions(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

function numbered(nodes: number): string[] {
  return positions(nodes).map((at) => `node-${at + 1}`);
}

function chain(nodes: number): [number, number][] {
  return positions(nodes - 1).map((at) => [at, at + 1]);
}

function parentOf(at: number): number {
  return Math.floor((at - 1) / 2);
}

/** Those that are nobody's parent are leaves, and they are the last ones. */
function treeNames(nodes: number): string[] {
  const branches = parentOf(nodes - 1);
  return positions(nodes).map((at) => {
    if (at === 0) return 'root';
    return at <= branches ? `branch-${at}` : `leaf-${at - branches}`;
  });
}
