// At most so many requests to a cloud at once. Those that wait are served in order and leave the line when called off.

import { cancelled } from '#common/errors.ts';

export type Limiter = {
  /** Resolves with the function that gives the place back. */
  acquire(signal: AbortSignal): Promise<() => void>;
};

export function createLimiter(max: number): Limiter {
  let used = 0;
  const waiting = new Set<() => void>();

  function release(): void {
    const next = waiting.values().next().value;
    // The place passes from hand to hand: `used` stays as it is.
    if (next === undefined) used -= 1;
    else next();
  }

  function once(): () => void {
    let given = false;
    return () => {
      if (!given) release();
      given = true;
    };
  }

  return {
    async acquire(signal) {
      if (signal.aborted) throw cancelled(signal.reason);
      if (used < max) {
        used += 1;
        return once();
      }
      return await new Promise((resolve, reject) => {
        const enter = () => {
          waiting.delete(enter);
          signal.removeEventListener('abort', leave);
          resolve(once());
        };
        const leave = () => {
          waiting.delete(enter);
          reject(cancelled(signal.reason));
        };
        waiting.add(enter);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
  };
}
