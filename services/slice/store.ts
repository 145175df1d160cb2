// The slices as their users reach them: stored, listed, read, and given new goals. What workers write lies in
// work-store.ts. A change, its event and its place on the queue are one transaction.

import type { CallerRole } from '#common/caller.ts';
import type { Knex } from '#common/database.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { OnFailure, type ResourceTotals, SliceSpec, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { SliceEvent } from '#proto/pucp/slice/v1/slice_service.ts';
import type { Lifetime } from './lifetime.ts';
import type { Queue } from './queue.ts';
import type { Reserve } from './reservations.ts';
import {
  appendEvents,
  type Goal,
  type NodePower,
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
  readonly onFailure: OnFailure;
  readonly requestId: string;
  readonly message: string;
  readonly lifetime: Lifetime;
};

/** What a user has in all, drafts included, what is deleted not. */
export type Usage = {
  readonly slices: number;
  readonly vcpus: number;
  readonly ramMib: number;
  readonly diskGib: number;
};

/** A new goal for a slice, or a draft's end; for a draft that stays one, `none`. */
export type Intent = {
  readonly goal: Goal;
  readonly status: SliceState;
  readonly message: string;
  /** What becomes of the work if it fails; keep if absent. */
  readonly onFailure?: OnFailure;
  /** The spec that takes the place of the one there is. */
  readonly change?: { readonly spec: SliceSpec; readonly totals: ResourceTotals };
  /** Why nothing can be done. */
  readonly errorMessage?: string;
  /** What was asked for single nodes; as it is if absent. */
  readonly nodePower?: NodePower;
};

/** What became of an intent: none if there was nothing to do. */
export type Intended = { readonly row: SliceRow; readonly intent: Intent | undefined };

export type Store = ReturnType<typeof createStore>;

