// The clock of slices: deploys what is scheduled, reminds, and deletes what has come to its end. Times stand in the
// database and any process acts on them, so that one that was down is no time missed: the first to come back acts.

import type { Log } from '#common/log.ts';
import { wait } from '#common/time.ts';
import { deploy, remove } from './intents.ts';
import { dueOf } from './lifetime.ts';
import type { LifetimeStore } from './lifetime-store.ts';
import type { SliceRow } from './rows.ts';
import type { Intent, Store } from './store.ts';

export type LifetimeTimerOptions = {
  readonly store: Pick<Store, 'intend'>;
  readonly lifetimes: Pick<LifetimeStore, 'due' | 'remind'>;
  readonly now: () => number;
  readonly newId: () => string;
  /** How long it waits between two looks. */
  readonly sweepMs: number;
  readonly log: Log;
};

const MOST_AT_ONCE = 1_000;

export function startLifetimeTimer(options: LifetimeTimerOptions): { close(): Promise<void> } {
  const { store, lifetimes, now, newId, sweepMs, log } = options;
  const stop = new AbortController();

  const act = async (id: string) => {
    const done = await store.intend(id, newId(), (row) => intentOf(row, now()));
    if (done?.intent) log.info({ slice_id: id, goal: done.intent.goal }, 'a time has come');
    else await lifetimes.remind(id);
  };
  const run = async () => {
    while (!stop.signal.aborted) {
      try {
        for (const id of await lifetimes.due(MOST_AT_ONCE)) {
          if (stop.signal.aborted) return;
          await act(id).catch((cause: unknown) => log.warn({ slice_id: id, cause }, 'a time was not kept'));
        }
      } catch (cause) {
        log.warn({ cause }, 'cannot look for times that have come');
      }
      await wait(sweepMs, stop.signal).catch(() => {});
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

function intentOf(row: SliceRow, now: number): Intent | undefined {
  switch (dueOf(row, now)) {
    case 'end': {
      const intent = remove(row);
      return (
        intent && {
          ...intent,
          message: `The slice has come to its end at ${row.expires_at?.toISOString()}: it is deleted`,
        }
      );
    }
    case 'start': {
      const intent = deploy(row);
      return intent && { ...intent, message: 'The time of the slice has come: its deployment has started' };
    }
    case 'reminder':
    case undefined:
      return undefined;
  }
}
