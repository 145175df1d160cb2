// Lets go of the past that is kept no longer, now and then. Replicas may do so at the same time.

import type { Log } from '#common/log.ts';
import { wait } from '#common/time.ts';
import type { HistoryStore } from './history-store.ts';

const EVERY_MS = 10 * 60_000;

export type HistorySweep = { close(): Promise<void> };

export function startHistorySweep(store: Pick<HistoryStore, 'sweep'>, log: Log): HistorySweep {
  const stop = new AbortController();
  const run = async () => {
    while (!stop.signal.aborted) {
      try {
        const events = await store.sweep();
        if (events > 0) log.info({ events }, 'old events are let go');
      } catch (cause) {
        log.warn({ cause }, 'old events could not be let go');
      }
      await wait(EVERY_MS, stop.signal).catch(() => {});
    }
  };
  const running = run();
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}
