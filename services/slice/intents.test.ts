import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { OnFailure, ResourceTotals, SliceSpec, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { deploy, onFailureOf, remove, restart, start, stop, update } from './intents.ts';
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

/** What another spec, and the same one, make of each state: the next state and the goal. */
const AFTER_CHANGE = {
  DRAFT: ['DRAFT none', '-'],
  SCHEDULED: ['SCHEDULED none', '-'],
  DEPLOYING: ['DEPLOYING running', '-'],
  ACTIVE: ['DEPLOYING running', '-'],
  STOPPING: ['DEPLOYING stopped', '-'],
  STOPPED: ['DEPLOYING stopped', '-'],
  STARTING: ['DEPLOYING running', '-'],
  RESTARTING: ['DEPLOYING running', '-'],
  ERROR: ['DEPLOYING running', 'DEPLOYING running'],
  DELETING: ['!', '!'],
} as const;

for (const [state, expected] of Object.entries(AFTER_CHANGE)) {
  test(`a slice that is ${state.toLowerCase()} takes a new spec as it should, and the same one too`, () => {
    const row = rowOf(SliceState[state as keyof typeof SliceState], new Date());
    const totals = ResourceTotals.create();
    const outcomes = [{ ...row.spec, name: 'other' }, row.spec].map((spec) => {
      let goal = '';
      const status = outcomeOf(() => {
        const intent = update(row, { spec, totals });
        goal = intent ? ` ${intent.goal}` : '';
        return intent;
      });
      return `${status}${goal}`;
    });
    assert.deepEqual(outcomes, expected);
  });
}

test('unless asked, a first deployment that fails is rolled back and a change that fails is kept', () => {
  const first = { deployed_spec: null };
  const later = { deployed_spec: SliceSpec.create() };
  assert.equal(onFailureOf(first), OnFailure.ROLLBACK);
  assert.equal(onFailureOf(later), OnFailure.KEEP);
  assert.equal(onFailureOf(first, OnFailure.KEEP), OnFailure.KEEP);
  assert.equal(onFailureOf(later, OnFailure.ROLLBACK), OnFailure.ROLLBACK);
});

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
