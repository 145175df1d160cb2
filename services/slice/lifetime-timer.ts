// The clock of slices: deploys what is scheduled, reminds, and deletes what has come to its end. Times stand in the
// database and any process acts on them, so that one that was down is no time missed: the first to come back acts.

import { Failure } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import { wait } from '#common/time.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { type DeploymentDeps, intendRunning } from './deployment.ts';
import { deploy, remove } from './intents.ts';
import { dueOf } from './lifetime.ts';
import type { LifetimeStore } from './lifetime-store.ts';
import type { SliceRow } from './rows.ts';
import type { Intended, Intent, Store } from './store.ts';

export type LifetimeTimerOptions = {
  readonly lifetimes: Pick<LifetimeStore, 'dueToStart' | 'dueToEnd' | 'remind'>;
  readonly deployment: DeploymentDeps & { readonly store: Pick<Store, 'get'> };
  readonly now: () => number;
  readonly newId: () => string;
  /** How long it waits between two looks. */
  readonly sweepMs: number;
  readonly log: Log;
};

const MOST_AT_ONCE = 10;
/** What a cloud may take to say whether there is room. */
const ASK_MS = 30_000;

export function startLifetimeTimer(options: LifetimeTimerOptions): { close(): Promise<void> } {
  const { lifetimes, deployment, now, newId, sweepMs, log } = options;
  const { store } = deployment;
  const stop = new AbortController();

  const endOrRemind = async (id: string): Promise<Intended | undefined> => {
    const decide = (row: SliceRow) => (dueOf(row, now()) === 'end' ? endOf(row) : undefined);
    const done = await store.intend(id, newId(), decide);
    if (!done?.intent) await lifetimes.remind(id);
    return done;
  };
  const begin = async (id: string): Promise<Intended | undefined> => {
    const row = await store.get(id);
    if (!row) return undefined;
    const requestId = newId();
    const caller = { userId: row.user_id, username: row.username, role: row.role };
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(ASK_MS)]);
    const ifDue = (decide: (current: SliceRow) => Intent | undefined) => (current: SliceRow) =>
      dueOf(current, now()) === 'start' ? decide(current) : undefined;
    try {
      const decide = ifDue(startOf);
      return await intendRunning(row, { decide }, { caller, requestId, signal }, deployment);
    } catch (error) {
      if (!isFinal(error)) throw error;
      return await store.intend(
        row.id,
        requestId,
        ifDue(() => refusalOf(error)),
      );
    }
  };
  const keep = async (
    due: (limit: number) => Promise<string[]>,
    act: (id: string) => Promise<Intended | undefined>,
  ) => {
    const keepOne = async (id: string) => {
      try {
        const done = await act(id);
        if (done?.intent) log.info({ slice_id: id, goal: done.intent.goal }, 'the time of a slice has come');
      } catch (cause) {
        log.warn({ slice_id: id, cause }, 'the time of a slice was not kept yet');
      }
    };
    while (!stop.signal.aborted) {
      try {
        await Promise.all((await due(MOST_AT_ONCE)).map(keepOne));
      } catch (cause) {
        log.warn({ cause }, 'cannot look for times that have come');
      }
      await wait(sweepMs, stop.signal).catch(() => {});
    }
  };
  // Apart, so that a cloud that does not answer a start puts off no end.
  const keeping = [keep(lifetimes.dueToStart, begin), keep(lifetimes.dueToEnd, endOrRemind)];

  return {
    async close() {
      stop.abort();
      await Promise.all(keeping);
    },
  };
}

function endOf(row: SliceRow): Intent | undefined {
  const intent = remove(row);
  const time = row.expires_at?.toISOString();
  return intent && { ...intent, message: `The slice has come to its end at ${time}: it is deleted` };
}

function startOf(row: SliceRow): Intent | undefined {
  const intent = deploy(row);
  return intent && { ...intent, message: 'The time of the slice has come: its deployment has started' };
}

/** The cloud has no room for it, or does not offer any more what it asks for: nothing was begun. */
function refusalOf({ message }: Failure): Intent {
  const errorMessage = `The slice could not be deployed at its time: ${message}`;
  return { goal: 'none', status: SliceState.ERROR, message: errorMessage, errorMessage };
}

function isFinal(error: unknown): error is Failure {
  return (
    error instanceof Failure &&
    !error.retryable &&
    ['INVALID_ARGUMENT', 'FAILED_PRECONDITION', 'RESOURCE_EXHAUSTED'].includes(error.code)
  );
}
