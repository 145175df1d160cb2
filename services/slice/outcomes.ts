// What the end of a driver's call means for the slice: settled, onward to the second half, or to be tried again. Pure.

import { causeChain, Failure } from '#common/errors.ts';
import { type ConvergeResult, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import { type Goal, type NewEvent, type SliceRow, stateEvent } from './rows.ts';
import type { Settlement } from './work-store.ts';

export type Conclusion =
  /** The work ended for good, well or not. */
  | { readonly kind: 'settled'; readonly settlement: Settlement }
  /** The next part of the same work. */
  | { readonly kind: 'onward'; readonly goal: Goal; readonly message: string }
  /** To be tried again after a while. */
  | {
      readonly kind: 'postponed';
      readonly cause: readonly string[];
      reason(delayS: number): { message: string; errorMessage: string; event: NewEvent };
    }
  /** Ended because it was called off. */
  | { readonly kind: 'interrupted' };

/** Failures that may be a passing fault of a process or the way to it, and how often that is believed in a row. */
const DOUBTFUL = ['INTERNAL', 'UNKNOWN', 'CANCELLED', 'DATA_LOSS', 'UNAUTHENTICATED'];
const MOST_DOUBTS = 5;

/** What a driver's result means. */
export function concluded(work: SliceRow, result: ConvergeResult): Conclusion {
  if (result.outcome !== Outcome.CONVERGED) {
    const message = result.errorMessage || 'The driver gave up without saying why';
    return work.goal === 'deleted' ? postponed(work, message) : broken(message);
  }
  const left = result.observed.filter((resource) => resource.state !== ResourceState.DELETED).length;
  switch (work.goal) {
    case 'running':
      return settled(SliceState.ACTIVE, 'The slice is running');
    case 'stopped':
      return settled(SliceState.STOPPED, 'All servers are shut down');
    case 'restarting':
      return { kind: 'onward', goal: 'running', message: 'All servers are shut down and are being started' };
    case 'deleted':
      // A slice is gone when the cloud lists nothing of it, whatever else is said.
      if (left > 0) return postponed(work, `The cloud still lists ${left} resources of the slice`);
      return settled(SliceState.DELETED, 'Slice deleted successfully');
    case 'none':
      return settled(SliceState.DRAFT, 'Nothing was asked for');
  }
}

/** What a call that broke means. Throws what means that another worker has taken over. */
export function failed(work: SliceRow, error: unknown): Conclusion {
  if (!(error instanceof Failure)) throw error;
  if (error.code === 'ABORTED') throw error;
  if (error.retryable) return postponed(work, error.message, error);
  if (DOUBTFUL.includes(error.code) && work.attempts + 1 < MOST_DOUBTS) {
    return postponed(work, error.message, error);
  }
  return work.goal === 'deleted' ? postponed(work, error.message, error) : broken(error.message);
}

function settled(status: SliceState, message: string): Conclusion {
  const events = [{ ...stateEvent(message), percent: 100 }];
  return { kind: 'settled', settlement: { status, message, errorMessage: '', events } };
}

function broken(errorMessage: string): Conclusion {
  const events = [{ type: SliceEventType.ERROR, message: errorMessage }, stateEvent('The work failed')];
  const settlement = { status: SliceState.ERROR, message: errorMessage, errorMessage, events };
  return { kind: 'settled', settlement };
}

const WHAT: Readonly<Record<Goal, string>> = {
  none: 'The slice',
  running: 'The deployment',
  stopped: 'The shutdown',
  restarting: 'The restart',
  deleted: 'The removal',
};

function postponed(work: SliceRow, why: string, error?: Failure): Conclusion {
  return {
    kind: 'postponed',
    cause: error ? causeChain(error) : [why],
    reason(delayS) {
      const message = `${WHAT[work.goal]} waits, and goes on in ${delayS} s: ${why}`;
      // A deletion that the cloud refuses is worth a user's attention though it is tried for ever.
      const errorMessage = work.goal === 'deleted' && !error?.retryable ? why : '';
      return { message, errorMessage, event: { type: SliceEventType.PROGRESS, message } };
    },
  };
}
