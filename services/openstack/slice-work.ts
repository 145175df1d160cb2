// Convergence of one slice in one project: puts the engine, the kinds and the names of this cloud together. Used by the
// driver and by DeploySlice alike.

import { randomUUID } from 'node:crypto';
import type { Log } from '#common/log.ts';
import { type Converged, converge, observe, planAnew, planOnly } from '#engine/converge.ts';
import {
  DEFAULT_LIMITS,
  type Environment,
  IN_FLIGHT,
  type Limits,
  type Report,
  systemClock,
} from '#engine/environment.ts';
import { createGate } from '#engine/gate.ts';
import { createMemoryJournal, type Journal } from '#engine/journal.ts';
import type { Plan } from '#engine/plan.ts';
import { type OnFailure, Outcome, type Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import type { Cloud, ProjectClients } from './api/cloud.ts';
import type { CallContext } from './api/settings.ts';
import { createMarker } from './api/tagging.ts';
import { createJournal } from './journal.ts';
import type { JournalStore } from './journal-store.ts';
import { cloudKeyName } from './key-names.ts';
import { kindsOf } from './kinds/all.ts';
import { OWNER_MARK, SLICE_MARK } from './marks.ts';
import { createOffers, mustFind, type OfferDeps } from './offers.ts';
import type { Tenancy } from './tenancy.ts';
import { createTurns } from './turns.ts';

export type SliceWorkDeps = Omit<OfferDeps, 'home'> & {
  readonly cloud: Cloud;
  readonly tenancy: Pick<Tenancy, 'clientsFor' | 'ownerFilter' | 'ownerMark'>;
  readonly log: Log;
  readonly journal: Pick<JournalStore, 'append' | 'trim' | 'close'>;
  readonly limits?: Partial<Limits>;
  /** Calls that change the cloud at the same time, over all slices. */
  readonly inFlight?: number;
  /** What to write into instead of the journal; for tests that cut work short between two entries. */
  readonly around?: (journal: Journal) => Journal;
};

export type SliceWork = {
  readonly scope: Scope;
  readonly projectId: string;
  readonly desired: readonly Resource[];
  readonly onFailure: OnFailure;
  /** The fence that it came with, for slices that have one. */
  readonly fence?: number;
  /** See the engine's `Wish`. */
  readonly isFresh?: boolean;
  /** The project is there no more, but what was in it is: only administrators see that. */
  readonly isOrphaned?: boolean;
};

export type Listeners = {
  readonly report?: (report: Report) => void;
  /** Called before each step; the step is not begun if it throws. */
  readonly admit?: () => Promise<void>;
};

/** What is to be planned; `isNew` says that nothing of it can be there, and then the project may be missing, too. */
export type PlanWork = Pick<SliceWork, 'scope' | 'desired'> &
  (
    | { readonly isNew: true; readonly projectId: string | undefined }
    | { readonly isNew: false; readonly projectId: string }
  );

export type SliceWorker = {
  /** See the engine's `converge`, and `Turns`. The signal ends the work after the calls under way. */
  converge(work: SliceWork, context: CallContext, listeners?: Listeners): Promise<Converged>;
  /** What `converge` would begin with. Nothing is touched. */
  plan(work: PlanWork, context: CallContext): Promise<Plan>;
  /** All that the project holds of the slice. */
  observe(
    work: Pick<SliceWork, 'scope' | 'projectId' | 'isOrphaned'>,
    context: CallContext,
  ): Promise<Resource[]>;
};

export function createSliceWorker(deps: SliceWorkDeps): SliceWorker {
  const home = deps.cloud.project('home');
  const gate = createGate(deps.inFlight ?? IN_FLIGHT);
  const turns = createTurns();

  /** Never the configured project in place of another one: what is made there would not be found here. */
  async function clientsOf(projectId: string, context: CallContext): Promise<ProjectClients> {
    const clients = await deps.tenancy.clientsFor(projectId, context);
    return (await clients.projectId(context)) === projectId ? clients : deps.cloud.project({ projectId });
  }

  async function environmentOf(
    { scope, projectId, isOrphaned = false }: Pick<SliceWork, 'scope' | 'projectId' | 'isOrphaned'>,
    context: CallContext,
  ): Promise<Environment> {
    const { log, tenancy, limits } = deps;
    const offers = createOffers({ ...deps, home }, { projectId, scope });
    const ownerMark = await tenancy.ownerMark(scope);
    const kinds = kindsOf({
      scope,
      clients: isOrphaned ? home : await clientsOf(projectId, context),
      isOrphaned,
      home,
      projectId,
      marker: createMarker(SLICE_MARK, scope.sliceId),
      ownerMarker: createMarker(OWNER_MARK, ownerMark),
      requestId: context.requestId,
      keyName: (name) => cloudKeyName(ownerMark, name),
      imageId: async (name, calling) => mustFind(await offers.image(name, calling), 'UNKNOWN_IMAGE').id,
      flavor: async (name, calling) => mustFind(await offers.flavor(name, calling), 'UNKNOWN_FLAVOR'),
      externalNetworkId: async (calling) =>
        mustFind(await offers.externalNetwork(calling), 'NO_EXTERNAL_NETWORK').id,
    });
    return {
      scope,
      kinds,
      journal: createMemoryJournal(),
      log,
      clock: systemClock,
      random: Math.random,
      limits: { ...DEFAULT_LIMITS, ...limits },
      gate,
      report: () => {},
      signal: context.signal,
    };
  }

  async function run(
    { scope, projectId, desired, onFailure, fence = 0, isFresh = false, isOrphaned = false }: SliceWork,
    context: CallContext,
    { report = () => {}, admit = async () => {} }: Listeners,
  ): Promise<Converged> {
    const { log, around = (journal) => journal, journal: store } = deps;
    const over = new AbortController();
    const signal = AbortSignal.any([context.signal, over.signal]);
    const { sliceId, userId } = scope;
    const { requestId = '' } = context;
    const journal = createJournal({
      run: { sliceId, userId, runId: randomUUID(), fence, requestId },
      store,
      log,
      admit,
      signal,
      giveUp: (failure) => over.abort(failure),
    });
    const environment = await environmentOf({ scope, projectId, isOrphaned }, { ...context, signal });
    return await converge(
      { desired, onFailure, isFresh },
      { ...environment, journal: around(journal), report },
    );
  }

  /** Keeps the journal short. The result of the work does not hang on it. */
  async function tidyJournal({ scope, desired }: SliceWork, { outcome }: Converged): Promise<void> {
    const { journal, log } = deps;
    const isNothingLeft =
      outcome === Outcome.ROLLED_BACK || (outcome === Outcome.CONVERGED && desired.length === 0);
    try {
      await journal.trim(scope);
      if (isNothingLeft) await journal.close(scope);
    } catch (cause) {
      log.warn({ slice_id: scope.sliceId, cause }, 'the journal could not be tidied');
    }
  }

  return {
    async converge(work, context, listeners = {}) {
      const turn = { ...work.scope, fence: work.fence ?? 0 };
      return await turns.take(turn, context.signal, async (signal) => {
        const result = await run(work, { ...context, signal }, listeners);
        await tidyJournal(work, result);
        return result;
      });
    },
    async plan(work, context) {
      if (!work.isNew) return await planOnly(work.desired, await environmentOf(work, context));
      // With nothing there no kind has anything to say, so that any project's will do.
      const projectId = work.projectId ?? (await home.projectId(context));
      const environment = await environmentOf({ scope: work.scope, projectId }, context);
      return planAnew(work.desired, environment);
    },
    async observe(work, context) {
      return await observe(await environmentOf(work, context));
    },
  };
}
