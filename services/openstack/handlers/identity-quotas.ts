// What a project uses of its limits, and setting these for all three services in one call.

import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type { QuotaUsage } from '#proto/pucp/openstack/v1/identity.ts';
import type { IdentityServiceServer, SetQuotasRequest } from '#proto/pucp/openstack/v1/identity_service.ts';
import {
  type AllLimits,
  type AllUses,
  changeLimits,
  type Limits,
  readUses,
  resetLimits,
  type Use,
  type Uses,
  usesOf,
} from '../quota-change.ts';
import { callContext, type Deps } from './deps.ts';
import { NETWORK_NAMES, quotasView } from './quotas.ts';

type QuotaHandlers = Pick<Handlers<IdentityServiceServer>, 'setQuotas' | 'resetQuotas' | 'getQuotaUsage'>;

export function quotaChangeHandlers({ cloud, catalog, tenancy }: Deps): QuotaHandlers {
  return {
    async setQuotas(request, context) {
      const within = callContext(context);
      const { id: projectId } = await tenancy.find(context.caller, request.projectId, within);
      const before = await readUses(cloud, projectId, within);
      const violations = [...check(request, before)];
      if (violations.length > 0) throw invalid(violations);
      const wanted = atTheirServices(request);
      await changeLimits({ cloud, projectId, wanted, before, log: context.log }, within);
      return quotasView(await catalog.quotas(projectId, within));
    },

    async resetQuotas(request, context) {
      const within = callContext(context);
      const { id: projectId } = await tenancy.find(context.caller, request.projectId, within);
      const before = await readUses(cloud, projectId, within);
      await resetLimits({ cloud, projectId, before, log: context.log }, within);
      return quotasView(await catalog.quotas(projectId, within));
    },

    async getQuotaUsage(request, context) {
      const within = callContext(context);
      const id = await projectOf(request.projectId, context);
      const { compute, network, volume } = usesOf(await catalog.quotaUses(id, within));
      return {
        // Nova says of Neutron's limits that they are unlimited and unused.
        compute: usageView({ ...compute, ...aliases(network) }),
        network: usageView(network),
        volume: usageView(volume ?? {}),
      };
    },
  };

  /** The caller's own project where none is named. */
  async function projectOf(idOrName: string, context: Context): Promise<string> {
    const { caller } = context;
    const within = callContext(context);
    if (idOrName !== '') return (await tenancy.find(caller, idOrName, within)).id;
    const place = await tenancy.findPlace(caller, within);
    if (!place) {
      const message = 'You have no project yet: it is made with the first thing that you make';
      throw new Failure({ code: 'NOT_FOUND', reason: 'PROJECT_NOT_FOUND', message });
    }
    return place.projectId;
  }
}

function* check(request: SetQuotasRequest, before: AllUses): Generator<FieldViolation> {
  yield* checkPart('compute', request.compute, { ...before.compute, ...aliases(before.network) });
  yield* checkPart('network', request.network, before.network);
  if (before.volume) yield* checkPart('volume', request.volume, before.volume);
  else if (Object.keys(request.volume).length > 0) {
    yield { field: 'volume', message: 'this cloud has no service for volumes' };
  }
  for (const [name, its] of Object.entries(NETWORK_NAMES)) {
    const [one, other] = [request.compute[name], request.network[its]];
    if (one === undefined || other === undefined || one === other) continue;
    yield { field: `compute.${name}`, message: `is the same limit as network.${its}, and the two differ` };
  }
  // Nova alone refuses limits below what is in use.
  for (const [name, limit] of Object.entries(request.compute)) {
    const use = name in NETWORK_NAMES ? undefined : before.compute[name];
    const used = use ? use.inUse + use.reserved : 0;
    if (limit < 0 || limit >= used) continue;
    yield { field: `compute.${name}`, message: `must be at least ${used}, which is in use` };
  }
}

function* checkPart(part: string, wanted: Limits, known: Uses): Generator<FieldViolation> {
  const names = Object.keys(known).sort().join(', ');
  for (const [name, limit] of Object.entries(wanted)) {
    const field = `${part}.${name}`;
    if (!Object.hasOwn(known, name)) yield { field, message: `there is no such limit; there are: ${names}` };
    else if (limit < -1) yield { field, message: 'must be at least -1, which is unlimited' };
  }
}

function aliases(network: Uses): Uses {
  const entries = Object.entries(NETWORK_NAMES).flatMap(([name, its]) => {
    const use = network[its];
    return use ? [[name, use] as const] : [];
  });
  return Object.fromEntries(entries);
}

/** Nova's old names of Neutron's limits are Neutron's. */
function atTheirServices({ compute, network, volume }: SetQuotasRequest): AllLimits {
  const own: Record<string, number> = {};
  const moved: Record<string, number> = {};
  for (const [name, limit] of Object.entries(compute)) {
    const its = (NETWORK_NAMES as Readonly<Record<string, string>>)[name];
    if (its === undefined) own[name] = limit;
    else moved[its] = limit;
  }
  return { compute: own, network: { ...moved, ...network }, volume };
}

function usageView(uses: Uses): Record<string, QuotaUsage> {
  return Object.fromEntries(
    Object.entries(uses).map(([name, use]) => [name, { ...use, available: left(use) }]),
  );
}

function left({ limit, inUse, reserved }: Use): number {
  return limit < 0 ? -1 : Math.max(0, limit - inUse - reserved);
}
