// A worker that was paused past its lease may have passed its fence already: then its call goes out when it goes on, although
// another worker has ended the work, or a slice is gone for good. Nothing can stop that call; one more look takes away what
// it made. The same look is made some time after a worker took over from one that died with calls under way.

import { randomUUID } from 'node:crypto';
import { Failure } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import { OnFailure, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Claim, Fences, LateLook } from './fences.ts';
import type { SliceWorker } from './slice-work.ts';
import type { Tenancy } from './tenancy.ts';

export type LateLooksDeps = {
  readonly fences: Fences;
  readonly worker: Pick<SliceWorker, 'converge'>;
  readonly tenancy: Pick<Tenancy, 'findPlace'>;
  readonly log: Log;
};

/** Makes the looks that are due; answers how many there were. */
export function createLateLooks({ fences, worker, tenancy, log }: LateLooksDeps) {
  async function look({ claim, scope, desired, projectId }: LateLook, signal: AbortSignal): Promise<void> {
    const place = await tenancy.findPlace(scope, { signal });
    // A slice whose project is gone is for its next work to take care of.
    if (place && [place.projectId, ''].includes(projectId)) {
      const guard = guardOf(fences, claim);
      const work = {
        scope,
        projectId: place.projectId,
        desired,
        onFailure: OnFailure.KEEP,
        fence: claim.fence,
      };
      const { outcome, errorMessage } = await worker.converge(
        work,
        { signal: AbortSignal.any([signal, guard.signal]) },
        { admit: guard.admit },
      );
      if (outcome !== Outcome.CONVERGED) throw new Error(errorMessage);
    }
    await fences.looked(claim);
  }

  return {
    async sweep(signal: AbortSignal): Promise<number> {
      for (let count = 0; ; count += 1) {
        const late = signal.aborted ? undefined : await fences.takeLate(randomUUID());
        if (!late) return count;
        const fields = { slice_id: late.claim.sliceId };
        log.info(fields, 'looking once more at a slice that changed hands');
        await look(late, signal).catch(async (cause: unknown) => {
          log.warn({ cause, ...fields }, 'the look came to no end');
          if (isFenced(cause)) await fences.late(late.claim.sliceId);
        });
      }
    },
  };
}

/** Lets each step begin only while the claim holds; when it does no more, the signal ends the work. */
export function guardOf(fences: Pick<Fences, 'check'>, claim: Claim) {
  const fence = new AbortController();
  return {
    signal: fence.signal,
    async admit(): Promise<void> {
      try {
        await fences.check(claim);
      } catch (error) {
        // Not a failure of the slice, to be rolled back: from here on it is another worker's.
        if (isFenced(error)) fence.abort(error);
        throw error;
      }
    },
  };
}

export function isFenced(error: unknown): boolean {
  for (let one = error; one instanceof Failure; one = one.cause) if (one.reason === 'FENCED') return true;
  return false;
}
