// What a project may use, from Nova, Neutron and Cinder in one answer.

import type { Handlers } from '#common/rpc-server.ts';
import type { OpenstackServiceServer } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { callContext, type Deps } from './deps.ts';

export function quotaHandlers({
  catalog,
  tenancy,
}: Deps): Pick<Handlers<OpenstackServiceServer>, 'getQuotas'> {
  return {
    async getQuotas(request, context) {
      const within = callContext(context);
      const { projectId } = await tenancy.named(context.caller, request.projectId, within);
      const { compute, network, volume } = await catalog.quotas(projectId, within);
      return {
        compute: {
          ...numbersOf(compute),
          // Older clients look for these among Nova's, which gave them up to Neutron (microversion 2.36).
          floating_ips: network.floatingip,
          security_groups: network.security_group,
          security_group_rules: network.security_group_rule,
        },
        network: numbersOf(network),
        volume: volume === undefined ? {} : numbersOf(volume),
      };
    },
  };
}

function numbersOf(quotas: object): Record<string, number> {
  const entries = Object.entries(quotas).filter(([, limit]) => Number.isInteger(limit));
  return Object.fromEntries(entries) as Record<string, number>;
}
