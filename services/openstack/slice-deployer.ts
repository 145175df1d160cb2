// Deploying a slice as one transaction: afterwards the cloud holds all that is wished, or what it held before. The row in
// the store is written before the cloud is asked; whoever finds a row whose holder is gone, after a crash or because the
// caller left, brings the cloud back to what was last deployed in full.

import { randomUUID } from 'node:crypto';
import { cancelled, Failure } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import type { Converged } from '#engine/converge.ts';
import { OnFailure, Outcome, type Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import type { CallContext } from './api/settings.ts';
import { LEASE_S, type SliceKey, type SliceRow, type SliceStore } from './slice-store.ts';

/** Makes what a project holds of a slice equal to a wish: the driver's engine. */
export type ConvergeIn = (
  work: {
    readonly scope: Scope;
    readonly projectId: string;
    readonly desired: readonly Resource[];
    readonly onFailure: OnFailure;
    /** The project is there no more, but what was in it is. */
    readonly isOrphaned?: boolean;
  },
  context: CallContext,
) => Promise<Converged>;

export type SliceDeployer = {
  /**
   * Deploys or changes a slice and answers with what the cloud then holds. Throws ABORTED if someone is at work on it,
   * and what went wrong if it could not be deployed: then the cloud holds what it held before.
   */
  deploy(
    slice: Omit<SliceRow, 'deployed' | 'isSettled'>,
    desired: readonly Resource[],
    context: CallContext,
  ): Promise<readonly Resource[]>;
  /** Removes a slice that was deployed; false if there is none. */
  destroy(key: SliceKey, context: CallContext): Promise<boolean>;
  /** Brings every slice whose holder is gone to an end; answers how many there were. */
  recover(signal: AbortSignal): Promise<number>;
};

export type SliceDeployerOptions = {
  readonly store: SliceStore;
  readonly converge: ConvergeIn;
  /** False if there surely is no such project any more; what it held is. */
  readonly exists: (projectId: string, context: CallContext) => Promise<boolean>;
  readonly log: Log;
  /** Called when something was left to be recovered. */
  readonly onLeft: () => void;
};

/** What could not be recovered is tried again after this time. */
const RETRY_S = 60;

export function createSliceDeployer(options: SliceDeployerOptions): SliceDeployer {
  const { store, converge, exists, log, onLeft } = options;

  /** Runs `work` while the slice is ours; a slice that it leaves unsettled is recovered later. */
  async function holding<T>(
    slice: SliceRow,
    { holder, signal, retryS }: { holder: string; signal: AbortSignal; retryS: number },
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const lost = new AbortController();
    const renewing = setInterval(
      () => {
        store.renewSlice(slice, holder).then(
          (isOurs) => isOurs || lost.abort(taken(slice)),
          (cause: unknown) => lost.abort(cancelled(cause)),
        );
      },
      (LEASE_S * 1000) / 4,
    );
    try {
      return await work(AbortSignal.any([signal, lost.signal]));
    } catch (error) {
      const giveBack = lost.signal.aborted
        ? store.unsettleSlice(slice)
        : store.releaseSlice(slice, holder, retryS);
      await giveBack.catch((cause: unknown) => {
        log.warn(
          { cause, slice_id: slice.sliceId },
          'a slice could not be given back; its lease ends by itself',
        );
      });
      onLeft();
      throw error;
    } finally {
      clearInterval(renewing);
    }
  }

  async function deploy(
    slice: Omit<SliceRow, 'deployed' | 'isSettled'>,
    desired: readonly Resource[],
    context: CallContext,
  ): Promise<readonly Resource[]> {
    const holder = randomUUID();
    const before = await store.takeSlice(slice, holder);
    if (before === 'taken') throw idTaken(slice.sliceId);
    if (!before) throw busy(slice);
    const { projectId } = before;
    const scope = scopeOf(before);
    return await holding(before, { holder, signal: context.signal, retryS: 0 }, async (signal) => {
      const within = { ...context, signal };
      // The first deployment leaves nothing behind; a change goes back to what was there.
      const onFailure = before.deployed ? OnFailure.KEEP : OnFailure.ROLLBACK;
      const result = await converge({ scope, projectId, desired, onFailure }, within);
      if (result.outcome === Outcome.CONVERGED) {
        await store.settleSlice(slice, holder, desired);
        return result.observed;
      }
      if (result.outcome === Outcome.ROLLED_BACK) await store.forgetSlice(slice, holder);
      else await restore(before, holder, within);
      throw failed(slice, result);
    });
  }

  /** Brings the cloud to what was last deployed in full, be it nothing. */
  async function restore(slice: SliceRow, holder: string, context: CallContext): Promise<void> {
    const isOrphaned = !(await exists(slice.projectId, context));
    const desired = isOrphaned ? [] : (slice.deployed ?? []);
    const { projectId } = slice;
    const work = { scope: scopeOf(slice), projectId, desired, onFailure: OnFailure.KEEP, isOrphaned };
    const result = await converge(work, context);
    if (result.outcome !== Outcome.CONVERGED) throw failed(slice, result);
    if (slice.deployed && !isOrphaned) await store.settleSlice(slice, holder, desired);
    else await store.forgetSlice(slice, holder);
  }

  async function destroy(key: SliceKey, context: CallContext): Promise<boolean> {
    const known = await store.findSlice(key);
    if (!known) return false;
    const holder = randomUUID();
    const held = await store.takeSlice(known, holder);
    if (!held || held === 'taken') throw busy(key);
    await holding(held, { holder, signal: context.signal, retryS: 0 }, async (signal) => {
      await store.condemnSlice(key, holder);
      await restore({ ...held, deployed: undefined }, holder, { ...context, signal });
    });
    return true;
  }

  return {
    deploy,
    destroy,
    async recover(signal) {
      const holder = randomUUID();
      for (let count = 0; ; count += 1) {
        const slice = await store.takeAbandonedSlice(holder);
        if (!slice) return count;
        const fields = { slice_id: slice.sliceId, owner_id: slice.userId };
        log.info(fields, 'recovering a slice whose deployment was cut short');
        const lease = { holder, signal, retryS: RETRY_S };
        await holding(slice, lease, (within) => restore(slice, holder, { signal: within })).catch(
          (cause: unknown) => log.warn({ cause, ...fields }, 'a slice could not be recovered yet'),
        );
        if (signal.aborted) return count;
      }
    },
  };
}

function scopeOf({ sliceId, name, userId, username }: SliceRow): Scope {
  return { sliceId, sliceName: name, userId, username };
}

function failed({ sliceId }: SliceKey, { errorMessage, reason }: Converged): Failure {
  // A user's own limits are told as such. A cloud without room is not: a client that waits and asks again would not help.
  const isExhausted = /^(QUOTA_EXCEEDED|ADDRESSES_EXHAUSTED|NETWORKS_EXHAUSTED)$/.test(reason);
  return new Failure({
    code: isExhausted ? 'RESOURCE_EXHAUSTED' : 'FAILED_PRECONDITION',
    reason: reason || 'DEPLOYMENT_FAILED',
    message: `Failed to deploy slice in OpenStack: ${errorMessage}`,
    metadata: { slice_id: sliceId },
    retryable: false,
  });
}

/** Someone else's slice has this id, in the same place or in the slice service. */
export function idTaken(sliceId: string): Failure {
  return new Failure({
    code: 'ALREADY_EXISTS',
    reason: 'SLICE_ID_TAKEN',
    message: `The id "${sliceId}" is taken: choose another one, or none`,
    metadata: { slice_id: sliceId },
  });
}

function busy({ sliceId }: SliceKey): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'SLICE_BUSY',
    message: `Slice "${sliceId}" is being worked on: try again when that is over`,
    metadata: { slice_id: sliceId },
    retryAfterS: 10,
  });
}

function taken({ sliceId }: SliceKey): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'SLICE_LOST',
    message: `Slice "${sliceId}" was taken over by another replica while this one did not answer`,
    metadata: { slice_id: sliceId },
  });
}
