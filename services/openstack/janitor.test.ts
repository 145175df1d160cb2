import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { silentLog } from '#common/log.ts';
import { startJanitor } from './janitor.ts';

test('chores are done at the start and when poked, one failing does not stop the others, and closing waits', async () => {
  const rounds: string[] = [];
  let next = Promise.withResolvers<void>();
  const failing = async () => {
    rounds.push('failing');
    throw new Error('not this time');
  };
  const working = async () => {
    rounds.push('working');
    next.resolve();
  };
  const janitor = startJanitor({ chores: [failing, working], log: silentLog, everyMs: 3_600_000 });
  await next.promise;
  next = Promise.withResolvers<void>();
  janitor.poke();
  await next.promise;
  assert.deepEqual(rounds, ['failing', 'working', 'failing', 'working']);
  await janitor.close();
  janitor.poke();
  assert.equal(rounds.length, 4);
});

test('a chore that is under way is told to end', async () => {
  let hasEnded = false;
  const begun = Promise.withResolvers<void>();
  const long = async (signal: AbortSignal) => {
    begun.resolve();
    await once(signal, 'abort');
    hasEnded = true;
  };
  const janitor = startJanitor({ chores: [long], log: silentLog });
  await begun.promise;
  await janitor.close();
  assert.equal(hasEnded, true);
});
