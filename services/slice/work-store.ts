// What workers read and write. Every write carries the fence that the worker took the slice with: once another worker
// has taken it over, nothing of the earlier one counts any more, and it is told so.

import type { Knex } from '#common/database.ts';
import { Failure } from '#common/errors.ts';
import { FailedResource } from '#proto/pucp/driver/v1/driver_service.ts';
import { Resource, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { OnFailure, SliceSpec, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { resourceEvent } from './resource-events.ts';
import {
  appendEvents,
  type Goal,
  kindOf,
  type NewEvent,
  readResources,
  type SliceRow,
  toSliceRow,
} from './rows.ts';

/** How a piece of work ended for good. */
export type Settlement = {
  readonly status: SliceState;
  readonly message: string;
  readonly errorMessage: string;
  /** What it failed at. */
  readonly failures: readonly FailedResource[];
  readonly events: readonly NewEvent[];
};

/** A change that failed and is taken back. */
export type Undoing = {
  /** The spec to go back to. */
  readonly spec: SliceSpec;
  /** Why the change failed, and what at. */
  readonly reason: string;
  readonly failures: readonly FailedResource[];
  readonly message: string;
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
    // Work for an earlier goal says nothing about how far the new one is.
    const isMine = row.generation === work.generation;
    await appendEvents(
      tx,
      row,
      isMine ? events : events.map((event) => ({ ...event, percent: row.percent })),
      at,
    );
    return row;
  };

  return {
    /**
     * Takes a slice that work is due on, away from any worker that had it; after one's own work only if nobody else has
     * taken it since. Undefined if nothing is due now.
     */
    async claim(id: string, own?: Pick<SliceRow, 'fence'>): Promise<SliceRow | undefined> {
      const [row] = await knex<SliceRow>('slices')
        .where({ id, ...(own && { fence: own.fence }) })
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
        const isMine = [work.generation, progress.percent];
        const percent = tx.raw('case when generation = ? then greatest(percent, ?) else percent end', isMine);
        const line = [work.generation, progress.message, progress.message];
        const message = tx.raw("case when generation = ? and ? <> '' then ? else message end", line);
        await change(tx, work, { percent, message }, progress.events);
        await writeResources(tx, work.id, progress.resources, new Date(now()));
      }),

    /** Writes what a cloud holds of the slice. Throws SUPERSEDED. */
    observe: (work: SliceRow, { observed, projectId }: Observation): Promise<void> =>
      knex.transaction(async (tx) => {
        const news = await unheard(tx, work.id, observed);
        await change(tx, work, projectId === '' ? {} : { project_id: projectId }, news);
        const keys = observed.map((resource) => [kindOf(resource), resource.name]);
        await tx('slice_resources').where({ slice_id: work.id }).whereNotIn(['kind', 'name'], keys).delete();
        await writeResources(tx, work.id, observed, new Date(now()));
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
        const { status, message, errorMessage, failures, events } = settlement;
        const at = new Date(now());
        const isFailed = status === SliceState.ERROR;
        const isWhole = status === SliceState.ACTIVE || status === SliceState.STOPPED;
        const changes = {
          status,
          message,
          error_message: errorMessage,
          failures: jsonOf(failures),
          settled_generation: generation,
          attempts: 0,
          ...(isFailed ? {} : { percent: 100 }),
          ...(status === SliceState.ACTIVE ? { deployed_at: at } : {}),
          ...(isWhole && {
            deployed_spec: tx.ref('spec'),
            deployed_vcpus: tx.ref('total_vcpus'),
            deployed_ram: tx.ref('total_ram'),
            deployed_disk: tx.ref('total_disk'),
          }),
          ...(status === SliceState.DELETED ? { deleted_at: at } : {}),
        };
        await change(tx, work, changes, events);
        return true;
      }),

    /** Sets the goal to what was last deployed in full, unless a new goal was set meanwhile. Throws SUPERSEDED. */
    undo: (work: SliceRow, { spec, reason, failures, message, events }: Undoing): Promise<void> =>
      knex.transaction(async (tx) => {
        const { id, generation } = work;
        const current = await tx('slices').where({ id, generation }).forUpdate().first('id');
        if (!current) return;
        const changes = {
          name: spec.name,
          spec: JSON.stringify(SliceSpec.toJSON(spec)),
          total_vcpus: tx.ref('deployed_vcpus'),
          total_ram: tx.ref('deployed_ram'),
          total_disk: tx.ref('deployed_disk'),
          generation: generation + 1,
          on_failure: OnFailure.KEEP,
          undoing: reason,
          failures: jsonOf(failures),
          attempts: 0,
          percent: 0,
          message,
          error_message: reason,
        };
        await change(tx, work, changes, events);
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

function jsonOf(failures: readonly FailedResource[]): string {
  return JSON.stringify(failures.map(FailedResource.toJSON));
}

/** What came about while nobody listened, such as when the worker before was killed. */
async function unheard(tx: Knex, sliceId: string, observed: readonly Resource[]): Promise<NewEvent[]> {
  const known = (await readResources(tx, [sliceId])).get(sliceId) ?? [];
  const keyOf = (resource: Resource) => `${kindOf(resource)} ${resource.name}`;
  const states = new Map(known.map((resource) => [keyOf(resource), resource.state]));
  const found = new Set(observed.map(keyOf));
  const gone = known
    .filter((resource) => !found.has(keyOf(resource)))
    .map((resource) => ({ ...resource, state: ResourceState.DELETED, message: '' }));
  return [...observed.filter((one) => states.get(keyOf(one)) !== one.state), ...gone].map(resourceEvent);
}

/** Writes the state of resources; takes away those that are gone. */
export async function writeResources(
  tx: Knex,
  sliceId: string,
  resources: readonly Resource[],
  at: Date,
): Promise<void> {
  const last = new Map(resources.map((resource) => [`${kindOf(resource)} ${resource.name}`, resource]));
  const gone = [...last.values()].filter((resource) => resource.state === ResourceState.DELETED);
  const there = [...last.values()].filter((resource) => resource.state !== ResourceState.DELETED);
  if (gone.length > 0) {
    const keys = gone.map((resource) => [sliceId, kindOf(resource), resource.name]);
    await tx('slice_resources').whereIn(['slice_id', 'kind', 'name'], keys).delete();
  }
  const state = "resource ->> 'state'";
  const since = `case when slice_resources.${state} = excluded.${state} then slice_resources.changed_at
    else excluded.changed_at end`;
  // PostgreSQL takes at most 65,535 values a statement; a row has five.
  for (let start = 0; start < there.length; start += 1000) {
    const rows = there.slice(start, start + 1000).map((resource) => ({
      slice_id: sliceId,
      kind: kindOf(resource),
      name: resource.name,
      resource: JSON.stringify(Resource.toJSON(resource)),
      changed_at: at,
    }));
    await tx('slice_resources')
      .insert(rows)
      .onConflict(['slice_id', 'kind', 'name'])
      .merge({ resource: tx.raw('excluded.resource'), changed_at: tx.raw(since) });
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
