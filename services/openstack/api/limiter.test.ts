import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLimiter } from './limiter.ts';

const LANES = ['nova', 'cinder'] as const;
const { signal } = new AbortController();

/** Lets every promise that can be settled settle. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

function arrange(max: number) {
  const limiter = createLimiter(max, LANES);
  const places: Record<string, (() => void)[]> = { nova: [], cinder: [] };
  const enter = async (lane: (typeof LANES)[number], from: AbortSignal = signal) => {
    places[lane]?.push(await limiter.acquire(lane, from));
  };
  return { enter, inside: (lane: string) => places[lane] ?? [] };
}

test('a service that hangs leaves places for the others', async () => {
  const { enter, inside } = arrange(8);
  for (let count = 0; count < 20; count += 1) void enter('cinder');
  await settle();
  assert.equal(inside('cinder').length, 6);
  await Promise.all([enter('nova'), enter('nova')]);
  void enter('nova');
  await settle();
  assert.equal(inside('nova').length, 2, 'all eight places are taken now');
});

test('a place that is given back goes to the one who waits longest and may have it', async () => {
  const { enter, inside } = arrange(8);
  for (let count = 0; count < 9; count += 1) void enter('cinder');
  for (let count = 0; count < 3; count += 1) void enter('nova');
  await settle();
  assert.deepEqual([inside('cinder').length, inside('nova').length], [6, 2]);
  inside('nova')[0]?.();
  await settle();
  assert.deepEqual([inside('cinder').length, inside('nova').length], [6, 3], 'the place is kept for Nova');
  inside('cinder')[0]?.();
  inside('cinder')[0]?.();
  await settle();
  assert.equal(inside('cinder').length, 7, 'giving back twice is giving back once');
});

test('with few places all are for everybody', async () => {
  const { enter, inside } = arrange(2);
  await Promise.all([enter('cinder'), enter('cinder')]);
  void enter('nova');
  await settle();
  assert.equal(inside('nova').length, 0);
  inside('cinder')[0]?.();
  await settle();
  assert.equal(inside('nova').length, 1);
});

test('who leaves the line frees nothing and is not let in', async () => {
  const { enter, inside } = arrange(1);
  await enter('nova');
  const leaving = new AbortController();
  const left = assert.rejects(enter('nova', leaving.signal), { code: 'CANCELLED' });
  leaving.abort();
  await left;
  inside('nova')[0]?.();
  await enter('cinder');
  assert.equal(inside('cinder').length, 1);
});

test('who waits for a place until the time is over is told so', async () => {
  const { enter } = arrange(1);
  await enter('nova');
  await assert.rejects(enter('nova', AbortSignal.timeout(5)), { code: 'DEADLINE_EXCEEDED' });
});
