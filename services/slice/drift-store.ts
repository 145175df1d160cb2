// When slices are looked at, and what was found. Looks carry no fence: what one found is written only if no work was asked
// for meanwhile, and the row's lock makes two that end together one after the other.

import type { Knex } from '#common/database.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { SliceDrift } from '#proto/pucp/slice/v1/drift.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { driftEvent, driftView } from './drift.ts';
import { appendEvents, type SliceRow, toSliceRow } from './rows.ts';
import { writeResources } from './work-store.ts';

export type DriftStore = ReturnType<typeof createDriftStore>;

export type DriftStoreOptions = {
  readonly now: () => number;
  /** A number from 0 up to 1. */
  readonly random: () => number;
  /** Time between two looks at a slice; 0 if none are to be made by the clock. */
  readonly intervalS: number;
};

export function createDriftStore(knex: Knex, { now, random, intervalS }: DriftStoreOptions) {
  const toLookAt = () =>
    knex<SliceRow>('slices')
      .whereNull('deleted_at')
      .whereIn('status', [SliceState.ACTIVE, SliceState.STOPPED])
      .whereRaw('generation = settled_generation');

  /** Of slices that came into being together, the looks drift apart. */
  const nextLook = () => new Date(now() + intervalS * 1000 * (0.9 + 0.2 * random()));

  return {
    /** Slices that are to be looked at, those that have waited longest first; new ones get their turn. */
    async due(limit: number): Promise<string[]> {
      if (intervalS === 0) return [];
      const first = knex.raw("?::timestamptz + random() * ? * interval '1 second'", [
        new Date(now()),
        intervalS,
      ]);
      await toLookAt()
        .whereNull('check_at')
        .update({ check_at: first as never });
      const rows = await toLookAt()
        .where('check_at', '<=', new Date(now()))
        .orderBy('check_at')
        .limit(limit)
        .select('id');
      return rows.map((row) => row.id);
    },

    async isDue(id: string): Promise<boolean> {
      if (intervalS === 0) return false;
      const row = await toLookAt().where({ id }).where('check_at', '<=', new Date(now())).first('id');
      return row !== undefined;
    },

    /** After a look that found nothing out. */
    async putOff(id: string): Promise<void> {
      await knex<SliceRow>('slices').where({ id }).update({ check_at: nextLook() });
    },

    /**
     * Writes what a look at the row found, and an event if that is news; `observed` is what the cloud then held. False if
     * work was asked for since: then it says nothing any more.
     */
    found: (
      { id, generation }: SliceRow,
      drift: SliceDrift,
      observed: readonly Resource[] | undefined,
    ): Promise<boolean> =>
      knex.transaction(async (tx) => {
        const current = await tx<SliceRow>('slices')
          .where({ id, generation, settled_generation: generation })
          .forUpdate()
          .first();
        if (!current) return false;
        const row = toSliceRow(current);
        await tx<SliceRow>('slices')
          .where({ id })
          .update({
            drift: JSON.stringify(SliceDrift.toJSON(drift)) as never,
            drift_generation: generation,
            check_at: nextLook(),
          });
        if (observed) {
          await tx('slice_resources').where({ slice_id: id }).delete();
          await writeResources(tx, id, observed, new Date(now()));
        }
        const event = driftEvent(driftView(row), drift);
        if (event) await appendEvents(tx, row, [event], new Date(now()));
        return true;
      }),
  };
}
