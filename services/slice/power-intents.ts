// What stopping, starting and restarting one node mean for its slice. Pure, as intents.ts is for the slice as a whole.

import { Failure } from '#common/errors.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { refuseDeleting, refuseUndeployed } from './intents.ts';
import { nodesOff } from './power.ts';
import type { NodePower, SliceRow } from './rows.ts';
import type { Intent } from './store.ts';

const { STOPPING, STARTING, RESTARTING, ERROR } = SliceState;

/** Undefined on a node that is off already or on its way there. These three throw NOT_FOUND on an unknown node. */
export function stopNode(row: SliceRow, node: string): Intent | undefined {
  const wishes = wishesFor(row, { node, verb: 'stop' });
  if (wishes.get(node) === 'off' && row.status !== ERROR) return undefined;
  return intentOf(row, wishes.set(node, 'off'), {
    status: STOPPING,
    message: `Server ${node} is being shut down`,
  });
}

/** Undefined on a node that is on already or on its way there. */
export function startNode(row: SliceRow, node: string): Intent | undefined {
  const wishes = wishesFor(row, { node, verb: 'start' });
  if ((!wishes.has(node) || isRestarting(row, node)) && row.status !== ERROR) return undefined;
  wishes.delete(node);
  return intentOf(row, wishes, { status: STARTING, message: `Server ${node} is being started` });
}

/** Undefined on a node that is being restarted already. */
export function restartNode(row: SliceRow, node: string): Intent | undefined {
  const wishes = wishesFor(row, { node, verb: 'restart' });
  if (isRestarting(row, node)) return undefined;
  const message = `Server ${node} is being stopped and started again`;
  return intentOf(row, wishes.set(node, 'restart'), { status: RESTARTING, message });
}

/** What is still to come about for each node that is not simply to be on. */
function wishesFor(row: SliceRow, { node, verb }: { node: string; verb: string }): Map<string, NodeWish> {
  const names = row.spec.nodes.map(({ name }) => name);
  if (!names.includes(node)) throw noNode(row, { node, names });
  refuseDeleting(row, verb);
  refuseUndeployed(row, verb);
  const wishes = new Map<string, NodeWish>(nodesOff(row).map((name) => [name, 'off']));
  // Once the goal is `running` again, what was to be restarted is only to be on.
  if (row.goal !== 'restarting') return wishes;
  for (const name of names) if (row.node_power[name] === 'restart') wishes.set(name, 'restart');
  return wishes;
}

type NodeWish = NodePower[string];

function isRestarting({ status, node_power }: SliceRow, node: string): boolean {
  return status === RESTARTING && node_power[node] === 'restart';
}

function intentOf(
  { spec }: SliceRow,
  wishes: ReadonlyMap<string, NodeWish>,
  { status, message }: { status: SliceState; message: string },
): Intent {
  const words = spec.nodes.map(({ name }) => wishes.get(name));
  const nodePower = Object.fromEntries(wishes);
  if (words.includes('restart')) return { goal: 'restarting', status: RESTARTING, message, nodePower };
  if (words.every((word) => word === 'off')) return { goal: 'stopped', status, message, nodePower: {} };
  return { goal: 'running', status, message, nodePower };
}

function noNode(row: SliceRow, { node, names }: { node: string; names: readonly string[] }): Failure {
  const there = names.length > 0 ? `it has ${names.join(', ')}` : 'it has none';
  return new Failure({
    code: 'NOT_FOUND',
    reason: 'NODE_NOT_FOUND',
    message: `The slice "${row.name}" has no node "${node}"; ${there}`,
    metadata: { slice_id: row.id, node },
  });
}
