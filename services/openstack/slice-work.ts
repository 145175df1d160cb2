// Convergence of one slice in one project: puts the engine, the kinds and the names of this cloud together. Used by the
// driver and by DeploySlice alike.

import type { Log } from '#common/log.ts';
import { type Converged, converge, observe, planAnew, planOnly } from '#engine/converge.ts';
import {
  DEFAULT_LIMITS,
  type Environment,
  type Limits,
  type Report,
  systemClock,
} from '#engine/environment.ts';
import type { Journal } from '#engine/journal.ts';
import type { Plan } from '#engine/plan.ts';
import type { OnFailure, Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import type { Cloud, ProjectClients } from './api/cloud.ts';
import type { CallContext } from './api/settings.ts';
import { createMarker } from './api/tagging.ts';
import { cloudKeyName } from './key-names.ts';
import { kindsOf } from './kinds/all.ts';
import { OWNER_MARK, SLICE_MARK } from './marks.ts';
import { createOffers, mustFind, type OfferDeps } from './offers.ts';
import type { Tenancy } from './tenancy.ts';

export type SliceWorkDeps = Omit<OfferDeps, 'home'> & {
  readonly cloud: Cloud;
  readonly tenancy: Pick<Tenancy, 'clientsFor' | 'ownerFilter' | 'ownerMark'>;
  readonly log: Log;
  readonly limits?: Partial<Limits>;
  /** What to write into instead of the journal; for tests that cut work short between two entries. */
  readonly around?: (journal: Journal) => Journal;
};

export type SliceWork = {
  readonly scope: Scope;
  readonly projectId: string;
  readonly desired: readonly Resource[];
  readonly onFailure: OnFailure;
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
  /** See the engine's `converge`. The signal ends the work after the calls under way. */
  converge(work: SliceWork, context: CallContext, listeners?: Listeners): Promise<Converged>;
  /** What `converge` would begin with. Nothing is touched. */
  plan(work: PlanWork, context: CallContext): Promise<Plan>;
  /** All that the project holds of the slice. */
  observe(work: Pick<SliceWork, 'scope' | 'projectId'>, context: CallContext): Promise<Resource[]>;
};

export function createSliceWorker(deps: SliceWorkDeps): SliceWorker {
  const home = deps.cloud.project('home');

  /** Never the configured project in place of another one: what is made there would not be found here. */
  async function clientsOf(projectId: string, context: CallContext): Promise<ProjectClients> {
    const clients = await deps.tenancy.clientsFor(projectId, context);
    return (await clients.projectId(context)) === projectId ? clients : deps.cloud.project({ projectId });
  }

  async function environmentOf(
    { scope, projectId }: Pick<SliceWork, 'scope' | 'projectId'>,
    context: CallContext,
    { report = () => {}, admit = async () => {} }: Listeners,
  ): Promise<Environment> {
    const { log, tenancy, limits, around = (journal) => journal } = deps;
    const offers = createOffers({ ...deps, home }, { projectId, scope });
    const ownerMark = await tenancy.ownerMark(scope);
    const kinds = kindsOf({
      scope,
      clients: await clientsOf(projectId, context),
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
      journal: around(logJournal(log, admit)),
      log,
      clock: systemClock,
      random: Math.random,
      limits: { ...DEFAULT_LIMITS, ...limits },
      report,
      signal: context.signal,
    };
  }

  return {
    async converge({ desired, onFailure, ...work }, context, listeners = {}) {
      return await converge({ desired, onFailure }, await environmentOf(work, context, listeners));
    },
    async plan(work, context) {
      if (!work.isNew) return await planOnly(work.desired, await environmentOf(work, context, {}));
      // With nothing there no kind has anything to say, so that any project's will do.
      const projectId = work.projectId ?? (await home.projectId(context));
      const environment = await environmentOf({ scope: work.scope, projectId }, context, {});
      return planAnew(work.desired, environment);
    },
    async observe(work, context) {
      return await observe(await environmentOf(work, context, {}));
    },
  };
}

/** The log is the journal: what exists is the cloud's to say, so that nothing is ever read from it. */
function logJournal(log: Log, admit: () => Promise<void>): Journal {
  return {
    async record(entries) {
      if (entries.some(({ phase }) => phase === 'begin')) await admit();
      for (const { sliceId, step, phase, cloudId, detail } of entries) {
        log.info({ slice_id: sliceId, step, phase, cloud_id: cloudId || undefined, detail }, 'step');
      }
    },
  };
}
