// What workers read and write. Every write carries the fence that the worker took the slice with: once another worker
// has taken it over, nothing of the earlier one counts any more, and it is told so.

import type { Knex } from '#common/database.ts';
import { Failure } from '#common/errors.ts';
import { Resource, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { appendEvents, type Goal, kindOf, type NewEvent, type SliceRow, toSliceRow } from './rows.ts';

/** How a piece of work ended for good. */
export type Settlement = {
  readonly status: SliceState;
  readonly message: string;
  readonly errorMessage: string;
  readonly events: readonly NewEvent[];
};

/** What a driver told while it works. */
export type Progress = {
  readonly events: readonly NewEvent[];
  readonly resources: readonly Resource[];
  readonly percent: number;
  /** One line for the status; empty leaves the last one. */
  readonly message: string;
};

/** What a driver holds at its end. */
export type Observation = { readonly observed: readonly Resource[]; readonly projectId: string };

export type WorkStore = ReturnType<typeof createWorkStore>;

export function createWorkStore(knex: Knex, { now }: { now: () => number }) {
  /** Changes the row if the worker still has the slice, and adds events; throws SUPERSEDED otherwise. */
  const change = async (
    tx: Knex,
    work: SliceRow,
    changes: Readonly<Record<string, unknown>>,
    events: readonly NewEvent[],
  ) => {
    const at = new Date(now());
    const [updated] = await tx<SliceRow>('slices')
      .where({ id: work.id, fence: work.fence })
      .update({ ...changes, updated_at: at })
      .returning('*');
    if (!updated) throw superseded(work);
    const row = toSliceRow(updated);
    await appendEvents(tx, row, events, at);
    return row;
  };

  return {
    /** Takes a slice that work is due on, away from any worker that had it. Undefined if nothing is due now. */
    async claim(id: string): Promise<SliceRow | undefined> {
      const [row] = await knex<SliceRow>('slices')
        .where({ id })
        .whereRaw('generation > settled_generation and (retry_at is null or retry_at <= ?)', [
          new Date(now()),
        ])
        .update({ fence: knex.raw('fence + 1') as never, retry_at: null })
        .returning('*');
      return row && toSliceRow(row);
    },

    /** Whether the slice still has the goal and the worker that this work began with. */
    async isCurrent(work: SliceRow): Promise<boolean> {
      const { id, fence, generation } = work;
      return (await knex('slices').where({ id, fence, generation }).first('id')) !== undefined;
    },

    /** Writes what a driver told. Throws SUPERSEDED. */
    record: (work: SliceRow, progress: Progress): Promise<void> =>
      knex.transaction(async (tx) => {
        // Work for an earlier goal says nothing about how far the new one is.
        const isMine = [work.generation, progress.percent];
        const percent = tx.raw('case when generation = ? then greatest(percent, ?) else percent end', isMine);
        const line = [work.generation, progress.message, progress.message];
        const message = tx.raw("case when generation = ? and ? <> '' then ? else message end", line);
        await change(tx, work, { percent, message }, progress.events);
        await writeResources(tx, work.id, progress.resources);
      }),

    /** Writes what a cloud holds of the slice. Throws SUPERSEDED. */
    observe: (work: SliceRow, { observed, projectId }: Observation): Promise<void> =>
      knex.transaction(async (tx) => {
        await change(tx, work, projectId === '' ? {} : { project_id: projectId }, []);
        await tx('slice_resources').where({ slice_id: work.id }).delete();
        await writeResources(tx, work.id, observed);
      }),

    /** Goes on to another goal within the same work, as a restart does. Throws SUPERSEDED. */
    proceed: (work: SliceRow, goal: Goal, events: readonly NewEvent[]): Promise<void> =>
      knex.transaction(async (tx) => {
        const current = await tx('slices')
          .where({ id: work.id, generation: work.generation })
          .forUpdate()
          .first('id');
        if (current) await change(tx, work, { goal }, events);
      }),

    /** Ends the work, unless a new goal was set meanwhile: then false, and there is more to do. Throws SUPERSEDED. */
    settle: (work: SliceRow, settlement: Settlement): Promise<boolean> =>
      knex.transaction(async (tx) => {
        const { id, generation } = work;
        const current = await tx('slices').where({ id, generation }).forUpdate().first('id');
        if (!current) return false;
        const { status, message, errorMessage, events } = settlement;
        const at = new Date(now());
        const isFailed = status === SliceState.ERROR;
        const changes = {
          status,
          message,
          error_message: errorMessage,
          settled_generation: generation,
          attempts: 0,
          ...(isFailed ? {} : { percent: 100 }),
          ...(status === SliceState.ACTIVE ? { deployed_at: at } : {}),
          ...(status === SliceState.DELETED ? { deleted_at: at } : {}),
        };
        await change(tx, work, changes, events);
        return true;
      }),

    /** Puts the work off. The sweep finds it when its time has come, or a new goal before. Throws SUPERSEDED. */
    postpone: (
      work: SliceRow,
      delayMs: number,
      reason: { message: string; errorMessage: string; event: NewEvent },
    ) =>
      knex.transaction(async (tx) => {
        const { id, generation } = work;
        const current = await tx('slices').where({ id, generation }).forUpdate().first('id');
        if (!current) return;
        const changes = {
          attempts: work.attempts + 1,
          retry_at: new Date(now() + delayMs),
          message: reason.message,
          error_message: reason.errorMessage,
        };
        await change(tx, work, changes, [reason.event]);
      }),

    /** Slices that work is due on, those that have waited longest first. */
    async due(limit: number): Promise<string[]> {
      const rows = await knex<SliceRow>('slices')
        .whereRaw('generation > settled_generation and (retry_at is null or retry_at <= ?)', [
          new Date(now()),
        ])
        .orderBy('updated_at')
        .limit(limit)
        .select('id');
      return rows.map((row) => row.id);
    },
  };
}

async function writeResources(tx: Knex, sliceId: string, resources: readonly Resource[]): Promise<void> {
  const last = new Map(resources.map((resource) => [`${kindOf(resource)} ${resource.name}`, resource]));
  const gone = [...last.values()].filter((resource) => resource.state === ResourceState.DELETED);
  const there = [...last.values()].filter((resource) => resource.state !== ResourceState.DELETED);
  if (gone.length > 0) {
    const keys = gone.map((resource) => [sliceId, kindOf(resource), resource.name]);
    await tx('slice_resources').whereIn(['slice_id', 'kind', 'name'], keys).delete();
  }
  // PostgreSQL takes at most 65,535 values a statement; a row has four.
  for (let start = 0; start < there.length; start += 1000) {
    const rows = there.slice(start, start + 1000).map((resource) => ({
      slice_id: sliceId,
      kind: kindOf(resource),
      name: resource.name,
      resource: JSON.stringify(Resource.toJSON(resource)),
    }));
    await tx('slice_resources').insert(rows).onConflict(['slice_id', 'kind', 'name']).merge();
  }
}

function superseded(work: SliceRow): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'SUPERSEDED',
    message: `Another worker has taken over the slice "${work.name}"`,
    metadata: { slice_id: work.id, fence: String(work.fence) },
  });
}
