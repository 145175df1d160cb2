// The work on one slice: take it, have its driver make the cloud equal to the goal, and write down how that went, until
// nothing is due. Whoever takes the slice later wins; whatever fails in passing is tried again.

import { Failure } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import type { Metrics } from '#common/metrics.ts';
import { backoffMs } from '#common/time.ts';
import { compileSpec } from '#engine/spec/compile.ts';
import type { ConvergeRequest, ConvergeResult } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { OnFailure, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { Drivers } from './drivers.ts';
import type { Notifications } from './notifications.ts';
import { type Conclusion, concluded, failed } from './outcomes.ts';
import { powerOf } from './power.ts';
import { createRecorder } from './recorder.ts';
import { type SliceRow, scopeOf, stateEvent } from './rows.ts';
import type { WorkStore } from './work-store.ts';

export type ReconcilerOptions = {
  readonly store: WorkStore;
  readonly drivers: Drivers;
  readonly notifications: Pick<Notifications, 'subscribe'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The pace of trying again. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
};

export type Reconciler = {
  /** Works on a slice until nothing is due now, or the signal fires; then what is left is due again. */
  reconcile(id: string, signal: AbortSignal): Promise<void>;
};

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { store, drivers, notifications, log, metrics, backoff } = options;
  const ends = metrics.counter('slice_work_total', 'Calls to drivers by goal and how they ended', [
    'goal',
    'end',
  ]);
  const seconds = metrics.histogram('slice_work_seconds', 'Time of calls to drivers by goal', ['goal']);

  const converge = async (work: SliceRow, signal: AbortSignal, fail: (error: unknown) => void) => {
    const driver = drivers.of(work.spec.infrastructure);
    const token = await drivers.token({ userId: work.user_id, username: work.username, role: work.role });
    const recorder = createRecorder({ work, store, share: shareOf(work), onFailure: fail });
    let result: ConvergeResult | undefined;
    try {
      const call = driver.converge(requestOf(work), { token, signal, requestId: work.request_id });
      for await (const event of call) {
        await recorder.add(event);
        if (event.event?.$case === 'result') result = event.event.value;
      }
    } finally {
      await recorder.flush();
    }
    if (!result) {
      const message = 'the driver ended without a result';
      throw new Failure({ code: 'UNAVAILABLE', reason: 'NO_RESULT', message });
    }
    await store.observe(work, result);
    return concluded(work, result);
  };

  /** One call to the driver, ended early by a newer goal, by another worker, or by `signal`. */
  const attempt = async (work: SliceRow, signal: AbortSignal): Promise<Conclusion> => {
    const outdated = new AbortController();
    const both = AbortSignal.any([signal, outdated.signal]);
    const watching = watchGoal(work, { store, notifications, outdated, log });
    let writeFailure: { readonly error: unknown } | undefined;
    try {
      return await converge(work, both, (error) => {
        writeFailure = { error };
        outdated.abort();
      });
    } catch (error) {
      if (writeFailure) throw writeFailure.error;
      if (both.aborted) return { kind: 'interrupted' };
      return failed(work, error);
    } finally {
      outdated.abort();
      await watching;
    }
  };

  const conclude = async (work: SliceRow, conclusion: Conclusion): Promise<void> => {
    switch (conclusion.kind) {
      case 'interrupted':
        log.info({ slice_id: work.id, fence: work.fence }, 'work called off');
        return;
      case 'settled': {
        const isSettled = await store.settle(work, conclusion.settlement);
        if (isSettled) log.info({ slice_id: work.id, status: conclusion.settlement.status }, 'slice settled');
        return;
      }
      case 'onward':
        return store.proceed(work, conclusion.goal, [stateEvent(conclusion.message)]);
      case 'undone':
        log.warn({ slice_id: work.id, reason: conclusion.undoing.reason }, 'change failed and is undone');
        return store.undo(work, conclusion.undoing);
      case 'postponed': {
        const delayMs = backoffMs(work.attempts, backoff);
        const fields = {
          slice_id: work.id,
          goal: work.goal,
          attempts: work.attempts + 1,
          ms: Math.round(delayMs),
        };
        log.warn({ ...fields, cause: conclusion.cause }, 'work postponed');
        return store.postpone(work, delayMs, conclusion.reason(Math.max(1, Math.round(delayMs / 1000))));
      }
    }
  };

  return {
    async reconcile(id, signal) {
      let work: SliceRow | undefined;
      while (!signal.aborted) {
        work = await store.claim(id, work);
        if (!work) return;
        log.info({ slice_id: id, goal: work.goal, fence: work.fence }, 'work begins');
        const startedAt = performance.now();
        try {
          const conclusion = await attempt(work, signal);
          ends.inc({ goal: work.goal, end: conclusion.kind });
          await conclude(work, conclusion);
        } catch (error) {
          if (!isSuperseded(error)) throw error;
          ends.inc({ goal: work.goal, end: 'superseded' });
          log.info({ slice_id: id, fence: work.fence }, 'another worker has taken over');
          return;
        } finally {
          seconds.observe({ goal: work.goal }, (performance.now() - startedAt) / 1000);
        }
      }
    },
  };
}

/** Ends the call under way as soon as it serves no purpose any more. */
export async function watchGoal(
  work: SliceRow,
  {
    store,
    notifications,
    outdated,
    log,
  }: Pick<ReconcilerOptions, 'notifications' | 'log'> & {
    store: Pick<WorkStore, 'isCurrent'>;
    outdated: AbortController;
  },
): Promise<void> {
  const subscription = notifications.subscribe(work.id);
  try {
    while (!outdated.signal.aborted) {
      await subscription.changed(outdated.signal);
      if (outdated.signal.aborted) return;
      const isCurrent = await store.isCurrent(work).catch((cause: unknown) => {
        log.warn({ slice_id: work.id, cause }, 'cannot look for a newer goal');
        return true;
      });
      if (!isCurrent) outdated.abort();
    }
  } finally {
    subscription.close();
  }
}

function requestOf(work: SliceRow): ConvergeRequest {
  // A driver rolls back to nothing. What a change is undone to is this service's to say, once the driver has given up.
  const isFirst = work.deployed_spec === null;
  return {
    scope: scopeOf(work),
    desired: desiredOf(work),
    onFailure: isFirst && work.goal === 'running' ? work.on_failure : OnFailure.KEEP,
    fence: work.fence,
  };
}

/** What the clouds are to hold of a slice. */
export function desiredOf(work: SliceRow): Resource[] {
  switch (work.goal) {
    case 'running':
    case 'stopped':
    case 'restarting':
      return compileSpec(work.spec, powerOf(work));
    case 'deleted':
    case 'none':
      return [];
  }
}

// A restart is two calls: all off, then all on.
function shareOf({ goal, status }: SliceRow): { from: number; to: number } {
  if (goal === 'restarting') return { from: 0, to: 50 };
  return { from: status === SliceState.RESTARTING ? 50 : 0, to: 100 };
}

function isSuperseded(error: unknown): boolean {
  return error instanceof Failure && error.code === 'ABORTED';
}
