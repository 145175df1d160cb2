// Looks at the clouds to see whether they still hold what a slice says: the driver's plan, without running it. A look ends
// as soon as work on the slice is asked for; on one slice there is one at a time in a process.

import { Failure, notFound, throwIfAborted } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import type { Metrics } from '#common/metrics.ts';
import type { SliceDrift } from '#proto/pucp/slice/v1/drift.ts';
import { driftEvent, driftOf, driftView, refuseLook } from './drift.ts';
import type { DriftStore } from './drift-store.ts';
import type { Drivers } from './drivers.ts';
import type { Notifications } from './notifications.ts';
import { desiredOf, watchGoal } from './reconciler.ts';
import { type SliceRow, scopeOf } from './rows.ts';
import type { Store } from './store.ts';
import type { WorkStore } from './work-store.ts';

export type DriftChecker = {
  /** Looks now. Throws FAILED_PRECONDITION where a look can say nothing, and what the driver answered if it cannot look. */
  check(id: string, signal: AbortSignal): Promise<SliceDrift>;
  /** Looks if the clock says so. Never throws for what the driver answers. */
  checkIfDue(id: string, signal: AbortSignal): Promise<void>;
};

export type DriftCheckerOptions = {
  readonly store: Pick<Store, 'get'>;
  readonly drifts: DriftStore;
  readonly workStore: WorkStore;
  readonly drivers: Drivers;
  readonly notifications: Pick<Notifications, 'subscribe'>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly newId: () => string;
  /** Looks by the clock at the same time in this process; what is beyond waits for the next sweep. */
  readonly mostAtOnce: number;
};

/** Shorter than a gateway waits. */
const LOOK_MS = 25_000;

export function createDriftChecker(options: DriftCheckerOptions): DriftChecker {
  const { store, drifts, workStore, drivers, notifications, log, metrics, now, newId, mostAtOnce } = options;
  const ends = metrics.counter('slice_checks_total', 'Looks for drift and how they ended', ['end']);
  const looks = new Map<string, Promise<SliceDrift>>();
  let byClock = 0;

  const lookAt = async (row: SliceRow): Promise<SliceDrift> => {
    const outdated = new AbortController();
    const watching = watchGoal(row, { store: workStore, notifications, outdated, log });
    try {
      const driver = drivers.of(row.spec.infrastructure);
      const token = await drivers.token({ userId: row.user_id, username: row.username, role: row.role });
      const calling = { token, signal: outdated.signal, requestId: newId(), timeoutMs: LOOK_MS };
      const scope = scopeOf(row);
      const wish = { scope, desired: desiredOf(atRest(row)), isNew: false, stepsOnly: true };
      const drift = driftOf((await driver.plan(wish, calling)).steps, new Date(now()));
      const isNews = driftEvent(driftView(row), drift) !== undefined;
      const observed = isNews ? (await driver.observe({ scope }, calling)).observed : undefined;
      if (!(await drifts.found(row, drift, observed))) throw overtaken(row);
      if (isNews)
        log.info({ slice_id: row.id, in_sync: drift.inSync, items: drift.items.length }, 'drift changed');
      ends.inc({ end: drift.inSync ? 'in_sync' : 'drift' });
      return drift;
    } catch (error) {
      if (outdated.signal.aborted) throw overtaken(row);
      ends.inc({ end: 'failed' });
      throw error;
    } finally {
      outdated.abort();
      await watching;
    }
  };

  /** Whoever comes while a look is under way waits for its end. */
  const look = (row: SliceRow): Promise<SliceDrift> => {
    const started = looks.get(row.id) ?? lookAt(row).finally(() => looks.delete(row.id));
    looks.set(row.id, started);
    return started;
  };

  return {
    async check(id, signal) {
      const row = await store.get(id);
      if (!row) throw notFound('slice', id);
      refuseLook(row);
      throwIfAborted(signal);
      return await look(row);
    },

    async checkIfDue(id, signal) {
      if (byClock >= mostAtOnce || signal.aborted || !(await drifts.isDue(id))) return;
      byClock += 1;
      try {
        const row = await store.get(id);
        if (row) await look(row);
      } catch (cause) {
        if (!(cause instanceof Failure)) throw cause;
        log.warn({ slice_id: id, cause }, 'a look for drift failed');
        await drifts.putOff(id);
      } finally {
        byClock -= 1;
      }
    },
  };
}

/** A restart that failed half-way is to end with servers that run. */
function atRest(row: SliceRow): SliceRow {
  return row.goal === 'restarting' ? { ...row, goal: 'running' } : row;
}

function overtaken({ id, name }: SliceRow): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'SLICE_BUSY',
    message: `Work on the slice "${name}" was asked for while it was looked at; check it when that is over`,
    metadata: { slice_id: id },
  });
}
