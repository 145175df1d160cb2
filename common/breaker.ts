// Circuit breakers (opossum), one per remote thing that can be sick by itself. Time limits belong to the call inside:
// opossum's own timeout leaves the work running.

import CircuitBreaker from 'opossum';
import { Failure } from './errors.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

export type Breaker = {
  /** Which thing it is about, for programs: `cloud.example:5000/RegionOne/nova`. */
  readonly name: string;
  /** Runs `work`, or throws UNAVAILABLE with a retry delay at once while the breaker is open. */
  run<T>(work: () => Promise<T>): Promise<T>;
  state(): BreakerState;
  close(): void;
};

export type BreakerOptions = {
  /** Unique among all breakers; metadata of the failures while it is open. */
  readonly name: string;
  /** For messages: what people call the thing, such as `Nova`; the name if not set. */
  readonly title?: string;
  /** Whether a failed call says that the thing is sick; a refusal such as 404 does not. */
  readonly isSick: (error: unknown) => boolean;
  /** How long it stays open before one call may probe. */
  readonly resetMs?: number;
  /**
   * It opens when half of the calls of ten seconds fail and there are at least so many, or when so many fail one after the
   * other, however long that takes: who hangs fails seldom.
   */
  readonly volumeThreshold?: number;
  readonly onState?: (state: BreakerState) => void;
};

/** A probe that was called off said nothing: the next one may come this much later. */
const NEXT_PROBE_MS = 1_000;

export function createBreaker(options: BreakerOptions): Breaker {
  const { name, title = name, isSick, resetMs = 15_000, volumeThreshold = 5, onState } = options;
  // opossum keeps this very object and reads `resetTimeout` from it each time it opens.
  const settings = {
    name,
    timeout: false as const,
    errorThresholdPercentage: 50,
    volumeThreshold,
    resetTimeout: resetMs,
    rollingCountTimeout: 10_000,
    // Nobody reads them, and they cost a timer each second and a sort of all latencies at each failure.
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    // What is filtered counts as a success, which closes a half-open circuit: a call that its caller ended must not.
    errorFilter(error: unknown): boolean {
      const isProbeLost = circuit.halfOpen && isCalledOff(error);
      settings.resetTimeout = isProbeLost ? Math.min(resetMs, NEXT_PROBE_MS) : resetMs;
      return !isSick(error) && !isProbeLost;
    },
  };
  const circuit: CircuitBreaker<[() => Promise<unknown>]> = new CircuitBreaker((work) => work(), settings);
  let sickInARow = 0;
  circuit.on('failure', () => {
    sickInARow += 1;
    if (sickInARow >= volumeThreshold) circuit.open();
  });
  // opossum hands what it filtered to this event, too.
  circuit.on('success', (outcome: unknown) => {
    if (!isCalledOff(outcome)) sickInARow = 0;
  });
  let openedAt = 0;
  circuit.on('open', () => {
    openedAt = Date.now();
    onState?.('open');
  });
  circuit.on('halfOpen', () => onState?.('half-open'));
  circuit.on('close', () => onState?.('closed'));
  return {
    name,
    async run<T>(work: () => Promise<T>): Promise<T> {
      try {
        return (await circuit.fire(work)) as T;
      } catch (error) {
        if (!isOpenError(error)) throw error;
        const leftMs = Math.max(0, openedAt + settings.resetTimeout - Date.now());
        throw new Failure({
          code: 'UNAVAILABLE',
          reason: 'CIRCUIT_OPEN',
          message: `${title} failed repeatedly and is not being called for now; try again shortly`,
          retryAfterS: Math.max(1, Math.ceil(leftMs / 1000)),
          metadata: { circuit: name },
        });
      }
    },
    state: () => (circuit.opened ? 'open' : circuit.halfOpen ? 'half-open' : 'closed'),
    close: () => circuit.shutdown(),
  };
}

/** Ended by the caller, or by a deadline of the caller's that was too short to say anything of the thing called. */
function isCalledOff(error: unknown): boolean {
  return error instanceof Failure && (error.code === 'CANCELLED' || error.reason === 'DEADLINE_EXCEEDED');
}

// https://github.com/nodeshift/opossum: a call refused by an open circuit rejects with code EOPENBREAKER.
function isOpenError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EOPENBREAKER';
}
