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
  /**
   * Gives a slice the times that `decide`, which may throw, finds for it, and says so in its history; nothing changes if it
   * finds none. Undefined if there is no such slice.
   */
  const change = (
    id: string,
    requestId: string,
    decide: (row: SliceRow) => Renewal | undefined,
  ): Promise<{ row: SliceRow; message: string | undefined } | undefined> =>
    knex.transaction(async (tx) => {
      const found = await tx<SliceRow>('slices').where({ id }).forUpdate().first();
      if (!found) return undefined;
      const before = toSliceRow(found);
      const decided = decide(before);
      if (!decided) return { row: before, message: undefined };
      const at = new Date(now());
      const row = { ...before, ...decided.columns, updated_at: at };
      await tx<SliceRow>('slices')
        .where({ id })
        .update({ ...decided.columns, updated_at: at });
      const type = row.status === before.status ? SliceEventType.LIFETIME : SliceEventType.STATE;
      const events = [{ type, message: decided.message }];
      await appendEvents(tx, { ...row, request_id: requestId }, events, at);
      return { row, message: decided.message };
    });

  // What cannot be dealt with now must not stand in the way of the rest: whichever they are, they come in no order.
  const idsOf = async (
    limit: number,
    narrow: (slices: Knex.QueryBuilder, at: Date) => void,
  ): Promise<string[]> => {
    const rows = await knex<SliceRow>('slices')
      .whereNull('deleted_at')
      .whereNot({ goal: 'deleted' })
      .andWhere((slices) => narrow(slices, new Date(now())))
      .orderByRaw('random()')
      .limit(limit)
      .select('id');
    return rows.map((row) => row.id);
  };

  return {
    change,

    /** Some slices whose time to be deployed has come, others each time if there are many. */
    dueToStart: (limit: number): Promise<string[]> =>
      idsOf(limit, (slices, at) =>
        slices.where({ status: SliceState.SCHEDULED }).where('start_at', '<=', at),
      ),

    /** The same for slices that have come to their end or to a reminder of it. */
    dueToEnd: (limit: number): Promise<string[]> =>
      idsOf(limit, (slices, at) => slices.where('expires_at', '<=', at).orWhere('remind_at', '<=', at)),

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
