// Time that passes only when nothing else can happen, so that hours of waiting take a test milliseconds.

import { setImmediate as idle } from 'node:timers/promises';
import { cancelled } from '#common/errors.ts';
import type { Clock } from '../environment.ts';

export function createVirtualClock(): Clock {
  type Timer = { readonly atMs: number; readonly ring: () => void };
  let nowMs = 0;
  let timers: Timer[] = [];
  let turning = false;

  async function turn(): Promise<void> {
    turning = true;
    while (timers.length > 0) {
      // Let everything that can happen without time passing happen first.
      for (let i = 0; i < 3; i++) await idle();
      const next = timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (!next) break;
      timers = timers.filter((timer) => timer !== next);
      nowMs = Math.max(nowMs, next.atMs);
      next.ring();
    }
    turning = false;
  }

  return {
    now: () => nowMs,
    wait(ms, signal) {
      if (signal.aborted) return Promise.reject(cancelled(signal.reason));
      return new Promise((resolve, reject) => {
        const timer: Timer = { atMs: nowMs + ms, ring };
        function ring(): void {
          signal.removeEventListener('abort', abort);
          resolve();
        }
        function abort(): void {
          timers = timers.filter((one) => one !== timer);
          reject(cancelled(signal.reason));
        }
        signal.addEventListener('abort', abort, { once: true });
        timers.push(timer);
        if (!turning) void turn();
      });
    },
  };
}
