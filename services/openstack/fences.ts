// Who may work on a slice of the slice service: whoever came last with the greatest fence. What a worker that was paused
// meanwhile still wants to begin is refused. What it had begun already may come late, even when its slice is long gone: so
// the last wish is kept, and the cloud is looked at once more.

import type { Knex } from '#common/database.ts';
import { Failure } from '#common/errors.ts';
import { Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';

export type Claim = {
  readonly sliceId: string;
  readonly fence: number;
  /** A new one for every call, so that of two with the same fence the later counts. */
  readonly holder: string;
};

/** What the cloud was last made equal to. */
export type LastWish = { readonly scope: Scope; readonly desired: readonly Resource[] };

/** `projectId` is where the slice lies; empty if that was never noted. */
export type LateLook = LastWish & { readonly claim: Claim; readonly projectId: string };

export type Fences = {
  /** Takes the slice; throws ABORTED if a greater fence has come before. Tells whether it is the first claim of all. */
  claim(claim: Claim): Promise<boolean>;
  /** Throws ABORTED if another call has taken the slice since. */
  check(claim: Claim): Promise<void>;
  /**
   * The work of a claim is over, with the cloud equal to the wish, or to none in particular. False if another call has
   * taken the slice since: then something may have been done after that.
   */
  end(claim: Claim, wish: LastWish | undefined): Promise<boolean>;
  /** The cloud is to be looked at once more, as soon as nobody works on the slice. */
  late(sliceId: string): Promise<void>;
  /** Takes a slice that is to be looked at once more and that nobody works on. */
  takeLate(holder: string): Promise<LateLook | undefined>;
  /** The look came to its end. */
  looked(claim: Claim): Promise<void>;
  /** Notes in which project the slice lies. */
  lies(claim: Claim, projectId: string): Promise<void>;
  /** The project that was last noted; empty if none was. */
  projectOf(sliceId: string): Promise<string>;
  /** Whether any call has ever come for the slice. */
  has(sliceId: string): Promise<boolean>;
};

/** What a process that died had under way has arrived by then. */
const ARRIVED_S = 60;
/** A look that came to no end is made again. */
const AGAIN_S = 300;

type Row = {
  slice_id: string;
  fence: number;
  holder: string;
  is_working: boolean;
  wish: unknown;
  look_at: unknown;
  project_id: string;
};

export function createFences(knex: Knex): Fences {
  const fences = () => knex<Row>('fences');
  const inSeconds = (seconds: number) => knex.raw("now() + ? * interval '1 second'", [seconds]);
  return {
    async claim({ sliceId, fence, holder }) {
      const look = knex.raw(
        "case when fences.is_working then now() + ? * interval '1 second' else fences.look_at end",
        [ARRIVED_S],
      );
      const rows = await fences()
        .insert({ slice_id: sliceId, fence, holder, is_working: true })
        .onConflict('slice_id')
        .merge({ fence, holder, is_working: true, wish: null, look_at: look })
        .where('fences.fence', '<=', fence)
        // A row that was inserted and not changed since has no xmax.
        .returning<{ is_first: boolean }[]>(knex.raw('(xmax = 0) as is_first') as never);
      const [row] = rows;
      if (!row) throw fenced(sliceId);
      return row.is_first;
    },
    async check({ sliceId, holder }) {
      if (!(await fences().where({ slice_id: sliceId, holder }).first('fence'))) throw fenced(sliceId);
    },
    async end({ sliceId, holder }, wish) {
      const count = await fences()
        .where({ slice_id: sliceId, holder })
        .update({ is_working: false, wish: wish ? JSON.stringify(toJson(wish)) : null });
      return count === 1;
    },
    async late(sliceId) {
      await fences().where({ slice_id: sliceId }).update({ look_at: knex.fn.now() });
    },
    async takeLate(holder) {
      const due = fences()
        .select('slice_id')
        .where({ is_working: false })
        .whereNotNull('wish')
        .where('look_at', '<=', knex.fn.now())
        .orderBy('look_at')
        .limit(1)
        .forUpdate()
        .skipLocked();
      const [row] = await fences()
        .whereIn('slice_id', due)
        .update({ holder, look_at: inSeconds(AGAIN_S) })
        .returning('*');
      if (!row) return undefined;
      const { slice_id: sliceId, fence, project_id: projectId } = row;
      return { claim: { sliceId, fence, holder }, projectId, ...fromJson(row.wish) };
    },
    async looked({ sliceId, holder }) {
      // A call that came late while we looked has asked for another look by now.
      await fences()
        .where({ slice_id: sliceId, holder })
        .where('look_at', '>', knex.fn.now())
        .update({ look_at: null });
    },
    async lies({ sliceId, holder }, projectId) {
      await fences().where({ slice_id: sliceId, holder }).update({ project_id: projectId });
    },
    async projectOf(sliceId) {
      const row = await fences().where({ slice_id: sliceId }).first('project_id');
      return row?.project_id ?? '';
    },
    async has(sliceId) {
      return (await fences().where({ slice_id: sliceId }).first('fence')) !== undefined;
    },
  };
}

function toJson({ scope, desired }: LastWish) {
  return { scope: Scope.toJSON(scope), desired: desired.map((resource) => Resource.toJSON(resource)) };
}

function fromJson(json: unknown): LastWish {
  const { scope, desired } = json as { scope: unknown; desired: unknown[] };
  return { scope: Scope.fromJSON(scope), desired: desired.map((resource) => Resource.fromJSON(resource)) };
}

/** The slice is another worker's by now. */
export function fenced(sliceId: string): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'FENCED',
    message: `Slice "${sliceId}" has been taken over by another worker`,
    metadata: { slice_id: sliceId },
    retryable: false,
  });
}
