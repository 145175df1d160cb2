// Where work comes from: the queue, and a sweep that puts back on it whatever is due and fell off, such as what waited
// out a delay or what a killed process held.

import type { Log } from '#common/log.ts';
import { wait } from '#common/time.ts';
import type { DriftChecker } from './drift-checker.ts';
import type { DriftStore } from './drift-store.ts';
import type { Queue } from './queue.ts';
import type { Reconciler } from './reconciler.ts';
import type { WorkStore } from './work-store.ts';

export type Workers = {
  /** Lets go of what is under way, for another process to take up, and waits for that. */
  close(): Promise<void>;
};

export type WorkersOptions = {
  readonly queue: Queue;
  readonly store: Pick<WorkStore, 'due'>;
  readonly drifts: Pick<DriftStore, 'due'>;
  readonly checker: Pick<DriftChecker, 'checkIfDue'>;
  readonly reconciler: Reconciler;
  readonly concurrency: number;
  readonly sweepMs: number;
  readonly log: Log;
};

const MOST_SWEPT = 1_000;

export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const { queue, store, drifts, checker, reconciler, concurrency, sweepMs, log } = options;
  const stop = new AbortController();

  const sweep = async () => {
    for (let isTroubled = false; !stop.signal.aborted; ) {
      try {
        await queue.enqueue(await store.due(MOST_SWEPT));
        // A few only, so that no work waits behind a long row of looks.
        await queue.enqueue(await drifts.due(concurrency));
        isTroubled = false;
      } catch (cause) {
        if (!isTroubled) log.warn({ cause }, 'the sweep has trouble');
        isTroubled = true;
      }
      await wait(sweepMs, stop.signal).catch(() => {});
    }
  };

  const stopWork = await queue.work(concurrency, async (id, signal) => {
    try {
      const both = AbortSignal.any([signal, stop.signal]);
      await reconciler.reconcile(id, both);
      await checker.checkIfDue(id, both);
    } catch (cause) {
      log.error({ slice_id: id, cause }, 'work on a slice failed');
      throw cause;
    }
    // What was let go is due at once, and not only when someone sweeps.
    if (stop.signal.aborted) await queue.enqueue([id]);
  });
  const sweeping = sweep();

  return {
    async close() {
      const stopped = stopWork();
      stop.abort();
      await Promise.all([stopped, sweeping]);
    },
  };
}
