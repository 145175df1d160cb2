import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { Failure } from '#common/errors.ts';
import { createTurns } from './turns.ts';

const patient = new AbortController().signal;

/** Work that ends when told, and what was going on meanwhile. */
function gate() {
  const running: string[] = [];
  const releases = new Map<string, () => void>();
  return {
    running,
    work: (name: string) => async () => {
      running.push(name);
      await new Promise<void>((resolve) => releases.set(name, resolve));
      running.splice(running.indexOf(name), 1);
      return name;
    },
    release: (name: string) => releases.get(name)?.(),
  };
}

test('no more run at once than allowed, however many ask', async () => {
  const turns = createTurns({ parallel: 2 });
  let now = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++now);
    await tick();
    now--;
  };
  await Promise.all(Array.from({ length: 50 }, (_, i) => turns.run(`user${i}`, patient, work)));
  assert.equal(most, 2);
});

test('one name gets one turn at a time and leaves the other turns to other names', async () => {
  const turns = createTurns({ parallel: 2 });
  const { running, work, release } = gate();
  const first = turns.run('ana', patient, work('ana 1'));
  const second = turns.run('ana', patient, work('ana 2'));
  const third = turns.run('luis', patient, work('luis'));
  assert.deepEqual(running, ['ana 1', 'luis']);
  release('ana 1');
  await first;
  await tick();
  assert.deepEqual(running, ['luis', 'ana 2']);
  release('luis');
  release('ana 2');
  assert.deepEqual(await Promise.all([second, third]), ['ana 2', 'luis']);
});

test('a full line turns people away with a time to come back', async () => {
  const turns = createTurns({ parallel: 1, maxWaiting: 1 });
  const { work, release } = gate();
  const first = turns.run('a', patient, work('a'));
  const second = turns.run('b', patient, work('b'));
  await assert.rejects(turns.run('c', patient, work('c')), (error) => {
    assert.ok(error instanceof Failure);
    assert.deepEqual(
      [error.code, error.reason, error.retryAfterS],
      ['RESOURCE_EXHAUSTED', 'TOO_MANY_LOGINS', 5],
    );
    return true;
  });
  release('a');
  await first;
  await tick();
  release('b');
  await second;
});

test('who gives up while waiting leaves the line, and the turn goes to the next', async () => {
  const turns = createTurns({ parallel: 1 });
  const { running, work, release } = gate();
  const leaving = new AbortController();
  const first = turns.run('a', patient, work('a'));
  const second = turns.run('b', leaving.signal, work('b'));
  const third = turns.run('c', patient, work('c'));
  leaving.abort(new Error('gone'));
  await assert.rejects(second, { code: 'CANCELLED' });
  release('a');
  await first;
  await tick();
  assert.deepEqual(running, ['c']);
  release('c');
  await third;
});

test('work that fails gives its turn back', async () => {
  const turns = createTurns({ parallel: 1 });
  await assert.rejects(
    turns.run('a', patient, () => Promise.reject(new Error('broken'))),
    /broken/,
  );
  assert.equal(await turns.run('a', patient, async () => 'fine'), 'fine');
});
