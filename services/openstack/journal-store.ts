// The journal's table. It grows with every step, so it is kept short: the newest lines of what lives, and all of what is
// gone for a while.

import type { Knex } from '#common/database.ts';
import type { Entry } from '#engine/journal.ts';
import { type SliceStep, StepPhase } from '#proto/pucp/slice/v1/history.ts';

export type JournalKey = { readonly userId: string; readonly sliceId: string };

/** One run of the engine. */
export type Run = JournalKey & {
  readonly runId: string;
  /** 0 for slices that have none. */
  readonly fence: number;
  readonly requestId: string;
};

export type JournalPage = {
  readonly limit: number;
  /** The id of the last line of the page before; undefined for the first page. */
  readonly from: string | undefined;
  readonly newestFirst: boolean;
};

export type JournalStore = ReturnType<typeof createJournalStore>;

export type Retention = {
  /** How long lines stay after nothing of their slice is left. */
  readonly days: number;
  /** How many lines of one slice stay at most. */
  readonly perSlice: number;
};

// One statement of the sweep; more would hold locks for long.
const SWEPT_AT_ONCE = 5_000;

export function createJournalStore(knex: Knex, { days, perSlice }: Retention) {
  const journal = () => knex<JournalRow>('journal');
  return {
    /** Adds lines, the first of which is the run's `number`th. Adding them once more changes nothing. */
    async append(run: Run, entries: readonly Entry[], number: number): Promise<void> {
      const { userId, runId, fence, requestId } = run;
      const rows = entries.map((entry, index) => ({
        user_id: userId,
        slice_id: entry.sliceId,
        run_id: runId,
        number: number + index,
        fence,
        step: entry.step,
        phase: entry.phase,
        cloud_id: entry.cloudId,
        detail: entry.detail,
        request_id: requestId,
      }));
      await journal().insert(rows).onConflict(['run_id', 'number']).ignore();
    },

    /** Lines of a slice in order. */
    async list(
      { userId, sliceId }: JournalKey,
      { limit, from, newestFirst }: JournalPage,
    ): Promise<SliceStep[]> {
      const rows = journal()
        .where({ slice_id: sliceId, user_id: userId })
        .orderBy('position', newestFirst ? 'desc' : 'asc')
        .limit(limit);
      if (from !== undefined) rows.where('position', newestFirst ? '<' : '>', from);
      return (await rows).map(stepOf);
    },

    /** Lets the oldest lines go, those that are more than are kept of one slice. */
    async trim({ userId, sliceId }: JournalKey): Promise<void> {
      const own = () => journal().where({ slice_id: sliceId, user_id: userId });
      const last = own().select('position').orderBy('position', 'desc').offset(perSlice).limit(1);
      await own().where('position', '<=', last).delete();
    },

    /** Notes that nothing of the slice is left: its lines go after a while. */
    async close({ userId, sliceId }: JournalKey): Promise<void> {
      await journal()
        .where({ slice_id: sliceId, user_id: userId, gone_at: null })
        .update({ gone_at: knex.fn.now() });
    },

    /** Lets the lines go of what has been gone for long enough; answers how many. */
    async sweep(): Promise<number> {
      for (let count = 0; ; ) {
        const old = journal()
          .select('position')
          .whereRaw("gone_at < now() - ? * interval '1 day'", [days])
          .limit(SWEPT_AT_ONCE);
        const swept = await journal().whereIn('position', old).delete();
        count += swept;
        if (swept < SWEPT_AT_ONCE) return count;
      }
    },
  };
}

type JournalRow = {
  position: string;
  user_id: string;
  slice_id: string;
  run_id: string;
  number: number;
  fence: number;
  time: Date;
  step: string;
  phase: Entry['phase'];
  cloud_id: string;
  detail: string;
  request_id: string;
  gone_at: Date | null;
};

const PHASES = { begin: StepPhase.BEGIN, done: StepPhase.DONE, failed: StepPhase.FAILED } as const;

function stepOf(row: JournalRow): SliceStep {
  return {
    id: row.position,
    time: row.time.toISOString(),
    runId: row.run_id,
    fence: row.fence,
    step: row.step,
    phase: PHASES[row.phase],
    cloudId: row.cloud_id,
    detail: row.detail,
    requestId: row.request_id,
  };
}
