// The driver contract: checks a wish, makes the cloud equal to it while telling what happens, lists what is, tells what
// the cloud has. It keeps no list of slices; the fence and the project are all it remembers of one.

import { randomUUID } from 'node:crypto';
import { cancelled, Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type { Report } from '#engine/environment.ts';
import {
  type ConvergeEvent,
  type ConvergeRequest,
  type ConvergeResult,
  type DriverServiceServer,
  OnFailure,
  Outcome,
  type Scope,
} from '#proto/pucp/driver/v1/driver_service.ts';
import type { CallContext } from './api/settings.ts';
import { capacityOf } from './capacity.ts';
import { createChannel } from './channel.ts';
import type { Claim, Fences, LastWish } from './fences.ts';
import { listJournal } from './journal-list.ts';
import type { JournalStore } from './journal-store.ts';
import { guardOf } from './late-looks.ts';
import type { OfferDeps } from './offers.ts';
import { planWish } from './planning.ts';
import type { QuotaRoomDeps } from './quota-room.ts';
import type { SliceWorker } from './slice-work.ts';
import type { Place, Tenancy } from './tenancy.ts';
import { asFieldViolations, validate, type Wish } from './validation.ts';

export type DriverDeps = OfferDeps &
  QuotaRoomDeps & {
    readonly tenancy: Pick<Tenancy, 'place' | 'findPlace' | 'clientsFor' | 'ownerFilter' | 'exists'>;
    readonly worker: SliceWorker;
    readonly fences: Fences;
    readonly journal: Pick<JournalStore, 'list' | 'close'>;
    /** Told when a slice is to be looked at once more. */
    readonly onLate?: () => void;
  };

type Running = {
  readonly scope: Scope;
  readonly claim: Claim;
  /** Nobody has worked on the slice before. */
  readonly isFresh: boolean;
  readonly report: (report: Report) => void;
};

export function createDriver(deps: DriverDeps): Handlers<DriverServiceServer> {
  const { tenancy, worker, fences } = deps;

  /** Nothing is made for a slice that is to be nothing. */
  function placeOf(request: ConvergeRequest, scope: Scope, context: CallContext): Promise<Place | undefined> {
    return request.desired.length > 0 ? tenancy.place(scope, context) : tenancy.findPlace(scope, context);
  }

  async function run(
    request: ConvergeRequest,
    caller: Context,
    report: (report: Report) => void,
  ): Promise<ConvergeResult> {
    const { signal, requestId } = caller;
    const scope = scopeOf(request, caller);
    const claim: Claim = { sliceId: scope.sliceId, fence: request.fence, holder: randomUUID() };
    const isFirst = await fences.claim(claim);
    // The second is the slice service's word for the first: whoever lost a database is not to make anything twice.
    const isFresh = isFirst && request.fence === 1;
    let wish: LastWish | undefined;
    try {
      const result = await work(request, { scope, claim, isFresh, signal, requestId, report });
      wish = wishAfter(result, { scope, desired: request.desired });
      return result;
    } finally {
      if (!(await fences.end(claim, wish))) {
        await fences.late(scope.sliceId);
        deps.onLate?.();
      }
    }
  }

  async function work(
    request: ConvergeRequest,
    { scope, claim, isFresh, signal, requestId, report }: CallContext & Running,
  ): Promise<ConvergeResult> {
    const guard = guardOf(fences, claim);
    const context = { signal: AbortSignal.any([signal, guard.signal]), requestId };
    const listeners = { report, admit: guard.admit };
    const { desired, onFailure, fence } = request;
    const former = await fences.projectOf(scope.sliceId);
    const isOrphaned = await isGone(former, context);
    if (isOrphaned) {
      const orphans = {
        scope,
        projectId: former,
        desired: [],
        onFailure: OnFailure.KEEP,
        fence,
        isOrphaned,
      };
      const quietly = (one: Report) => report({ ...one, percent: 0 });
      const removed = await worker.converge(orphans, context, { ...listeners, report: quietly });
      if (removed.outcome !== Outcome.CONVERGED) return { ...removed, projectId: former };
    }
    // A project that is there holds the slice, though Keystone may not have named it to us a moment later.
    const projectId = (await placeOf(request, scope, context))?.projectId ?? (isOrphaned ? '' : former);
    if (projectId === '') return nothing;
    if (projectId !== former) await fences.lies(claim, projectId);
    const asked = { scope, projectId, desired, onFailure, fence, isFresh };
    return { ...(await worker.converge(asked, context, listeners)), projectId };
  }

  /** Somebody removed the project that a slice lies in; what was in it is still there, and nobody's. */
  async function isGone(projectId: string, context: CallContext): Promise<boolean> {
    return projectId !== '' && !(await tenancy.exists(projectId, context));
  }

  return {
    async validate({ scope, desired }, caller) {
      const { signal, requestId } = caller;
      const context = { signal, requestId };
      const owner = scopeOf({ scope }, caller);
      const place = await tenancy.findPlace(owner, context);
      return await validate(deps, { scope: owner, projectId: place?.projectId, desired }, context);
    },

    async plan({ scope, desired, isNew, stepsOnly }, caller) {
      const { signal, requestId } = caller;
      return await planWish(
        deps,
        { scope: scopeOf({ scope }, caller), desired, isNew, stepsOnly },
        { signal, requestId },
      );
    },

    async *converge(request, context) {
      const channel = createChannel<ConvergeEvent>();
      const left = new AbortController();
      const signal = AbortSignal.any([context.signal, left.signal]);
      let percent = 0;
      const running = run(request, { ...context, signal }, (report) => {
        percent = report.percent;
        channel.push(eventOf(report));
      });
      const ended = running.then(channel.close, channel.close);
      try {
        yield* channel.items();
        const result = await running;
        const isReached = result.outcome === Outcome.CONVERGED;
        yield {
          percent: isReached ? 100 : percent,
          message: '',
          event: { $case: 'result', value: result },
        };
      } finally {
        left.abort(cancelled());
        await ended;
      }
    },

    async observe(request, caller) {
      const { signal, requestId } = caller;
      const scope = scopeOf(request, caller);
      const { sliceId } = scope;
      if (request.fence !== undefined) {
        const claim = { sliceId, fence: request.fence, holder: randomUUID() };
        await fences.claim(claim);
        await fences.end(claim, undefined);
        // Nobody will work on it again: its journal goes in its time, as that of a slice of which nothing is left.
        await deps.journal.close(scope);
      }
      const context = { signal, requestId };
      const former = await fences.projectOf(sliceId);
      const isOrphaned = await isGone(former, context);
      const projectId = isOrphaned ? former : (await tenancy.findPlace(scope, context))?.projectId;
      if (projectId === undefined) return { observed: [], projectId: '' };
      return { observed: await worker.observe({ scope, projectId, isOrphaned }, context), projectId };
    },

    listJournal: (request, caller) => listJournal(scopeOf(request, caller), request, deps.journal),

    getCapacity: (_request, { signal, requestId }) => capacityOf(deps, { signal, requestId }),
  };
}

/** For requests that are written as a slice's spec: the mistakes at its fields. */
export async function validateSpec(
  deps: OfferDeps,
  wish: Wish,
  context: CallContext,
): Promise<FieldViolation[]> {
  const { violations } = await validate(deps, wish, context);
  return asFieldViolations(violations, wish.desired);
}

/** What the cloud is to be equal to from now on; undefined if it was left as a failure left it. */
function wishAfter({ outcome }: ConvergeResult, wish: LastWish): LastWish | undefined {
  if (outcome === Outcome.CONVERGED) return wish;
  return outcome === Outcome.ROLLED_BACK ? { ...wish, desired: [] } : undefined;
}

const nothing: ConvergeResult = {
  outcome: Outcome.CONVERGED,
  errorMessage: '',
  reason: '',
  observed: [],
  projectId: '',
  failed: [],
};

function eventOf({ percent, message, resource }: Report): ConvergeEvent {
  return { percent, message, event: resource && { $case: 'resource', value: resource } };
}

/** Whose slice it is. The token says who is served; a service that was fooled cannot act on someone else's. */
function scopeOf({ scope }: { readonly scope: Scope | undefined }, { caller }: Context): Scope {
  const missing = (['sliceId', 'sliceName', 'userId', 'username'] as const).filter(
    (field) => !scope?.[field],
  );
  if (scope && missing.length === 0) {
    if (caller.role === 'admin' || caller.userId === scope.userId) return scope;
    throw new Failure({
      code: 'PERMISSION_DENIED',
      reason: 'SCOPE_NOT_CALLERS',
      message: `The token speaks for user ${caller.userId}, the scope is user ${scope.userId}'s`,
    });
  }
  throw invalid(missing.map((field) => ({ field: `scope.${snake(field)}`, message: 'is missing' })));
}

function snake(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
