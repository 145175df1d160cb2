// Which servers of a slice are to run: its goal says it for all, and `node_power` what was asked for single nodes, which
// counts while the goal is not that all are off. Pure.

import { Power } from '#proto/pucp/driver/v1/resource.ts';
import type { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import type { NodePower, SliceRow } from './rows.ts';

type Wish = Pick<SliceRow, 'goal' | 'node_power'>;

/** The power of all servers, and the names of those that are off nevertheless. */
export function powerOf({ goal, node_power }: Wish): { power: Power; off: ReadonlySet<string> } {
  const words = goal === 'restarting' ? ['off', 'restart'] : ['off'];
  const off = Object.entries(node_power).flatMap(([node, word]) => (words.includes(word) ? [node] : []));
  return { power: goal === 'stopped' ? Power.OFF : Power.ON, off: new Set(off) };
}

/** How a node is to be, as the API writes it: `on` also while it is being restarted. */
export function powerWord({ goal, node_power }: Wish, node: string): 'on' | 'off' {
  return goal === 'stopped' || node_power[node] === 'off' ? 'off' : 'on';
}

/** The nodes of the spec that are to be off, in its order. */
export function nodesOff({ spec, ...wish }: Wish & { spec: SliceSpec }): string[] {
  return spec.nodes.map(({ name }) => name).filter((name) => powerWord(wish, name) === 'off');
}

/** Every server off and then on. */
export function restartOfAll({ nodes }: SliceSpec): NodePower {
  return Object.fromEntries(nodes.map(({ name }) => [name, 'restart']));
}

/** What was asked for the nodes that a new spec still has. */
export function powerWithin(nodePower: NodePower, { nodes }: SliceSpec): NodePower {
  const names = new Set(nodes.map(({ name }) => name));
  return Object.fromEntries(Object.entries(nodePower).filter(([name]) => names.has(name)));
}
