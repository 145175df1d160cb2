// Waiting and retry pace. Everything that waits takes a signal and ends at once when it fires.

import { setTimeout as sleepFor } from 'node:timers/promises';
import { cancelled } from './errors.ts';

/** Waits; rejects with a CANCELLED failure as soon as the signal fires. */
export async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleepFor(ms, undefined, { signal, ref: true });
  } catch (error) {
    throw cancelled(signal?.reason ?? error);
  }
}

/** Full-jitter exponential backoff: attempt 0 waits up to `baseMs`, each further up to twice as much, never over `maxMs`. */
export function backoffMs(
  attempt: number,
  { baseMs, maxMs, random = Math.random }: { baseMs: number; maxMs: number; random?: () => number },
): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** attempt);
  return ceiling / 2 + random() * (ceiling / 2);
}
