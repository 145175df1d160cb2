// The slices as their users reach them: stored, listed, read, and given new goals. What workers write lies in
// work-store.ts. A change, its event and its place on the queue are one transaction.

import type { CallerRole } from '#common/caller.ts';
import type { Knex } from '#common/database.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { type ResourceTotals, SliceSpec, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { SliceEvent } from '#proto/pucp/slice/v1/slice_service.ts';
import type { Queue } from './queue.ts';
import {
  appendEvents,
  type Goal,
  type NewEvent,
  readEvents,
  readResources,
  type SliceRow,
  stateEvent,
  toSliceRow,
} from './rows.ts';

export type NewSlice = {
  readonly id: string;
  readonly userId: string;
  readonly username: string;
  readonly role: CallerRole;
  readonly spec: SliceSpec;
  readonly totals: ResourceTotals;
  readonly goal: 'none' | 'running';
  readonly requestId: string;
  readonly message: string;
};

/** What a user has in all, drafts included, what is deleted not. */
export type Usage = {
  readonly slices: number;
  readonly vcpus: number;
  readonly ramMib: number;
  readonly diskGib: number;
};

/** A new goal for a slice, or a draft's end. */
export type Intent = {
  readonly goal: Exclude<Goal, 'none'>;
  readonly status: SliceState;
  readonly message: string;
};

export type Store = ReturnType<typeof createStore>;

export function createStore(knex: Knex, { queue, now }: { queue: Queue; now: () => number }) {
  return {
    async ping(): Promise<void> {
      await knex.raw('select 1');
    },

    /** What a user has in all at this moment. */
    usage: (userId: string): Promise<Usage> => usageOf(knex, userId),

    /** Stores a slice. `admit` throws if the user would have too much; the user's other creations wait meanwhile. */
    create: (slice: NewSlice, admit: (usage: Usage) => void): Promise<SliceRow> =>
      knex.transaction(async (tx) => {
        await tx.raw('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`slices of ${slice.userId}`]);
        admit(await usageOf(tx, slice.userId));
        const isDue = slice.goal !== 'none';
        const at = new Date(now());
        const [inserted] = await tx('slices')
          .insert({
            id: slice.id,
            user_id: slice.userId,
            username: slice.username,
            role: slice.role,
            name: slice.spec.name,
            spec: JSON.stringify(SliceSpec.toJSON(slice.spec)),
            status: isDue ? SliceState.DEPLOYING : SliceState.DRAFT,
            goal: slice.goal,
            generation: isDue ? 1 : 0,
            message: slice.message,
            total_vcpus: slice.totals.totalVcpus,
            total_ram: slice.totals.totalRam,
            total_disk: slice.totals.totalDisk,
            request_id: slice.requestId,
            created_at: at,
            updated_at: at,
          })
          .returning<SliceRow[]>('*');
        if (!inserted) throw new Error('the slice was not stored');
        const row = toSliceRow(inserted);
        await appendEvents(tx, row, [stateEvent(slice.message)], at);
        if (isDue) await queue.enqueue([row.id], tx);
        return row;
      }),

    /** Slices that are not deleted, newest first, of one user or of all. */
    async list(query: {
      readonly userId: string | undefined;
      readonly status: SliceState | undefined;
      readonly before: string | undefined;
      readonly limit: number;
    }): Promise<SliceRow[]> {
      const rows = knex<SliceRow>('slices')
        .whereNull('deleted_at')
        .orderBy('position', 'desc')
        .limit(query.limit);
      if (query.userId !== undefined) rows.where({ user_id: query.userId });
      if (query.status !== undefined) rows.where({ status: query.status });
      if (query.before !== undefined) rows.where('position', '<', query.before);
      return (await rows).map(toSliceRow);
    },

    async get(id: string): Promise<SliceRow | undefined> {
      const row = await knex<SliceRow>('slices').where({ id }).first();
      return row && toSliceRow(row);
    },

    /**
     * Gives a slice the goal that `decide` finds for it, and puts it on the queue; nothing changes if it finds none.
     * `decide` may throw. Undefined if there is no such slice.
     */
    intend: (
      id: string,
      requestId: string,
      decide: (row: SliceRow) => Intent | undefined,
    ): Promise<{ row: SliceRow; intent: Intent | undefined } | undefined> =>
      knex.transaction(async (tx) => {
        const found = await tx<SliceRow>('slices').where({ id }).forUpdate().first();
        if (!found) return undefined;
        const before = toSliceRow(found);
        const intent = decide(before);
        if (!intent) return { row: before, intent };
        const at = new Date(now());
        // What never was on its way to a cloud is gone as soon as it is to go.
        const isEnd = intent.status === SliceState.DELETED;
        const [updated] = await tx<SliceRow>('slices')
          .where({ id })
          .update({
            goal: intent.goal,
            status: intent.status,
            generation: before.generation + 1,
            settled_generation: isEnd ? before.generation + 1 : before.settled_generation,
            attempts: 0,
            retry_at: null,
            percent: isEnd ? 100 : 0,
            message: intent.message,
            error_message: '',
            request_id: requestId,
            updated_at: at,
            deleted_at: isEnd ? at : null,
          })
          .returning('*');
        if (!updated) throw new Error('the slice was not changed');
        const row = toSliceRow(updated);
        const events: NewEvent[] = [stateEvent(intent.message)];
        await appendEvents(tx, row, events, at);
        if (!isEnd) await queue.enqueue([id], tx);
        return { row, intent };
      }),

    resources: (ids: readonly string[]): Promise<ReadonlyMap<string, Resource[]>> => readResources(knex, ids),

    events: (id: string, page: { after: number; limit: number }): Promise<SliceEvent[]> =>
      readEvents(knex, id, page),
  };
}

async function usageOf(tx: Knex, userId: string): Promise<Usage> {
  const [sums] = await tx('slices')
    .where({ user_id: userId })
    .whereNull('deleted_at')
    .select<{ slices: string; vcpus: string; ram: string; disk: string }[]>(
      tx.raw('count(*) as slices'),
      tx.raw('coalesce(sum(total_vcpus), 0) as vcpus'),
      tx.raw('coalesce(sum(total_ram), 0) as ram'),
      tx.raw('coalesce(sum(total_disk), 0) as disk'),
    );
  return {
    slices: Number(sums?.slices),
    vcpus: Number(sums?.vcpus),
    ramMib: Number(sums?.ram),
    diskGib: Number(sums?.disk),
  };
}
