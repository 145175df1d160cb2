// What is asked of the past of slices, and how long it is kept. What workers write lies in work-store.ts.

import type { Knex } from '#common/database.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { type SliceEvent, SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import { type EventRow, type SliceRow, toEvent, toSliceRow } from './rows.ts';

export type EventQuery = {
  /** Only events of this type, of a resource's kind, of its name; unset fields do not filter. */
  readonly type: SliceEventType;
  readonly resourceKind: string;
  readonly resourceName: string;
  /** The sequence of the last event of the page before; undefined for the first page. */
  readonly from: string | undefined;
  readonly limit: number;
  readonly newestFirst: boolean;
};

/** What the cloud was last known to hold, and since when it has been in its state. */
export type HeldResource = { readonly resource: Resource; readonly since: Date | null };

/** A slice as it was after its last event. */
export type Snapshot = { readonly row: SliceRow; readonly held: readonly HeldResource[] };

export type Retention = {
  /** How long the events of a deleted slice stay. */
  readonly days: number;
  /** How many events of one slice stay at most. */
  readonly perSlice: number;
};

export type HistoryStore = ReturnType<typeof createHistoryStore>;

// One statement of the sweep; more would hold locks for long.
const SWEPT_AT_ONCE = 5_000;

export function createHistoryStore(knex: Knex, { days, perSlice, now }: Retention & { now: () => number }) {
  return {
    /** Past events of a slice. */
    async events(id: string, query: EventQuery): Promise<SliceEvent[]> {
      const { type, resourceKind, resourceName, from, limit, newestFirst } = query;
      const rows = knex<EventRow>('slice_events')
        .where({ slice_id: id })
        .orderBy('sequence', newestFirst ? 'desc' : 'asc')
        .limit(limit);
      if (type !== SliceEventType.UNSPECIFIED) rows.where({ type });
      if (resourceKind !== '') rows.where({ resource_kind: resourceKind });
      if (resourceName !== '') rows.where({ resource_name: resourceName });
      if (from !== undefined) rows.where('sequence', newestFirst ? '<' : '>', from);
      return (await rows).map(toEvent);
    },

    /** The slice and its resources as of one moment. Undefined if there is no such slice. */
    snapshot: (id: string): Promise<Snapshot | undefined> =>
      knex.transaction(
        async (tx) => {
          const row = await tx<SliceRow>('slices').where({ id }).first();
          if (!row) return undefined;
          const held = await tx<ResourceRow>('slice_resources').where({ slice_id: id });
          return {
            row: toSliceRow(row),
            held: held.map(({ resource, changed_at }) => ({
              resource: Resource.fromJSON(resource),
              since: changed_at,
            })),
          };
        },
        { isolationLevel: 'repeatable read', readOnly: true },
      ),

    /** Lets events go that are to be kept no longer; answers how many. */
    async sweep(): Promise<number> {
      const deadline = new Date(now() - days * 86_400_000);
      const expired = knex('slice_events')
        .join('slices', 'slices.id', 'slice_events.slice_id')
        .where('slices.deleted_at', '<', deadline);
      const surplus = knex('slice_events')
        .join('slices', 'slices.id', 'slice_events.slice_id')
        .where('slices.last_sequence', '>', perSlice)
        .whereRaw('slice_events.sequence <= slices.last_sequence - ?', [perSlice]);
      return (await remove(knex, expired)) + (await remove(knex, surplus));
    },
  };
}

type ResourceRow = { slice_id: string; resource: unknown; changed_at: Date | null };

async function remove(knex: Knex, which: Knex.QueryBuilder): Promise<number> {
  for (let count = 0; ; ) {
    const some = which.clone().select('slice_events.slice_id', 'slice_events.sequence').limit(SWEPT_AT_ONCE);
    const removed: number = await knex('slice_events').whereIn(['slice_id', 'sequence'], some).delete();
    count += removed;
    if (removed < SWEPT_AT_ONCE) return count;
  }
}
