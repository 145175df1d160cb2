// Answers worth keeping for a while: bounded, timed, one load at a time per key, hits and misses counted.

import { LRUCache } from 'lru-cache';
import type { Metrics } from './metrics.ts';

export type Cache<V extends {}> = {
  /** The kept value, or what `load` gives; callers that come while it loads share that one load. Failures are not kept. */
  get(key: string, load: () => Promise<V>): Promise<V>;
  delete(key: string): void;
  clear(): void;
};

export type CacheOptions = {
  /** The label `cache` in metrics. */
  readonly name: string;
  /** Most entries kept; the least recently used goes first. */
  readonly max: number;
  readonly ttlMs: number;
  readonly metrics: Metrics;
};

export function createCache<V extends {}>({ name, max, ttlMs, metrics }: CacheOptions): Cache<V> {
  const kept = new LRUCache<string, V>({ max, ttl: ttlMs });
  const loading = new Map<string, Promise<V>>();
  const reads = metrics.counter('cache_reads_total', 'Reads of a cache by result', ['cache', 'result']);
  return {
    async get(key, load) {
      const value = kept.get(key);
      if (value !== undefined) {
        reads.inc({ cache: name, result: 'hit' });
        return value;
      }
      const underWay = loading.get(key);
      if (underWay) {
        reads.inc({ cache: name, result: 'shared' });
        return underWay;
      }
      reads.inc({ cache: name, result: 'miss' });
      const promise = load();
      loading.set(key, promise);
      try {
        const fresh = await promise;
        // A delete or clear while it loaded means that what was read may be out of date.
        if (loading.get(key) === promise) kept.set(key, fresh);
        return fresh;
      } finally {
        if (loading.get(key) === promise) loading.delete(key);
      }
    },
    delete(key) {
      kept.delete(key);
      loading.delete(key);
    },
    clear() {
      kept.clear();
      loading.clear();
    },
  };
}
