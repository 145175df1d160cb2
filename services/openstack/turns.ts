// Within one process a slice is worked on by one run at a time. A new one ends the one before, and begins when the calls that
// that one has under way have ended: what they make would be in none of its lists, and be made twice.

import { throwIfAborted } from '#common/errors.ts';
import { raceSignal } from './api/single-flight.ts';
import { fenced } from './fences.ts';

export type Turns = {
  /**
   * Runs `work` when the run before it has ended; its signal fires when the next one comes. Throws FENCED if the run before
   * has a greater fence, and CANCELLED or DEADLINE_EXCEEDED if `signal` fires first.
   */
  take<T>(
    slice: { readonly userId: string; readonly sliceId: string; readonly fence: number },
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
};

type Turn = { readonly fence: number; readonly stop: AbortController; readonly over: Promise<unknown> };

export function createTurns(): Turns {
  const latest = new Map<string, Turn>();
  return {
    async take({ userId, sliceId, fence }, signal, work) {
      // Two users may have chosen one id for what they deploy.
      const key = `${userId}/${sliceId}`;
      const former = latest.get(key);
      if (former && former.fence > fence) throw fenced(sliceId);
      const own = Promise.withResolvers<void>();
      const stop = new AbortController();
      const turn: Turn = { fence, stop, over: Promise.all([former?.over, own.promise]) };
      latest.set(key, turn);
      turn.over.then(() => latest.get(key) === turn && latest.delete(key));
      former?.stop.abort(fenced(sliceId));
      const both = AbortSignal.any([signal, stop.signal]);
      try {
        if (former) await raceSignal(former.over, both);
        throwIfAborted(both);
        return await work(both);
      } finally {
        own.resolve();
      }
    },
  };
}
