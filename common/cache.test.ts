import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCache } from './cache.ts';
import { createMetrics } from './metrics.ts';

const cacheOf = (ttlMs = 60_000) => {
  const metrics = createMetrics('test');
  return { metrics, cache: createCache<string>({ name: 'images', max: 2, ttlMs, metrics }) };
};

test('callers that come while a value loads share that one load', async () => {
  const { cache, metrics } = cacheOf();
  const loaded = Promise.withResolvers<string>();
  let loads = 0;
  const load = () => {
    loads++;
    return loaded.promise;
  };
  const answers = [cache.get('a', load), cache.get('a', load)];
  loaded.resolve('value');
  assert.deepEqual(await Promise.all(answers), ['value', 'value']);
  assert.equal(await cache.get('a', load), 'value');
  assert.equal(loads, 1);
  const text = await metrics.registry.metrics();
  assert.match(text, /cache_reads_total\{cache="images",result="hit",service="test"\} 1/);
  assert.match(text, /cache_reads_total\{cache="images",result="miss",service="test"\} 1/);
});

test('a failure is not kept', async () => {
  const { cache } = cacheOf();
  await assert.rejects(
    cache.get('a', () => Promise.reject(new Error('down'))),
    /down/,
  );
  assert.equal(await cache.get('a', async () => 'up'), 'up');
});

test('what was read before a clear is not kept after it', async () => {
  const { cache } = cacheOf();
  const old = Promise.withResolvers<string>();
  const reading = cache.get('a', () => old.promise);
  cache.clear();
  old.resolve('old');
  assert.equal(await reading, 'old');
  assert.equal(await cache.get('a', async () => 'new'), 'new');
});
