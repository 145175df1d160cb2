import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { SliceSpec, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { deploy, remove, restart, start, stop } from './intents.ts';
import { restartOfAll } from './power.ts';
import type { SliceRow } from './rows.ts';

const VERBS = { deploy, stop, start, restart, remove };

/** What each verb makes of each state: the next state, `-` for nothing to do, `!` for a refusal. */
const AFTER_DEPLOYMENT = {
  DEPLOYING: { deploy: '-', stop: 'STOPPING', start: '-', restart: 'RESTARTING', remove: 'DELETING' },
  ACTIVE: { deploy: '-', stop: 'STOPPING', start: '-', restart: 'RESTARTING', remove: 'DELETING' },
  STOPPING: { deploy: 'STARTING', stop: '-', start: 'STARTING', restart: 'RESTARTING', remove: 'DELETING' },
  STOPPED: { deploy: 'STARTING', stop: '-', start: 'STARTING', restart: 'RESTARTING', remove: 'DELETING' },
  STARTING: { deploy: '-', stop: 'STOPPING', start: '-', restart: 'RESTARTING', remove: 'DELETING' },
  RESTARTING: { deploy: '-', stop: 'STOPPING', start: '-', restart: '-', remove: 'DELETING' },
  ERROR: {
    deploy: 'DEPLOYING',
    stop: 'STOPPING',
    start: 'STARTING',
    restart: 'RESTARTING',
    remove: 'DELETING',
  },
  DELETING: { deploy: '!', stop: '!', start: '!', restart: '!', remove: '-' },
  DELETED: { deploy: '!', stop: '!', start: '!', restart: '!', remove: '-' },
} as const;

const BEFORE_DEPLOYMENT = {
  DRAFT: { deploy: 'DEPLOYING', stop: '!', start: '!', restart: '!', remove: 'DELETED' },
  SCHEDULED: { deploy: 'DEPLOYING', stop: '!', start: '!', restart: '!', remove: 'DELETED' },
  DEPLOYING: { deploy: '-', stop: '!', start: '!', restart: '!', remove: 'DELETING' },
  ERROR: { deploy: 'DEPLOYING', stop: '!', start: '!', restart: '!', remove: 'DELETING' },
} as const;

for (const [when, table, deployedAt] of [
  ['before its first deployment', BEFORE_DEPLOYMENT, null],
  ['once it was deployed', AFTER_DEPLOYMENT, new Date()],
] as const) {
  for (const [state, expected] of Object.entries(table)) {
    test(`a slice that is ${state.toLowerCase()} ${when} does what each verb means`, () => {
      const row = rowOf(SliceState[state as keyof typeof SliceState], deployedAt);
      const outcomes = Object.entries(VERBS).map(([verb, decide]) => [verb, outcomeOf(() => decide(row))]);
      assert.deepEqual(Object.fromEntries(outcomes), expected);
    });
  }
}

function outcomeOf(decide: () => { status: SliceState } | undefined): string {
  try {
    return decide()?.status.replace('SLICE_STATE_', '') ?? '-';
  } catch (error) {
    assert.ok(error instanceof Failure && error.code === 'FAILED_PRECONDITION');
    return '!';
  }
}

function rowOf(status: SliceState, deployedAt: Date | null): SliceRow {
  const spec = SliceSpec.fromPartial({ nodes: [{ name: 'vm1' }] });
  const isOff = status === SliceState.STOPPING || status === SliceState.STOPPED;
  const goal = isOff ? 'stopped' : 'running';
  const node_power = status === SliceState.RESTARTING ? restartOfAll(spec) : {};
  return { name: 'lab', status, goal, spec, node_power, deployed_at: deployedAt } as SliceRow;
}
