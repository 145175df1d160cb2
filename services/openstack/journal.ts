// The journal of one run of the engine: into the database, and into the log for operators. Nothing begins that could not
// be written. A database that is away is waited for, and if it stays away the run ends, to be taken up again.

import { databaseFailure } from '#common/database-errors.ts';
import { cancelled, Failure } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import { backoffMs, wait } from '#common/time.ts';
import type { Entry, Journal } from '#engine/journal.ts';
import type { JournalStore, Run } from './journal-store.ts';

export type JournalOptions = {
  readonly run: Run;
  readonly store: Pick<JournalStore, 'append'>;
  readonly log: Log;
  /** Called before each begin, which does not happen if it throws. */
  readonly admit: () => Promise<void>;
  /** Ends the waiting for the database. */
  readonly signal: AbortSignal;
  /** Called when the database stays away: the run is to end. */
  readonly giveUp: (failure: Failure) => void;
  readonly patienceMs?: number;
};

const PACE = { baseMs: 100, maxMs: 3_000 };

export function createJournal(options: JournalOptions): Journal {
  const { run, store, log, admit, signal, giveUp, patienceMs = 120_000 } = options;
  let written = 0;

  /** Does it as soon as the database is there. Throws its absence when the patience, or the run, is over. */
  async function patiently(work: () => Promise<void>): Promise<void> {
    const deadline = performance.now() + patienceMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        const failure = databaseFailure(error);
        if (!isAway(failure)) throw failure;
        if (signal.aborted) throw failure;
        if (performance.now() > deadline) {
          giveUp(failure);
          throw failure;
        }
        if (attempt === 0) log.warn({ slice_id: run.sliceId, cause: failure }, 'waiting for the journal');
        await wait(backoffMs(attempt, PACE), signal);
      }
    }
  }

  return {
    async record(entries) {
      const number = written;
      written += entries.length;
      const isBegin = entries.some(({ phase }) => phase === 'begin');
      try {
        await patiently(async () => {
          if (isBegin) await admit();
          await store.append(run, entries, number);
        });
      } catch (error) {
        if (isBegin && signal.aborted) throw cancelled(signal.reason);
        // What has happened has happened; whoever takes over asks the cloud.
        if (isBegin || !signal.aborted) throw error;
        log.warn({ slice_id: run.sliceId, cause: error }, 'the end of a step could not be written');
      }
      for (const entry of entries) log.info(lineOf(entry), 'step');
    },
  };
}

function isAway(error: unknown): error is Failure {
  return error instanceof Failure && error.reason === 'DATABASE_UNREACHABLE';
}

function lineOf({ sliceId, step, phase, cloudId, detail }: Entry): Record<string, unknown> {
  return { slice_id: sliceId, step, phase, cloud_id: cloudId || undefined, detail };
}
