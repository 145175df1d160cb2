// Circuit breakers (opossum), one per remote thing that can be sick by itself. Time limits belong to the call inside:
// opossum's own timeout leaves the work running.

import CircuitBreaker from 'opossum';
import { Failure } from './errors.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

export type Breaker = {
  readonly name: string;
  /** Runs `work`, or throws UNAVAILABLE with a retry delay at once while the breaker is open. */
  run<T>(work: () => Promise<T>): Promise<T>;
  state(): BreakerState;
  close(): void;
};

export type BreakerOptions = {
  /** For messages: the name of what may be sick, such as `nova`. */
  readonly name: string;
  /** Whether a failed call says that the thing is sick; a refusal such as 404 does not. */
  readonly isSick: (error: unknown) => boolean;
  /** How long it stays open before one call may probe. */
  readonly resetMs?: number;
  /** Calls within ten seconds before it may open at all. */
  readonly volumeThreshold?: number;
  readonly onState?: (state: BreakerState) => void;
};

export function createBreaker(options: BreakerOptions): Breaker {
  const { name, isSick, resetMs = 15_000, volumeThreshold = 5, onState } = options;
  const circuit = new CircuitBreaker((work: () => Promise<unknown>) => work(), {
    name,
    timeout: false,
    errorThresholdPercentage: 50,
    volumeThreshold,
    resetTimeout: resetMs,
    rollingCountTimeout: 10_000,
    errorFilter: (error: unknown) => !isSick(error),
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
        const leftMs = Math.max(0, openedAt + resetMs - Date.now());
        throw new Failure({
          code: 'UNAVAILABLE',
          reason: 'CIRCUIT_OPEN',
          message: `${name} failed repeatedly and is not being called for now; try again shortly`,
          retryAfterS: Math.max(1, Math.ceil(leftMs / 1000)),
          metadata: { circuit: name },
        });
      }
    },
    state: () => (circuit.opened ? 'open' : circuit.halfOpen ? 'half-open' : 'closed'),
    close: () => circuit.shutdown(),
  };
}

// https://github.com/nodeshift/opossum: a call refused by an open circuit rejects with code EOPENBREAKER.
function isOpenError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EOPENBREAKER';
}
