// Neutron: how its answers and errors look, and the list of its routes.

import type { Cloud } from '../cloud.ts';
import { Fault, type Route, type Service } from '../http.ts';
import { authenticateService, unauthorizedReply } from '../service-auth.ts';
import { extraRoutes } from './extras.ts';
import { badRequest } from './faults.ts';
import { floatingIps, registerFloatingIpTasks } from './floating-ips.ts';
import { networks } from './networks.ts';
import { registerPortTasks } from './port-life.ts';
import { ports } from './ports.ts';
import { quotaRoutes } from './quotas.ts';
import { resourceRoutes, tagRoutes } from './resource.ts';
import { interfaceRoutes, registerRouterTasks, routers } from './routers.ts';
import { securityGroupRules } from './security-group-rules.ts';
import { securityGroups } from './security-groups.ts';
import { subnets } from './subnets.ts';

/** WebOb's explanation of whatever has none of its own. */
const MALFORMED =
  'The server could not comply with the request since it is either malformed or otherwise incorrect.';
const PREFIX = '/networking/v2.0';

export function neutronService(cloud: Cloud): Service {
  registerPortTasks(cloud);
  registerRouterTasks(cloud);
  registerFloatingIpTasks(cloud);
  return {
    name: 'network',
    prefix: PREFIX,
    routes: routesOf(cloud),
    negotiate: () => ({ minor: 0, headers: {} }),
    authenticate: (headers) => authenticateService(cloud, headers),
    fault: (fault) =>
      fault.status === 401
        ? unauthorizedReply(cloud)
        : {
            status: fault.status,
            body: {
              NeutronError: { type: fault.type || 'HTTPBadRequest', message: fault.message, detail: '' },
            },
          },
    noRoute: (_method, _path, isOtherMethod) =>
      isOtherMethod
        ? new Fault(405, MALFORMED, 'HTTPMethodNotAllowed')
        : new Fault(404, 'The resource could not be found.', 'HTTPNotFound'),
    badJson: () => badRequest('Body contains invalid data'),
    headers: (requestId) => ({ 'x-openstack-request-id': requestId }),
    localPath: (path) => path.replace(/\.json$/, ''),
  };
}

function routesOf(cloud: Cloud): Route[] {
  const network = networks(cloud);
  const subnet = subnets(cloud);
  const port = ports(cloud);
  const router = routers(cloud);
  const floatingIp = floatingIps(cloud);
  const group = securityGroups(cloud);
  return [
    ...extraRoutes(cloud),
    ...quotaRoutes(cloud),
    ...resourceRoutes(cloud, network),
    ...resourceRoutes(cloud, subnet),
    ...resourceRoutes(cloud, port),
    ...resourceRoutes(cloud, router),
    ...interfaceRoutes(cloud),
    ...resourceRoutes(cloud, floatingIp),
    ...resourceRoutes(cloud, group),
    ...resourceRoutes(cloud, securityGroupRules(cloud)),
    ...tagRoutes(network),
    ...tagRoutes(subnet),
    ...tagRoutes(port),
    ...tagRoutes(router),
    ...tagRoutes(floatingIp),
    ...tagRoutes(group),
  ];
}
