// The durable queue of slices that work is due on: pg-boss on the service's own PostgreSQL. A job says no more than "look
// at this slice"; what is to be done stands in the slices table, so a job too many is harmless and one too few is found
// by the sweep.

import { fromKnex, PgBoss } from 'pg-boss';
import type { Secret } from '#common/config.ts';
import type { Knex } from '#common/database.ts';
import type { Log } from '#common/log.ts';

export type Queue = {
  /** Puts slices on the queue; with `tx`, when that transaction commits. One that waits already is not put twice. */
  enqueue(ids: readonly string[], tx?: Knex): Promise<void>;
  /** How many wait before a slice that waits for a worker, at most 999; undefined if it does not wait or is in work. */
  ahead(id: string): Promise<number | undefined>;
  /**
   * Starts workers and returns what stops them: it takes no more jobs at once, and resolves when the running handlers
   * have. For one slice no two handlers run at once, in whichever process. A handler that throws is run anew.
   */
  work(concurrency: number, handler: Handler): Promise<() => Promise<void>>;
  close(): Promise<void>;
};

/** The signal fires when the job is taken away, because its worker seemed dead or the process ends. */
export type Handler = (id: string, signal: AbortSignal) => Promise<void>;

const NAME = 'slices';
const SCHEMA = 'slice_queue';
const STOP_MS = 8_000;
const BEAT_S = 3;

// `stately` allows one waiting and one running job a key: an intent that arrives while a job is ending is queued behind
// it, where `exclusive` would drop it. A worker that stops beating for fifteen seconds loses its job: a machine that a cloud
// shares may be out of breath for some. A job may take as long as it needs while it beats; 24 hours is the most pg-boss allows.
const QUEUE = {
  heartbeatSeconds: 15,
  expireInSeconds: 24 * 3600 - 1,
  retryLimit: 1_000,
  retryDelay: 1,
  retryBackoff: true,
  retryDelayMax: 30,
  deleteAfterSeconds: 60,
  notify: true,
} as const;

export async function openQueue({ url, log }: { url: Secret; log: Log }): Promise<Queue> {
  const boss = new PgBoss({
    connectionString: url.reveal(),
    schema: SCHEMA,
    application_name: 'pucp-slice-queue',
    max: 4,
    useListenNotify: true,
    schedule: false,
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
    queueCacheIntervalSeconds: 1,
    registerInstance: false,
  });
  boss.on('error', (cause) => log.warn({ cause }, 'queue has trouble'));
  await boss.start();
  await boss.createQueue(NAME, { policy: 'stately', ...QUEUE });
  await boss.updateQueue(NAME, QUEUE);
  return {
    async enqueue(ids, tx) {
      if (ids.length === 0) return;
      const jobs = ids.map((id) => ({ data: { id }, singletonKey: id }));
      await boss.insert(NAME, jobs, tx ? { db: fromKnex(tx) } : {});
    },
    async ahead(id) {
      const own = await boss.findJobs(NAME, { key: id });
      if (own.some(({ state }) => state === 'active')) return undefined;
      const waiting = await boss.findJobs<{ id: string }>(NAME, { queued: true });
      const place = waiting.findIndex(({ data }) => data.id === id);
      return place < 0 ? undefined : place;
    },
    async work(concurrency, handler) {
      const options = {
        localConcurrency: concurrency,
        pollingIntervalSeconds: 0.5,
        notifyPollingIntervalSeconds: 2,
        burstWhenReadyExceeds: 1,
        heartbeatRefreshSeconds: BEAT_S,
      };
      await boss.work<{ id: string }>(NAME, options, async ([job]) => {
        if (job) await handler(job.data.id, job.signal);
      });
      return () => boss.offWork(NAME, { wait: true });
    },
    async close() {
      await boss.stop({ graceful: true, timeout: STOP_MS });
    },
  };
}
