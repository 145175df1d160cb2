import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import { SliceSpec, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { deploy, restart, start, stop } from './intents.ts';
import { powerOf, powerWord } from './power.ts';
import { restartNode, startNode, stopNode } from './power-intents.ts';
import type { SliceRow } from './rows.ts';
import type { Intent } from './store.ts';

const { ACTIVE, STOPPING, STOPPED, STARTING, RESTARTING, ERROR, DRAFT, DELETING } = SliceState;

test('a node that is stopped leaves the others running, and starts again with its own word', () => {
  const stopped = after(rowOf(), stopNode(rowOf(), 'b'));
  assert.deepEqual(wordsOf(stopped), ['on', 'off', 'on']);
  assert.deepEqual([stopped.goal, stopped.status], ['running', STOPPING]);
  const settled = { ...stopped, status: ACTIVE };
  assert.equal(stopNode(settled, 'b'), undefined, 'repeated, it is nothing');
  const started = after(settled, startNode(settled, 'b'));
  assert.deepEqual([wordsOf(started), started.status], [['on', 'on', 'on'], STARTING]);
  assert.equal(startNode(started, 'b'), undefined);
});

test('when the last node is stopped, the slice is', () => {
  let row = rowOf();
  for (const node of ['a', 'b', 'c']) row = after(row, stopNode(row, node));
  assert.equal(row.goal, 'stopped');
  assert.equal(stop(row), undefined, 'on its way there already');
  const one = after({ ...row, status: STOPPED }, startNode({ ...row, status: STOPPED }, 'b'));
  assert.deepEqual([one.goal, wordsOf(one)], ['running', ['off', 'on', 'off']]);
});

test('a node is restarted by being off first, while what is off stays off', () => {
  const row = rowOf({ node_power: { a: 'off' } });
  const first = after(row, restartNode(row, 'b'));
  assert.deepEqual([first.goal, first.status], ['restarting', RESTARTING]);
  assert.deepEqual(offOf(first), ['a', 'b']);
  assert.equal(restartNode(first, 'b'), undefined);
  assert.equal(startNode(first, 'b'), undefined, 'it comes on by itself');
  const second: SliceRow = { ...first, goal: 'running' };
  assert.deepEqual(offOf(second), ['a']);
  assert.equal(restartNode(second, 'b'), undefined, 'still the same restart');
});

test('stopping another node neither cuts a restart short nor repeats it', () => {
  const first = after(rowOf(), restartNode(rowOf(), 'a'));
  const both = after(first, stopNode(first, 'c'));
  assert.deepEqual([both.goal, offOf(both)], ['restarting', ['a', 'c']]);
  const second: SliceRow = { ...first, goal: 'running' };
  const late = after(second, stopNode(second, 'c'));
  assert.deepEqual([late.goal, offOf(late)], ['running', ['c']]);
});

test('a restarted node that is to be off after all stays off', () => {
  const first = after(rowOf(), restartNode(rowOf(), 'a'));
  const row = after(first, stopNode(first, 'a'));
  assert.deepEqual([row.goal, offOf(row)], ['running', ['a']]);
});

test('stopping, starting and restarting the slice set all nodes', () => {
  const row = rowOf({ node_power: { b: 'off' } });
  assert.deepEqual(wordsOf(after(row, start(row))), ['on', 'on', 'on']);
  assert.deepEqual(wordsOf(after(row, stop(row))), ['off', 'off', 'off']);
  const restarted = after(row, restart(row));
  assert.deepEqual(
    [wordsOf(restarted), offOf(restarted)],
    [
      ['on', 'on', 'on'],
      ['a', 'b', 'c'],
    ],
  );
  assert.equal(restart(restarted), undefined);
  const single = after(row, restartNode(row, 'a'));
  assert.ok(restart(single), 'one node is not all');
});

test('deploying keeps a stopped node stopped, and starts a slice that is off as a whole', () => {
  const row = rowOf({ node_power: { b: 'off' } });
  assert.equal(deploy(row), undefined);
  const broken = { ...row, status: ERROR };
  assert.deepEqual(wordsOf(after(broken, deploy(broken))), ['on', 'off', 'on']);
  const off = rowOf({ goal: 'stopped', status: STOPPED });
  assert.deepEqual(wordsOf(after(off, deploy(off))), ['on', 'on', 'on']);
});

test('a power change that failed can be asked for again', () => {
  const row = rowOf({ status: ERROR, node_power: { b: 'off' } });
  assert.ok(stopNode(row, 'b'));
  assert.ok(startNode(rowOf({ status: ERROR }), 'b'));
});

test('an unknown node is told with those that there are', () => {
  const message = 'The slice "lab" has no node "d"; it has a, b, c';
  assert.throws(() => stopNode(rowOf(), 'd'), { code: 'NOT_FOUND', reason: 'NODE_NOT_FOUND', message });
});

test('nodes of a slice that never ran, or is going, have no power to change', () => {
  for (const change of [stopNode, startNode, restartNode]) {
    const draft = rowOf({ status: DRAFT, goal: 'none', deployed_at: null });
    assert.throws(() => change(draft, 'a'), { reason: 'SLICE_NOT_DEPLOYED' });
    assert.throws(() => change(rowOf({ status: DELETING, goal: 'deleted' }), 'a'), {
      reason: 'SLICE_DELETING',
    });
  }
});

function rowOf(fields: Partial<SliceRow> = {}): SliceRow {
  const spec = SliceSpec.fromPartial({ nodes: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] });
  const row = { id: 's1', name: 'lab', spec, status: ACTIVE, goal: 'running' } as SliceRow;
  return { ...row, node_power: {}, deployed_at: new Date(0), ...fields };
}

function after(row: SliceRow, intent: Intent | undefined): SliceRow {
  assert.ok(intent);
  const { goal, status, nodePower = row.node_power } = intent;
  return { ...row, goal, status, node_power: nodePower };
}

function wordsOf(row: SliceRow): string[] {
  return row.spec.nodes.map(({ name }) => powerWord(row, name));
}

/** What the driver is to have off. */
function offOf(row: SliceRow): string[] {
  const { power, off } = powerOf(row);
  assert.equal(power, Power.ON);
  return [...off].sort();
}
