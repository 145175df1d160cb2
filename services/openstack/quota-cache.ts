// What projects may use and use already, per project and service, kept so that a check before each creation does not cost
// three calls. A change of ours to a service forgets what was known of it; changes by others show within the times below.

import { type Cache, createCache } from '#common/cache.ts';
import type { Metrics } from '#common/metrics.ts';
import type { VolumeQuotas, VolumeQuotaUse } from './api/cinder.ts';
import type { Cloud } from './api/cloud.ts';
import type { NetworkQuotas, NetworkQuotaUse } from './api/neutron-types.ts';
import type { ComputeQuotas, ComputeQuotaUse } from './api/nova.ts';
import type { CallContext, CallRecord } from './api/settings.ts';
import { optional } from './project-contents.ts';

/** -1 is unlimited. `volume` is absent in a cloud without Cinder. */
export type Quotas = {
  readonly compute: ComputeQuotas;
  readonly network: NetworkQuotas;
  readonly volume: VolumeQuotas | undefined;
};
export type QuotaUses = {
  readonly compute: ComputeQuotaUse;
  readonly network: NetworkQuotaUse;
  readonly volume: VolumeQuotaUse | undefined;
};

export type QuotaReader = {
  quotas(projectId: string, context: CallContext): Promise<Quotas>;
  /** Limits with what is used and reserved of them. */
  quotaUses(projectId: string, context: CallContext): Promise<QuotaUses>;
};

const QUOTAS_TTL_MS = 60_000;
const USE_TTL_MS = 5_000;
const MAX_PROJECTS = 1_000;
const SERVICES = ['nova', 'neutron', 'cinder'] as const;

export function createQuotaReader({ cloud, metrics }: { cloud: Cloud; metrics: Metrics }): QuotaReader {
  const { nova, neutron, cinder } = cloud.project('home');
  const caches = <C, N, V>(name: string, ttlMs: number) => {
    const one = <T extends {}>() => createCache<T>({ name, max: MAX_PROJECTS, ttlMs, metrics });
    // What a cloud without Cinder does not have is kept as well.
    return { nova: one<{ has: C }>(), neutron: one<{ has: N }>(), cinder: one<{ has: V | undefined }>() };
  };
  const limits = caches<ComputeQuotas, NetworkQuotas, VolumeQuotas>('quotas', QUOTAS_TTL_MS);
  const uses = caches<ComputeQuotaUse, NetworkQuotaUse, VolumeQuotaUse>('quota_use', USE_TTL_MS);

  cloud.onChange((change) => {
    const service = SERVICES.find((name) => name === change.service);
    if (service === undefined) return;
    uses[service].clear();
    if (isOfQuotas(change)) limits[service].clear();
  });

  return {
    async quotas(projectId, context) {
      const within = shared(context);
      const [compute, network, volume] = await Promise.all([
        kept(limits.nova, projectId, () => nova.getQuotas(projectId, within)),
        kept(limits.neutron, projectId, () => neutron.getQuotas(projectId, within)),
        kept(limits.cinder, projectId, () => optional(cinder.getQuotas(projectId, within))),
      ]);
      return { compute, network, volume };
    },
    async quotaUses(projectId, context) {
      const within = shared(context);
      const [compute, network, volume] = await Promise.all([
        kept(uses.nova, projectId, () => nova.getQuotaUse(projectId, within)),
        kept(uses.neutron, projectId, () => neutron.getQuotaUse(projectId, within)),
        kept(uses.cinder, projectId, () => optional(cinder.getQuotaUse(projectId, within))),
      ]);
      return { compute, network, volume };
    },
  };
}

async function kept<T>(cache: Cache<{ has: T }>, projectId: string, ask: () => Promise<T>): Promise<T> {
  return (await cache.get(projectId, async () => ({ has: await ask() }))).has;
}

function isOfQuotas({ route }: CallRecord): boolean {
  return route.startsWith('/os-quota-sets/') || route.startsWith('/quotas/');
}

/** Several callers wait for one answer: none of them ends it by leaving. The client's own time limit does. */
export function shared(context: CallContext): CallContext {
  return { requestId: context.requestId, signal: AbortSignal.timeout(60_000) };
}
