// What a project may use, from Nova, Neutron and Cinder in one answer.

import type { Handlers } from '#common/rpc-server.ts';
import type { Quotas as QuotasView } from '#proto/pucp/openstack/v1/openstack.ts';
import type { OpenstackServiceServer } from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { Quotas } from '../quota-cache.ts';
import { callContext, type Deps } from './deps.ts';

export function quotaHandlers({
  catalog,
  tenancy,
}: Deps): Pick<Handlers<OpenstackServiceServer>, 'getQuotas'> {
  return {
    async getQuotas(request, context) {
      const within = callContext(context);
      const { id } = await tenancy.find(context.caller, request.projectId, within);
      return quotasView(await catalog.quotas(id, within));
    },
  };
}

/** Older clients look for these among Nova's, which gave them up to Neutron (microversion 2.36). */
export const NETWORK_NAMES = {
  floating_ips: 'floatingip',
  security_groups: 'security_group',
  security_group_rules: 'security_group_rule',
} as const;

export function quotasView({ compute, network, volume }: Quotas): QuotasView {
  const moved = Object.entries(NETWORK_NAMES).map(([name, its]) => [name, network[its]]);
  return {
    compute: { ...numbersOf(compute), ...Object.fromEntries(moved) },
    network: numbersOf(network),
    volume: volume === undefined ? {} : numbersOf(volume),
  };
}

function numbersOf(quotas: object): Record<string, number> {
  const entries = Object.entries(quotas).filter(([, limit]) => Number.isInteger(limit));
  return Object.fromEntries(entries) as Record<string, number>;
}
