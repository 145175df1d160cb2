import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBreaker } from './breaker.ts';
import { Failure } from './errors.ts';
import { wait } from './time.ts';

const refuse = () =>
  Promise.reject(new Failure({ code: 'NOT_FOUND', reason: 'X', message: 'no such thing' }));
const fail = () => Promise.reject(new Failure({ code: 'UNAVAILABLE', reason: 'X', message: 'dead' }));
const isSick = (error: unknown) => error instanceof Failure && error.code === 'UNAVAILABLE';

test('refusals never open a breaker, and neither does a single failure', async () => {
  const breaker = createBreaker({ name: 'nova', isSick });
  for (let call = 0; call < 20; call++) await assert.rejects(breaker.run(refuse), { code: 'NOT_FOUND' });
  await assert.rejects(breaker.run(fail), { message: 'dead' });
  assert.equal(breaker.state(), 'closed');
  breaker.close();
});

test('a breaker opens after repeated failures, answers at once with a delay, and closes after a probe', async () => {
  const states: string[] = [];
  const breaker = createBreaker({
    name: 'nova',
    isSick,
    resetMs: 50,
    onState: (state) => states.push(state),
  });
  for (let call = 0; call < 5; call++) await assert.rejects(breaker.run(fail), { message: 'dead' });
  assert.equal(breaker.state(), 'open');
  let called = false;
  const refused = breaker.run(async () => {
    called = true;
  });
  await assert.rejects(refused, {
    code: 'UNAVAILABLE',
    reason: 'CIRCUIT_OPEN',
    retryAfterS: 1,
    message: /nova/,
  });
  assert.equal(called, false);
  const deadline = Date.now() + 5_000;
  while (breaker.state() === 'open' && Date.now() < deadline) await wait(10);
  assert.equal(await breaker.run(async () => 'well'), 'well');
  assert.deepEqual(states, ['open', 'half-open', 'closed']);
  breaker.close();
});
