// Who may hash a password when. Each hash takes 19 MiB and a thread for about 50 ms: a flood of logins must wait in
// line, and the line has an end.

import { availableParallelism } from 'node:os';
import { cancelled, Failure, throwIfAborted } from '#common/errors.ts';

export type Turns = {
  /**
   * Runs `work` when it is its turn: at most one at a time for a key, in the order of asking, and only a few in all.
   * Throws RESOURCE_EXHAUSTED at once if the line is full, and CANCELLED if the signal fires before the turn comes.
   */
  run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
};

export type TurnsOptions = {
  /** How many run at once; Node's pool has four threads, and DNS and files need some too. */
  readonly parallel?: number;
  /** How many wait at most. At 20 hashes a second the last of 100 waits five seconds. */
  readonly maxWaiting?: number;
};

export function createTurns(options: TurnsOptions = {}): Turns {
  const { parallel = Math.min(3, availableParallelism()), maxWaiting = 100 } = options;
  const busy = new Set<string>();
  const waiting: { readonly key: string; readonly go: () => void }[] = [];

  return {
    async run(key, signal, work) {
      throwIfAborted(signal);
      if (busy.size < parallel && !busy.has(key)) busy.add(key);
      else await inLine(key, signal);
      try {
        return await work();
      } finally {
        busy.delete(key);
        callNext();
      }
    },
  };

  // Resolves with the key marked busy, so that nobody slips in between.
  function inLine(key: string, signal: AbortSignal): Promise<void> {
    if (waiting.length >= maxWaiting) throw full();
    return new Promise((resolve, reject) => {
      const place = {
        key,
        go: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = () => {
        waiting.splice(waiting.indexOf(place), 1);
        reject(cancelled(signal.reason));
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(place);
    });
  }

  function callNext(): void {
    while (busy.size < parallel) {
      const index = waiting.findIndex(({ key }) => !busy.has(key));
      const [next] = index < 0 ? [] : waiting.splice(index, 1);
      if (next === undefined) return;
      busy.add(next.key);
      next.go();
    }
  }
}

function full(): Failure {
  return new Failure({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'TOO_MANY_LOGINS',
    message: 'Too many people are signing in at this moment; try again in a few seconds',
    retryAfterS: 5,
    retryable: true,
  });
}
