// Who may work on a slice of the slice service: whoever came last with the greatest fence. What a worker that was paused
// meanwhile still wants to begin is refused.

import type { Knex } from '#common/database.ts';
import { Failure } from '#common/errors.ts';

export type Claim = {
  readonly sliceId: string;
  readonly fence: number;
  /** A new one for every call, so that of two with the same fence the later counts. */
  readonly holder: string;
};

export type Fences = {
  /** Takes the slice; throws ABORTED if a greater fence has come before. */
  claim(claim: Claim): Promise<void>;
  /** Throws ABORTED if another call has taken the slice since. */
  check(claim: Claim): Promise<void>;
  /** Whether any call has ever come for the slice. */
  has(sliceId: string): Promise<boolean>;
};

export function createFences(knex: Knex): Fences {
  const fences = () => knex<{ slice_id: string; fence: number; holder: string }>('fences');
  return {
    async claim({ sliceId, fence, holder }) {
      const rows = await fences()
        .insert({ slice_id: sliceId, fence, holder })
        .onConflict('slice_id')
        .merge({ fence, holder })
        .where('fences.fence', '<=', fence)
        .returning('fence');
      if (rows.length === 0) throw fenced(sliceId);
    },
    async check({ sliceId, holder }) {
      if (!(await fences().where({ slice_id: sliceId, holder }).first('fence'))) throw fenced(sliceId);
    },
    async has(sliceId) {
      return (await fences().where({ slice_id: sliceId }).first('fence')) !== undefined;
    },
  };
}

function fenced(sliceId: string): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'FENCED',
    message: `Slice "${sliceId}" has been taken over by another worker`,
    metadata: { slice_id: sliceId },
    retryable: false,
  });
}
