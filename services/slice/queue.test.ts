import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '#common/config.ts';
import { silentLog } from '#common/log.ts';
import { wait } from '#common/time.ts';
import { testDatabaseUrl } from '../../tests/support/database.ts';
import { openQueue } from './queue.ts';
import { until } from './testing/harness.ts';

test('a slice that is queued while it is being worked on is worked on again, and never twice at once', async () => {
  const url = new Secret(await testDatabaseUrl());
  const queues = [await openQueue({ url, log: silentLog }), await openQueue({ url, log: silentLog })];
  const [first] = queues;
  assert.ok(first);
  let running = 0;
  let most = 0;
  let runs = 0;
  const stops = await Promise.all(
    queues.map((queue) =>
      queue.work(3, async (id) => {
        running += 1;
        most = Math.max(most, running);
        runs += 1;
        // The last moment of a job: whoever looked for work has looked already.
        if (runs <= 10) {
          await first.enqueue([id]);
          await first.enqueue([id]);
        }
        await wait(30);
        running -= 1;
      }),
    ),
  );
  try {
    await first.enqueue(['slice-1']);
    await until(
      () => [runs, running],
      ([done, busy]) => done === 11 && busy === 0,
    );
    assert.equal(most, 1);
  } finally {
    await Promise.all(stops.map((stop) => stop()));
    for (const queue of queues) await queue.close();
  }
});

test('who waits knows how many are before it, and who is in work does not wait', async () => {
  const queue = await openQueue({ url: new Secret(await testDatabaseUrl()), log: silentLog });
  const { promise: paused, resolve: goOn } = Promise.withResolvers<void>();
  const begun: string[] = [];
  const stop = await queue.work(1, async (id) => {
    begun.push(id);
    await paused;
  });
  try {
    await queue.enqueue(['slice-1']);
    await until(
      () => begun.length,
      (count) => count === 1,
    );
    await queue.enqueue(['slice-2']);
    await queue.enqueue(['slice-1']);
    await queue.enqueue(['slice-3']);
    assert.deepEqual(await Promise.all(['slice-1', 'slice-2', 'slice-3', 'slice-4'].map(queue.ahead)), [
      undefined,
      0,
      2,
      undefined,
    ]);
  } finally {
    goOn();
    await stop();
    await queue.close();
  }
});

test('a handler that throws is called again', async () => {
  const queue = await openQueue({ url: new Secret(await testDatabaseUrl()), log: silentLog });
  let runs = 0;
  const stop = await queue.work(1, async () => {
    runs += 1;
    if (runs === 1) throw new Error('the first time fails');
  });
  try {
    await queue.enqueue(['slice-1']);
    await until(
      () => runs,
      (count) => count === 2,
    );
  } finally {
    await stop();
    await queue.close();
  }
});
