// One run at a time on a slice, the latest.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { isFenced } from './late-looks.ts';
import { createTurns } from './turns.ts';

const never = new AbortController().signal;

test('a run begins when what the one before had under way has ended', async () => {
  const turns = createTurns();
  const begun = Promise.withResolvers<void>();
  const call = Promise.withResolvers<void>();
  const heard: string[] = [];
  const first = turns.take({ userId: 'u1', sliceId: 's1', fence: 1 }, never, async (signal) => {
    begun.resolve();
    signal.addEventListener('abort', () => heard.push('told to end'));
    await call.promise;
    heard.push('ended');
    throw signal.reason;
  });
  await begun.promise;
  const second = turns.take({ userId: 'u1', sliceId: 's1', fence: 2 }, never, async () =>
    heard.push('begun'),
  );
  await turns.take({ userId: 'u2', sliceId: 's1', fence: 0 }, never, async () => heard.push('another user'));
  assert.deepEqual(heard, ['told to end', 'another user']);
  call.resolve();
  await assert.rejects(first, isFenced);
  await second;
  assert.deepEqual(heard, ['told to end', 'another user', 'ended', 'begun']);
});

test('who does not want to wait any more leaves, and the next waits for the first all the same', async () => {
  const turns = createTurns();
  const begun = Promise.withResolvers<void>();
  const call = Promise.withResolvers<void>();
  const heard: string[] = [];
  const first = turns.take({ userId: 'u1', sliceId: 's1', fence: 1 }, never, async () => {
    begun.resolve();
    await call.promise;
    heard.push('first');
  });
  await begun.promise;
  const leaving = new AbortController();
  const second = turns.take({ userId: 'u1', sliceId: 's1', fence: 2 }, leaving.signal, async () =>
    heard.push('second'),
  );
  leaving.abort();
  await assert.rejects(second, (error) => error instanceof Failure && error.code === 'CANCELLED');
  const third = turns.take({ userId: 'u1', sliceId: 's1', fence: 3 }, never, async () => heard.push('third'));
  call.resolve();
  await Promise.all([first, third]);
  assert.deepEqual(heard, ['first', 'third']);
});

test('who comes late with a smaller fence is refused and ends nothing', async () => {
  const turns = createTurns();
  const running = turns.take({ userId: 'u1', sliceId: 's1', fence: 2 }, never, async (signal) => {
    await assert.rejects(
      turns.take({ userId: 'u1', sliceId: 's1', fence: 1 }, never, async () => assert.fail('began')),
      isFenced,
    );
    return signal.aborted;
  });
  assert.equal(await running, false);
});