export function createStore(knex: Knex, { queue, now }: { queue: Queue; now: () => number }) {
  const setGoal = async (
    tx: Knex,
    { id, requestId }: { id: string; requestId: string },
    decide: (row: SliceRow) => Intent | undefined,
    reserve?: Reserve,
  ): Promise<Intended | undefined> => {
    const found = await tx<SliceRow>('slices').where({ id }).forUpdate().first();
    if (!found) return undefined;
    const before = toSliceRow(found);
    const intent = decide(before);
    if (!intent) return { row: before, intent };
    const at = new Date(now());
    // What never was on its way to a cloud is gone as soon as it is to go.
    const isEnd = intent.status === SliceState.DELETED;
    const isDue = !isEnd && intent.goal !== 'none';
    const generation = before.generation + 1;
    const [updated] = await tx<SliceRow>('slices')
      .where({ id })
      .update({
        goal: intent.goal,
        status: intent.status,
        generation,
        settled_generation: isDue ? before.settled_generation : generation,
        on_failure: intent.onFailure ?? OnFailure.KEEP,
        undoing: '',
        failures: JSON.stringify([]) as never,
        ...(intent.change && specColumns(intent.change)),
        ...(intent.nodePower && { node_power: JSON.stringify(intent.nodePower) as never }),
        ...(isDue && { cloud_name: before.cloud_name || (intent.change?.spec.name ?? before.name) }),
        attempts: 0,
        retry_at: null,
        percent: isEnd ? 100 : 0,
        message: intent.message,
        error_message: intent.errorMessage ?? '',
        request_id: requestId,
        updated_at: at,
        deleted_at: isEnd ? at : null,
      })
      .returning('*');
    if (!updated) throw new Error('the slice was not changed');
    const row = toSliceRow(updated);
    if (isDue) await reserve?.(tx, row);
    await appendEvents(tx, row, [stateEvent(intent.message)], at);
    if (isDue) await queue.enqueue([id], tx);
    return { row, intent };
  };

  return {
    async ping(): Promise<void> {
      await knex.raw('select 1');
    },

    /** What a user has in all at this moment. */
    usage: (userId: string): Promise<Usage> => usageOf(knex, userId),

    /**
     * Stores a slice. `admit` throws if the user would have too much, `reserve` if the cloud has no room for what is to be
     * deployed; the user's other creations wait meanwhile.
     */
    create: (slice: NewSlice, admit: (usage: Usage) => void, reserve?: Reserve): Promise<SliceRow> =>
      knex.transaction(async (tx) => {
        await holdUser(tx, slice.userId);
        admit(await usageOf(tx, slice.userId));
        const isDue = slice.goal !== 'none';
        const at = new Date(now());
        const [inserted] = await tx('slices')
          .insert({
            id: slice.id,
            user_id: slice.userId,
            username: slice.username,
            role: slice.role,
            ...specColumns(slice),
            cloud_name: isDue ? slice.spec.name : '',
            on_failure: slice.onFailure,
            ...lifetimeColumns(slice.lifetime),
            status: firstState(slice),
            goal: slice.goal,
            generation: isDue ? 1 : 0,
            message: slice.message,
            request_id: slice.requestId,
            created_at: at,
            updated_at: at,
          })
          .returning<SliceRow[]>('*');
        if (!inserted) throw new Error('the slice was not stored');
        const row = toSliceRow(inserted);
        if (isDue) await reserve?.(tx, row);
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
    ): Promise<Intended | undefined> => knex.transaction((tx) => setGoal(tx, { id, requestId }, decide)),

    /**
     * The same for what may take more: `decide` is told what else the slice's user has, `reserve` throws if the cloud has
     * no room for it; other creations wait.
     */
    intendMore: (
      { id, user_id }: SliceRow,
      requestId: string,
      decide: (row: SliceRow, others: Usage) => Intent | undefined,
      reserve?: Reserve,
    ): Promise<Intended | undefined> =>
      knex.transaction(async (tx) => {
        await holdUser(tx, user_id);
        const others = await usageOf(tx, user_id, id);
        return setGoal(tx, { id, requestId }, (row) => decide(row, others), reserve);
      }),

    resources: (ids: readonly string[]): Promise<ReadonlyMap<string, Resource[]>> => readResources(knex, ids),

    events: (id: string, page: { after: number; limit: number }): Promise<SliceEvent[]> =>
      readEvents(knex, id, page),
  };
}

function firstState({ goal, lifetime }: NewSlice): SliceState {
  if (goal !== 'none') return SliceState.DEPLOYING;
  return lifetime.startAt ? SliceState.SCHEDULED : SliceState.DRAFT;
}

function lifetimeColumns({ startAt, expiresAt, remindAt }: Lifetime) {
  return { start_at: startAt, expires_at: expiresAt, remind_at: remindAt };
}

function specColumns({ spec, totals }: { spec: SliceSpec; totals: ResourceTotals }) {
  return {
    name: spec.name,
    spec: JSON.stringify(SliceSpec.toJSON(spec)) as never,
    total_vcpus: totals.totalVcpus,
    total_ram: totals.totalRam,
    total_disk: totals.totalDisk,
  };
}

/** Until the end of the transaction no other adds up what the user has. */
async function holdUser(tx: Knex, userId: string): Promise<void> {
  await tx.raw('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`slices of ${userId}`]);
}

/** Until a change has come about, or has been undone, a slice counts as the larger of what it was and what it is to be. */
async function usageOf(tx: Knex, userId: string, exceptId?: string): Promise<Usage> {
  const slices = tx('slices').where({ user_id: userId }).whereNull('deleted_at');
  if (exceptId !== undefined) slices.whereNot({ id: exceptId });
  const [sums] = await slices.select<{ slices: string; vcpus: string; ram: string; disk: string }[]>(
    tx.raw('count(*) as slices'),
    tx.raw('coalesce(sum(greatest(total_vcpus, deployed_vcpus)), 0) as vcpus'),
    tx.raw('coalesce(sum(greatest(total_ram, deployed_ram)), 0) as ram'),
    tx.raw('coalesce(sum(greatest(total_disk, deployed_disk)), 0) as disk'),
  );
  return {
    slices: Number(sums?.slices),
    vcpus: Number(sums?.vcpus),
    ramMib: Number(sums?.ram),
    diskGib: Number(sums?.disk),
  };
}
