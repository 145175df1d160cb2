// What the end of a driver's call means for the slice: settled, onward to the second half, to be undone, or to be tried
// again. Pure. The states are told in docs/engine.md.

import { causeChain, Failure } from '#common/errors.ts';
import { type ConvergeResult, type FailedResource, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { OnFailure, type SliceSpec, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import { nodesOff } from './power.ts';
import { type Goal, type NewEvent, type SliceRow, stateEvent } from './rows.ts';
import { isSameSpec, undoneSpec } from './spec-changes.ts';
import type { Settlement, Undoing } from './work-store.ts';

export type Conclusion =
  /** The work ended for good, well or not. */
  | { readonly kind: 'settled'; readonly settlement: Settlement }
  /** The next part of the same work. */
  | { readonly kind: 'onward'; readonly goal: Goal; readonly message: string }
  /** A change failed and is taken back: the next work goes to what was last deployed in full. */
  | { readonly kind: 'undone'; readonly undoing: Undoing }
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
    return work.goal === 'deleted' ? postponed(work, message) : broken(work, message, result.failed);
  }
  const left = result.observed.filter((resource) => resource.state !== ResourceState.DELETED).length;
  switch (work.goal) {
    case 'running':
      return settled(work, SliceState.ACTIVE, runningMessage(work));
    case 'stopped':
      return settled(work, SliceState.STOPPED, 'All servers are shut down');
    case 'restarting':
      return { kind: 'onward', goal: 'running', message: 'Servers are shut down and are being started' };
    case 'deleted':
      // A slice is gone when the cloud lists nothing of it, whatever else is said.
      if (left > 0) return postponed(work, `The cloud still lists ${left} resources of the slice`);
      return settled(work, SliceState.DELETED, 'Slice deleted successfully');
    case 'none':
      return settled(work, SliceState.DRAFT, 'Nothing was asked for');
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
  return work.goal === 'deleted' ? postponed(work, error.message, error) : broken(work, error.message);
}

function runningMessage(work: SliceRow): string {
  const off = nodesOff(work);
  if (off.length === 0) return 'The slice is running';
  return `The slice is running but for ${off.join(', ')}, which ${off.length === 1 ? 'is' : 'are'} shut down`;
}

function settled({ undoing, failures }: SliceRow, status: SliceState, message: string): Conclusion {
  const isUndone = undoing !== '' && status !== SliceState.DELETED;
  const said = isUndone ? `${message} as before the change that failed` : message;
  const events = [{ ...stateEvent(said), percent: 100 }];
  const errorMessage = isUndone ? `The change failed and was undone: ${undoing}` : '';
  const settlement = { status, message: said, errorMessage, failures: isUndone ? failures : [], events };
  return { kind: 'settled', settlement };
}

function broken(work: SliceRow, reason: string, failed: readonly FailedResource[] = []): Conclusion {
  const { spec, undoing } = work;
  const error = { type: SliceEventType.ERROR, message: reason };
  const former = formerSpec(work);
  if (former) {
    const message = 'The change failed and is being undone';
    const events = [error, stateEvent(message)];
    return {
      kind: 'undone',
      undoing: { spec: undoneSpec(former, spec), reason, failures: failed, message, events },
    };
  }
  const isUndone = undoing !== '';
  const errorMessage = isUndone
    ? `${undoing.replace(/\.?$/, '.')} Undoing the change failed too: ${reason}`
    : reason;
  const failures = isUndone ? [...work.failures, ...failed] : failed;
  const events = [error, stateEvent(isUndone ? 'Undoing the change failed' : 'The work failed')];
  const settlement = { status: SliceState.ERROR, message: errorMessage, errorMessage, failures, events };
  return { kind: 'settled', settlement };
}

/** What to go back to, if the work was a change that is to be undone. */
function formerSpec({ on_failure, deployed_spec: former, spec }: SliceRow): SliceSpec | undefined {
  if (on_failure !== OnFailure.ROLLBACK || !former || isSameSpec(former, spec)) return undefined;
  return former;
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
      const what = WHAT[work.goal];
      const told = `${what} waits, and goes on in ${delayS} s: ${why}`;
      // A deletion that the cloud refuses is worth a user's attention though it is tried for ever.
      const errorMessage = work.goal === 'deleted' && !error?.retryable ? why : '';
      // When it goes on is said by who is asked, for by then it is another time.
      const event = { type: SliceEventType.PROGRESS, message: told };
      return { message: `${what} waits: ${why}`, errorMessage, event };
    },
  };
}
