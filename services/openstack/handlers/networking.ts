// Every rpc of NetworkingService.

import type { Handlers } from '#common/rpc-server.ts';
import type { NetworkingServiceServer } from '#proto/pucp/openstack/v1/networking_service.ts';
import type { Deps } from './deps.ts';
import { floatingIpHandlers } from './networking-floating-ips.ts';
import { oneNetworkHandlers } from './networking-networks.ts';
import { portHandlers } from './networking-ports.ts';
import { createReach } from './networking-reach.ts';
import { routerLinkHandlers } from './networking-router-links.ts';
import { routerHandlers } from './networking-routers.ts';
import { ruleHandlers } from './networking-rules.ts';
import { securityGroupHandlers } from './networking-security-groups.ts';
import { subnetHandlers } from './networking-subnets.ts';

export function networkingHandlers(deps: Deps): Handlers<NetworkingServiceServer> {
  const reach = createReach(deps);
  return {
    ...oneNetworkHandlers(deps, reach),
    ...subnetHandlers(deps, reach),
    ...portHandlers(deps, reach),
    ...routerHandlers(deps, reach),
    ...routerLinkHandlers(deps, reach),
    ...floatingIpHandlers(deps, reach),
    ...securityGroupHandlers(deps, reach),
    ...ruleHandlers(deps, reach),
  };
}
