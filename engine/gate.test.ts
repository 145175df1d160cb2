import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGate } from './gate.ts';

test('runs that wait for a place get one each in the order in which they asked', () => {
  const gate = createGate(1);
  const turns: string[] = [];
  const [a, b, c] = ['a', 'b', 'c'].map((name) => gate.join(() => turns.push(name)));
  assert(a && b && c);
  assert.equal(a.enter(), true);
  assert.equal(b.enter(), false);
  assert.equal(c.enter(), false);
  a.leave();
  assert.deepEqual(turns, ['b']);
  assert.equal(a.enter(), false, 'the place is kept for b');
  assert.equal(b.enter(), true);
  b.leave();
  assert.equal(c.enter(), true);
  c.leave();
  assert.deepEqual(turns, ['b', 'c', 'a']);
});

test('a place that is not wanted any more goes to the next, or is free', () => {
  const gate = createGate(1);
  let turns = 0;
  const [a, b, c] = Array.from({ length: 3 }, () => gate.join(() => turns++));
  assert(a && b && c);
  a.enter();
  b.enter();
  c.enter();
  c.withdraw();
  assert.equal(c.isWaiting(), false);
  a.leave();
  assert.equal(b.isWaiting(), true);
  b.withdraw();
  assert.equal(turns, 1);
  assert.equal(c.enter(), true);
  c.leave();
  assert.equal(a.enter(), true);
});
