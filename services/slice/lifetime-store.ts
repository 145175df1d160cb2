// The ends and starts of slices as they are stored: what is due, renewals, and reminders. That a slice is deployed or
// deleted for it is a goal as any other and lies in store.ts.

import type { Knex } from '#common/database.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import { dueOf, type LifetimeLimits, nextReminder, type Renewal, reminderOf } from './lifetime.ts';
import { appendEvents, type SliceRow, toSliceRow } from './rows.ts';

export type LifetimeStore = ReturnType<typeof createLifetimeStore>;

export function createLifetimeStore(
  knex: Knex,
  { now, limits }: { now: () => number; limits: LifetimeLimits },
) {
  /** Changes a slice and says so in its history; nothing happens if `decide` finds nothing to do. */
  const change = (
    id: string,
    requestId: string,
    decide: (row: SliceRow) => { columns: Partial<SliceRow>; message: string } | undefined,
  ): Promise<SliceRow | undefined> =>
    knex.transaction(async (tx) => {
      const found = await tx<SliceRow>('slices').where({ id }).forUpdate().first();
      if (!found) return undefined;
      const before = toSliceRow(found);
      const decided = decide(before);
      if (!decided) return before;
      const at = new Date(now());
      const row = { ...before, ...decided.columns, updated_at: at };
      await tx<SliceRow>('slices')
        .where({ id })
        .update({ ...decided.columns, updated_at: at });
      const events = [{ type: SliceEventType.LIFETIME, message: decided.message }];
      await appendEvents(tx, { ...row, request_id: requestId }, events, at);
      return row;
    });

  return {
    /** Slices whose life asks for something now. */
    async due(limit: number): Promise<string[]> {
      const at = new Date(now());
      const rows = await knex<SliceRow>('slices')
        .whereNull('deleted_at')
        .whereNot({ goal: 'deleted' })
        .andWhere((some) => {
          some.where('expires_at', '<=', at).orWhere('remind_at', '<=', at);
          some.orWhere((start) => start.where({ status: SliceState.SCHEDULED }).where('start_at', '<=', at));
        })
        .orderBy('position')
        .limit(limit)
        .select('id');
      return rows.map((row) => row.id);
    },

    /** Sets the end that `decide`, which may throw, finds for a slice. Undefined if there is no such slice. */
    renew: (id: string, requestId: string, decide: (row: SliceRow) => Renewal | undefined) =>
      change(id, requestId, (row) => {
        const renewal = decide(row);
        if (!renewal) return undefined;
        const { expiresAt, remindAt, renewals, message } = renewal;
        return { columns: { expires_at: expiresAt, remind_at: remindAt, renewals }, message };
      }),

    /** Reminds a slice's owner of its end, if that is due. */
    remind: (id: string) =>
      change(id, '', (row) => {
        const at = now();
        if (dueOf(row, at) !== 'reminder' || !row.expires_at) return undefined;
        const remindAt = nextReminder(row.expires_at, { now: at, limits });
        return { columns: { remind_at: remindAt }, message: reminderOf(row.expires_at, at) };
      }),
  };
}
