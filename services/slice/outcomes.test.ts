import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Code, Failure } from '#common/errors.ts';
import { failed } from './outcomes.ts';
import type { Goal, SliceRow } from './rows.ts';

function conclusionOf(
  code: Code,
  { goal = 'running', attempts = 0 }: { goal?: Goal; attempts?: number } = {},
) {
  const error = new Failure({ code, reason: 'TEST', message: 'said the cloud' });
  return failed({ goal, attempts, undoing: '' } as SliceRow, error).kind;
}

test('what passes by itself is waited for, however long', () => {
  assert.equal(conclusionOf('UNAVAILABLE', { attempts: 1_000 }), 'postponed');
  assert.equal(conclusionOf('DEADLINE_EXCEEDED', { attempts: 1_000 }), 'postponed');
});

test('what no waiting helps against ends the work', () => {
  assert.equal(conclusionOf('INVALID_ARGUMENT'), 'settled');
  assert.equal(conclusionOf('FAILED_PRECONDITION'), 'settled');
});

test('a fault of a driver is believed to pass a few times', () => {
  assert.equal(conclusionOf('INTERNAL', { attempts: 3 }), 'postponed');
  assert.equal(conclusionOf('INTERNAL', { attempts: 4 }), 'settled');
});

test('a removal is never given up', () => {
  assert.equal(conclusionOf('INTERNAL', { goal: 'deleted', attempts: 1_000 }), 'postponed');
  assert.equal(conclusionOf('FAILED_PRECONDITION', { goal: 'deleted' }), 'postponed');
});

test('a worker that was overtaken stops without a word', () => {
  assert.throws(() => conclusionOf('ABORTED'), { code: 'ABORTED' });
});
