// What the openstack service keeps of the slices that DeploySlice deploys, so that what a crash or a caller's leaving
// interrupts is brought to an end. The slice service's slices are not in here.

import type { Knex } from '#common/database.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';

export type SliceKey = { readonly userId: string; readonly sliceId: string };

export type SliceRow = SliceKey & {
  readonly username: string;
  readonly name: string;
  readonly projectId: string;
  /** What was last deployed in full; undefined if nothing was. */
  readonly deployed: readonly Resource[] | undefined;
  /** Whether the cloud was last seen equal to `deployed`. */
  readonly isSettled: boolean;
};

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const UNIQUE_VIOLATION = '23505';

/** Who holds a slice for how long. Renewed while work goes on; when it ends by itself, the holder has crashed. */
export const LEASE_S = 20;

export type SliceStore = ReturnType<typeof createSliceStore>;

export function createSliceStore(knex: Knex) {
  const slices = () => knex<SliceColumns>('slices');
  const isFree = (free: Knex.QueryBuilder) =>
    free.whereNull('slices.holder').orWhere('slices.lease_until', '<', knex.fn.now());

  return {
    async findSlice(key: SliceKey): Promise<SliceRow | undefined> {
      const row = await slices().where(keyColumns(key)).first();
      return row && sliceRow(row);
    },
    /** The ids of the slices in a project. */
    async slicesIn(projectId: string): Promise<string[]> {
      return await slices().where({ project_id: projectId }).orderBy('slice_id').pluck('slice_id');
    },
    /**
     * Takes a slice for work: makes its row, or takes a row that nobody holds. Answers what was deployed before,
     * undefined if someone is at work on it, `taken` if another user's slice in the project has the same id.
     */
    async takeSlice(
      slice: Omit<SliceRow, 'deployed' | 'isSettled'>,
      holder: string,
    ): Promise<SliceRow | 'taken' | undefined> {
      try {
        const rows = await slices()
          .insert({ ...ownColumns(slice), is_settled: false, holder, lease_until: leaseEnd(knex) })
          .onConflict(['user_id', 'slice_id'])
          .merge({ is_settled: false, holder, lease_until: leaseEnd(knex) })
          .where(isFree)
          .returning('*');
        return rows[0] && sliceRow(rows[0]);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION) return 'taken';
        throw error;
      }
    },
    /** Takes one unsettled slice whose holder is gone. */
    async takeAbandonedSlice(holder: string): Promise<SliceRow | undefined> {
      const abandoned = slices()
        .select('user_id', 'slice_id')
        .where({ is_settled: false })
        .where(isFree)
        .orderBy('lease_until')
        .limit(1)
        .forUpdate()
        .skipLocked();
      const rows = await slices()
        .whereIn(['user_id', 'slice_id'], abandoned)
        .update({ holder, lease_until: leaseEnd(knex) })
        .returning('*');
      return rows[0] && sliceRow(rows[0]);
    },
    /** False if the slice was lost to someone else: then the work on it must end. */
    async renewSlice(key: SliceKey, holder: string): Promise<boolean> {
      const lease = { lease_until: leaseEnd(knex) };
      return (
        (await slices()
          .where({ ...keyColumns(key), holder })
          .update(lease)) === 1
      );
    },
    /** The cloud equals `deployed`. */
    async settleSlice(key: SliceKey, holder: string, deployed: readonly Resource[]): Promise<void> {
      const json = JSON.stringify(deployed.map((resource) => Resource.toJSON(resource)));
      const settled = { deployed: json, is_settled: true, holder: null };
      await slices()
        .where({ ...keyColumns(key), holder })
        .update(settled);
    },
    /** From now on nothing of the slice is wished for. */
    async condemnSlice(key: SliceKey, holder: string): Promise<void> {
      await slices()
        .where({ ...keyColumns(key), holder })
        .update({ deployed: null, is_settled: false });
    },
    /** Gives an unsettled slice back, for whoever recovers it after `afterS` seconds. */
    async releaseSlice(key: SliceKey, holder: string, afterS: number): Promise<void> {
      const lease = knex.raw("now() + ? * interval '1 second'", [afterS]);
      await slices()
        .where({ ...keyColumns(key), holder })
        .update({ lease_until: lease });
    },
    /**
     * Whoever had lost the slice may have left something in the cloud after it was settled or forgotten: unless somebody is
     * at work on it, it is recovered.
     */
    async unsettleSlice(slice: SliceRow): Promise<void> {
      await slices()
        .insert({ ...ownColumns(slice), is_settled: false, holder: null, lease_until: knex.raw('now()') })
        .onConflict(['user_id', 'slice_id'])
        .merge({ is_settled: false })
        .where(isFree);
    },
    /** Nothing of it remains in the cloud. */
    async forgetSlice(key: SliceKey, holder: string): Promise<void> {
      await slices()
        .where({ ...keyColumns(key), holder })
        .delete();
    },
  };
}

type SliceColumns = {
  user_id: string;
  slice_id: string;
  username: string;
  name: string;
  project_id: string;
  deployed: unknown;
  is_settled: boolean;
  holder: string | null;
  lease_until: Date | Knex.Raw;
};

function keyColumns({ userId, sliceId }: SliceKey) {
  return { user_id: userId, slice_id: sliceId };
}

function ownColumns(slice: Omit<SliceRow, 'deployed' | 'isSettled'>) {
  const { username, name, projectId } = slice;
  return { ...keyColumns(slice), username, name, project_id: projectId };
}

function sliceRow(row: SliceColumns): SliceRow {
  const deployed = row.deployed as unknown[] | null;
  return {
    userId: row.user_id,
    sliceId: row.slice_id,
    username: row.username,
    name: row.name,
    projectId: row.project_id,
    deployed: deployed?.map((resource) => Resource.fromJSON(resource)),
    isSettled: row.is_settled,
  };
}

function leaseEnd(knex: Knex): Knex.Raw {
  return knex.raw("now() + ? * interval '1 second'", [LEASE_S]);
}
