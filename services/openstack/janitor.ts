// What crashes and callers who left leave undone is brought to an end: at the start, from time to time, and when poked.

import type { Log } from '#common/log.ts';
import { wait } from '#common/time.ts';

export type Janitor = {
  /** Looks again soon. */
  poke(): void;
  /** Ends a round that is under way and waits for that. */
  close(): Promise<void>;
};

export type JanitorOptions = {
  /** Each is run once a round; one that fails does not stop the others. */
  readonly chores: readonly ((signal: AbortSignal) => Promise<unknown>)[];
  readonly log: Log;
  readonly everyMs?: number;
};

export function startJanitor({ chores, log, everyMs = 30_000 }: JanitorOptions): Janitor {
  const closing = new AbortController();
  let poked = new AbortController();

  async function work(): Promise<void> {
    while (!closing.signal.aborted) {
      poked = new AbortController();
      for (const chore of chores) {
        await chore(closing.signal).catch((cause: unknown) => {
          if (!closing.signal.aborted) log.warn({ cause }, 'cleaning up failed; it is tried again');
        });
      }
      await wait(everyMs, AbortSignal.any([closing.signal, poked.signal])).catch(() => {});
    }
  }

  const working = work();
  return {
    poke: () => poked.abort(),
    async close() {
      closing.abort();
      await working;
    },
  };
}
