import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBreaker } from './breaker.ts';
import { cancelled, Failure } from './errors.ts';
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
  await until(() => breaker.state() === 'half-open');
  assert.equal(await breaker.run(async () => 'well'), 'well');
  assert.deepEqual(states, ['open', 'half-open', 'closed']);
  breaker.close();
});

test('failures one after the other open a breaker, however far apart; an answer between them starts the count anew', async () => {
  const breaker = createBreaker({ name: 'nova', isSick, volumeThreshold: 3 });
  const failSlowly = async (times: number) => {
    for (let call = 0; call < times; call++) await assert.rejects(breaker.run(fail), { message: 'dead' });
  };
  // Calls that go well keep the share of failures small.
  for (let call = 0; call < 50; call++) await breaker.run(async () => 'well');
  await failSlowly(2);
  await assert.rejects(breaker.run(refuse), { code: 'NOT_FOUND' });
  await failSlowly(2);
  await assert.rejects(breaker.run(() => Promise.reject(cancelled())));
  assert.equal(breaker.state(), 'closed');
  await failSlowly(1);
  assert.equal(breaker.state(), 'open');
  breaker.close();
});

test('a probe that its caller ends does not close the breaker, and soon another one may try', async () => {
  const breaker = createBreaker({ name: 'nova', isSick, resetMs: 50 });
  for (let call = 0; call < 5; call++) await assert.rejects(breaker.run(fail), { message: 'dead' });
  for (const end of [
    () => Promise.reject(cancelled()),
    () =>
      Promise.reject(new Failure({ code: 'DEADLINE_EXCEEDED', reason: 'DEADLINE_EXCEEDED', message: 'x' })),
  ]) {
    await until(() => breaker.state() === 'half-open');
    await assert.rejects(breaker.run(end), Failure);
    assert.equal(breaker.state(), 'open');
  }
  await until(() => breaker.state() === 'half-open');
  assert.equal(await breaker.run(async () => 'well'), 'well');
  assert.equal(breaker.state(), 'closed');
  breaker.close();
});

test('calls that their callers end never open a breaker', async () => {
  const breaker = createBreaker({ name: 'nova', isSick });
  for (let call = 0; call < 20; call++) {
    await assert.rejects(
      breaker.run(() => Promise.reject(cancelled())),
      { code: 'CANCELLED' },
    );
  }
  assert.equal(breaker.state(), 'closed');
  breaker.close();
});

test('an open breaker names what it is about twice: for people and for programs', async () => {
  const breaker = createBreaker({ name: 'cloud:5000/Lima/nova', title: 'Nova', isSick });
  for (let call = 0; call < 5; call++) await assert.rejects(breaker.run(fail));
  await assert.rejects(breaker.run(fail), {
    message: /^Nova failed repeatedly/,
    metadata: { circuit: 'cloud:5000/Lima/nova' },
  });
  breaker.close();
});

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!isTrue() && Date.now() < deadline) await wait(5);
  assert.ok(isTrue());
}
