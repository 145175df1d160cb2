// The audit log, and the one change of a slice that is written in it: to be forgotten. Both are one transaction.

import type { Caller } from '#common/caller.ts';
import type { Knex } from '#common/database.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { LeftResource } from '#proto/pucp/slice/v1/audit.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { appendEvents, kindOf, readResources, type SliceRow, stateEvent, toSliceRow } from './rows.ts';

export type AuditRow = {
  /** A bigint, which pg gives as text. */
  readonly id: string;
  readonly time: Date;
  readonly actor_id: string;
  readonly actor: string;
  readonly action: string;
  readonly slice_id: string;
  readonly slice_name: string;
  readonly owner_id: string;
  readonly owner: string;
  readonly reason: string;
  readonly project_id: string;
  readonly left: readonly LeftResource[];
  readonly listed_by_cloud: boolean;
  readonly request_id: string;
};

export type Abandonment = {
  readonly caller: Caller;
  readonly reason: string;
  readonly requestId: string;
};

export type AuditStore = ReturnType<typeof createAuditStore>;

export function createAuditStore(knex: Knex, { now }: { now: () => number }) {
  return {
    /**
     * Takes a slice away from its workers and out of all lists, and writes down why and what was last known of it.
     * Undefined if there is no such slice any more. The row that comes back bears the fence that no worker had.
     */
    abandon: (
      id: string,
      { caller, reason, requestId }: Abandonment,
    ): Promise<{ row: SliceRow; entry: AuditRow } | undefined> =>
      knex.transaction(async (tx) => {
        const found = await tx<SliceRow>('slices')
          .where({ id })
          .whereNull('deleted_at')
          .forUpdate()
          .first('generation');
        if (!found) return undefined;
        const at = new Date(now());
        const message = `Abandoned by ${caller.username}: ${reason}. What the cloud holds of it stays there`;
        const [updated] = await tx<SliceRow>('slices')
          .where({ id })
          .update({
            goal: 'none',
            status: SliceState.ABANDONED,
            generation: found.generation + 1,
            settled_generation: found.generation + 1,
            fence: tx.raw('fence + 1') as never,
            retry_at: null,
            message,
            error_message: '',
            request_id: requestId,
            updated_at: at,
            deleted_at: at,
          })
          .returning('*');
        if (!updated) throw new Error('the slice was not abandoned');
        const row = toSliceRow(updated);
        await appendEvents(tx, row, [stateEvent(message)], at);
        const known = (await readResources(tx, [id])).get(id) ?? [];
        const [entry] = await tx('audit_log')
          .insert({
            time: at,
            actor_id: caller.userId,
            actor: caller.username,
            action: 'abandon',
            slice_id: id,
            slice_name: row.name,
            owner_id: row.user_id,
            owner: row.username,
            reason,
            project_id: row.project_id,
            left: JSON.stringify(leftOf(known)),
            // What never was on its way to a cloud has nothing there.
            listed_by_cloud: found.generation === 0,
            request_id: requestId,
          })
          .returning<AuditRow[]>('*');
        if (!entry) throw new Error('the entry was not written');
        return { row, entry: toAuditRow(entry) };
      }),

    /** Completes an entry by what the cloud listed. */
    async complete(
      id: string,
      { observed, projectId }: { observed: readonly Resource[]; projectId: string },
    ): Promise<AuditRow> {
      const changes = {
        left: JSON.stringify(leftOf(observed)),
        listed_by_cloud: true,
        ...(projectId !== '' && { project_id: projectId }),
      };
      const [entry] = await knex('audit_log').where({ id }).update(changes).returning<AuditRow[]>('*');
      if (!entry) throw new Error('the entry was not found');
      return toAuditRow(entry);
    },

    /** Newest first. */
    async list({ before, limit }: { before: string | undefined; limit: number }): Promise<AuditRow[]> {
      const rows = knex<AuditRow>('audit_log').orderBy('id', 'desc').limit(limit);
      if (before !== undefined) rows.where('id', '<', before);
      return (await rows).map(toAuditRow);
    },
  };
}

function leftOf(resources: readonly Resource[]): LeftResource[] {
  return resources.map((resource) => ({
    resourceKind: kindOf(resource),
    resourceName: resource.name,
    cloudId: resource.cloudId,
  }));
}

function toAuditRow(row: AuditRow): AuditRow {
  return { ...row, left: row.left.map((one) => LeftResource.fromJSON(one)) };
}
