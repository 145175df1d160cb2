import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, compare, weigh } from './compare.ts';
import { normalisedError, shapeOf } from './shapes.ts';

const words = new Map([['tp-1234', '{run}']]);
const answer = (output: unknown, exit = 0): Answer => ({
  as: 'user',
  command: 'thing show',
  exit,
  error: '',
  shape: shapeOf(output, words),
});

test('values may differ, types and formats may not', () => {
  const real = answer({ id: '5d693fea-3e1f-49b8-8291-7c987a90eebb', at: '2026-01-02T03:04:05Z', size: 3 });
  const same = answer({ id: '16852b63-d84c-456b-a540-e07c8d6f8e32', at: '2025-01-02T03:04:05Z', size: 5 });
  const other = answer({ id: '16852b63d84c456ba540e07c8d6f8e32', at: '2025-01-02T03:04:05', size: '5' });
  assert.deepEqual(compare([real], [same]), []);
  const places = compare([real], [other]).map(({ at, expected, found }) => [at, expected, found]);
  assert.deepEqual(places, [
    ['at', 'time Z', 'time'],
    ['id', 'uuid', 'hex id'],
    ['size', 'integer', 'number as text'],
  ]);
});

test('a key too many or too few is a difference, and so is another exit code', () => {
  const found = compare([answer({ a: 1 })], [answer({ b: 1 })]).map(({ at, found }) => [at, found]);
  assert.deepEqual(found, [
    ['a', 'absent'],
    ['b', 'integer'],
  ]);
  assert.equal(compare([answer({})], [answer({}, 1)])[0]?.at, 'exit');
});

test('rows of a list may lack values that other rows have, for the run did not make them all', () => {
  const real = answer([
    { name: 'x', host: null },
    { name: 'y', host: 'h' },
  ]);
  assert.deepEqual(compare([real], [answer([{ name: 'z', host: null }])]), []);
  assert.deepEqual(
    compare([real], [answer([{ name: 'z', host: 5 }])]).map(({ at }) => at),
    ['[].host'],
  );
  assert.deepEqual(
    compare([real], [answer([])]).map(({ found }) => found),
    ['empty list'],
  );
});

test('names of the run do not count in keys and messages', () => {
  assert.deepEqual(shapeOf({ 'tp-1234-net': ['10.0.0.1'] }, words), { '{run}-net': { '[]': 'ipv4' } });
  const message = normalisedError(
    'No tp-1234-x at http://h:1/v3/y, ask (req-5d693fea-3e1f-49b8-8291-7c987a90eebb)',
    words,
  );
  assert.equal(message, 'No {run}-x at URL, ask (REQUEST)');
});

test('a difference that is not known is new, and a known one that is gone must be struck off', () => {
  const differences = compare([answer({ a: 1 })], [answer({ a: 'x' })]);
  const known = differences.map((difference) => ({ ...difference, why: 'because' }));
  assert.deepEqual(weigh(differences, known), { fresh: [], gone: [] });
  assert.equal(weigh(differences, []).fresh.length, 1);
  assert.equal(weigh([], known).gone.length, 1);
});

test('another list of commands than the recorded one asks for a new recording', () => {
  const [difference] = compare([answer({})], [{ ...answer({}), command: 'thing list' }]);
  assert.equal(difference?.at, 'list');
});
