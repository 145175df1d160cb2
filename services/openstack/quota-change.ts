// Setting limits in Nova, Neutron and Cinder together: all of them change or none does.

import { Failure } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import type { Cloud } from './api/cloud.ts';
import { absentIsDone } from './api/errors.ts';
import type { CallContext } from './api/settings.ts';
import { optional } from './project-contents.ts';

/** By the names that the service itself gives them; -1 is unlimited. */
export type Limits = Readonly<Record<string, number>>;
/** `volume` is undefined in a cloud without Cinder. */
export type AllLimits = {
  readonly compute: Limits;
  readonly network: Limits;
  readonly volume: Limits | undefined;
};
/** One limit and what of it is used. */
export type Use = { readonly limit: number; readonly inUse: number; readonly reserved: number };
export type Uses = Readonly<Record<string, Use>>;
export type AllUses = { readonly compute: Uses; readonly network: Uses; readonly volume: Uses | undefined };

/** What each service says at this moment; `refused` answers for one that does not tell, or throws on. */
export async function readUses(
  cloud: Cloud,
  projectId: string,
  context: CallContext,
  refused: (error: unknown) => object = rethrow,
): Promise<AllUses> {
  const { nova, neutron, cinder } = cloud.project('home');
  const [compute, network, volume] = await Promise.all([
    nova.getQuotaUse(projectId, context).catch(refused),
    neutron.getQuotaUse(projectId, context).catch(refused),
    optional(cinder.getQuotaUse(projectId, context)).catch(refused),
  ]);
  return usesOf({ compute, network, volume });
}

function rethrow(error: unknown): never {
  throw error;
}

/** From the services' own shapes: Nova and Cinder say `in_use`, Neutron `used`. */
export function usesOf(raw: {
  readonly compute: object;
  readonly network: object;
  readonly volume: object | undefined;
}): AllUses {
  return {
    compute: toUses(raw.compute),
    network: toUses(raw.network),
    volume: raw.volume && toUses(raw.volume),
  };
}

function toUses(raw: object): Uses {
  const entries = Object.entries(raw).flatMap(([name, value]: [string, RawUse | string]) => {
    // The project's id stands among them.
    if (typeof value !== 'object') return [];
    const { limit, in_use, used, reserved } = value;
    return [[name, { limit, inUse: in_use ?? used ?? 0, reserved }] as const];
  });
  return Object.fromEntries(entries);
}

type RawUse = {
  readonly limit: number;
  readonly in_use?: number;
  readonly used?: number;
  readonly reserved: number;
};

type Change = {
  readonly cloud: Cloud;
  readonly projectId: string;
  /** What to put back where not all services agree. */
  readonly before: AllUses;
  readonly log: Log;
};
export type LimitsChange = Change & { readonly wanted: AllLimits };

const PARTS = ['compute', 'network', 'volume'] as const;
type Part = (typeof PARTS)[number];

/** Sets what is wanted, side by side. If a service refuses, all get their former limits back and its Failure is thrown. */
export async function changeLimits({ wanted, ...change }: LimitsChange, context: CallContext): Promise<void> {
  const set = settersOf(change);
  const steps = PARTS.filter((part) => Object.keys(wanted[part] ?? {}).length > 0).map((part) => ({
    part,
    names: Object.keys(wanted[part] ?? {}),
    apply: () => set[part](wanted[part] ?? {}, context),
  }));
  await together(change, steps, context);
}

/** The same for the cloud's own limits. */
export async function resetLimits(change: Change, context: CallContext): Promise<void> {
  const { nova, neutron, cinder } = change.cloud.project('home');
  const resets = { compute: nova, network: neutron, volume: cinder };
  const steps = PARTS.filter((part) => change.before[part]).map((part) => ({
    part,
    names: Object.keys(change.before[part] ?? {}),
    // Neutron answers 404 where nothing was set.
    apply: () => absentIsDone(resets[part].deleteQuotas(change.projectId, context)),
  }));
  await together(change, steps, context);
}

/** A service, the limits that change there, and what changes them. */
type Step = {
  readonly part: Part;
  readonly names: readonly string[];
  readonly apply: () => Promise<unknown>;
};

async function together(change: Change, steps: readonly Step[], context: CallContext): Promise<void> {
  const results = await Promise.allSettled(steps.map(({ apply }) => apply()));
  const refused = results.find((result) => result.status === 'rejected');
  if (!refused) return;
  const set = settersOf(change);
  // A service that failed may have changed something before its answer was lost, unless it said no in words.
  await Promise.all(steps.filter((_, at) => !isRefusal(results[at])).map(putBack));
  throw refused.reason;

  async function putBack({ part, names }: Step): Promise<void> {
    const before = change.before[part] ?? {};
    const former = names.map((name) => [name, before[name]?.limit ?? -1]);
    // The caller may have left.
    const within = { ...context, signal: AbortSignal.timeout(PUT_BACK_MS) };
    await set[part](Object.fromEntries(former), within).catch((cause: unknown) => {
      change.log.error({ cause, part, project_id: change.projectId }, 'former quotas could not be put back');
    });
  }
}

const PUT_BACK_MS = 30_000;

function settersOf({ cloud, projectId }: Change) {
  const { nova, neutron, cinder } = cloud.project('home');
  return {
    compute: (limits: Limits, context: CallContext) => nova.setQuotas(projectId, limits, context),
    network: (limits: Limits, context: CallContext) => neutron.setQuotas(projectId, limits, context),
    volume: (limits: Limits, context: CallContext) => cinder.setQuotas(projectId, limits, context),
  };
}

function isRefusal(result: PromiseSettledResult<unknown> | undefined): boolean {
  if (result?.status !== 'rejected') return false;
  return result.reason instanceof Failure && result.reason.code === 'INVALID_ARGUMENT';
}
