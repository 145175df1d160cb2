// What a run of the engine is given: the kinds of a cloud, time, randomness, limits, and where its words go.

import type { Log } from '#common/log.ts';
import { backoffMs, wait } from '#common/time.ts';
import type { Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import type { Gate } from './gate.ts';
import type { Journal } from './journal.ts';
import type { Kinds } from './kind.ts';

export type Clock = {
  now(): number;
  /** Rejects as soon as the signal fires. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
};

export const systemClock: Clock = { now: () => performance.now(), wait };

export type Limits = {
  /** How often one resource is made anew after the cloud gave it up, within one run. */
  readonly replacements: number;
  /** How long one step may take in all, its retries and its waiting included. */
  readonly stepMs: number;
  /** How long the cloud may fail to answer a list before the run gives up. */
  readonly unreachableMs: number;
  /** How long something just made may be absent from a list before it counts as gone. */
  readonly lagMs: number;
  /** How long a creation that timed out may still take effect, before it is asked for again. */
  readonly doubtMs: number;
  /** How long a removal may be under way before it is asked for again. */
  readonly deleteAgainMs: number;
  /** Time between two looks while something is waited for: from `first`, growing to `max` while nothing happens. */
  readonly paceMs: { readonly first: number; readonly max: number };
  /** Time before a failed step is tried again: grows from `base` to `max`. */
  readonly backoffMs: { readonly base: number; readonly max: number };
};

/** Calls that change a cloud, at the same time, unless its operator says otherwise. */
export const IN_FLIGHT = 16;

export const DEFAULT_LIMITS: Limits = {
  replacements: 1,
  stepMs: 600_000,
  unreachableMs: 120_000,
  lagMs: 10_000,
  doubtMs: 5_000,
  deleteAgainMs: 30_000,
  paceMs: { first: 300, max: 3_000 },
  backoffMs: { base: 500, max: 15_000 },
};

/** Something happened: a resource changed its state, or there is a sentence to say. */
export type Report = {
  /** 0 to 100; never falls within a run. */
  readonly percent: number;
  readonly message: string;
  readonly resource: Resource | undefined;
};

export type Environment = {
  readonly scope: Scope;
  readonly kinds: Kinds;
  readonly journal: Journal;
  readonly log: Log;
  readonly clock: Clock;
  /** A number from 0 up to 1. */
  readonly random: () => number;
  readonly limits: Limits;
  /** Bounds the calls that change the cloud, for all runs that share it. */
  readonly gate: Gate;
  /** Must not throw. */
  readonly report: (report: Report) => void;
  /** Ends the run after what is under way. */
  readonly signal: AbortSignal;
};

/** When a failed call may be tried again: as the cloud asked, or by growing steps with jitter. */
export function retryDelayMs(
  attempt: number,
  retryAfterS: number | undefined,
  environment: Environment,
): number {
  const { base, max } = environment.limits.backoffMs;
  const backoff = backoffMs(attempt, { baseMs: base, maxMs: max, random: environment.random });
  return Math.max(backoff, Math.min((retryAfterS ?? 0) * 1000, 60_000));
}
