// Many callers, one piece of work. The work belongs to none of them: one caller that leaves does not stop it for the others.

import { calledOff } from './called-off.ts';

export type SingleFlight<T> = (signal: AbortSignal) => Promise<T>;

/** Joins the work under way or starts it; each caller stops waiting when its own signal fires. */
export function createSingleFlight<T>(work: () => Promise<T>): SingleFlight<T> {
  let flight: Promise<T> | undefined;
  return (signal) => {
    flight ??= work().finally(() => {
      flight = undefined;
    });
    return raceSignal(flight, signal);
  };
}

/** The promise's outcome, or CANCELLED or DEADLINE_EXCEEDED as soon as the signal fires. */
export async function raceSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined);
    throw calledOff(signal);
  }
  let leave = (): void => undefined;
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(calledOff(signal));
    signal.addEventListener('abort', leave, { once: true });
  });
  try {
    return await Promise.race([promise, left]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
