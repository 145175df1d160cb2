// Nova: how its answers and errors look, and the list of its routes.

import type { Cloud } from '../cloud.ts';
import { Fault, type Service } from '../http.ts';
import { negotiateVersion } from '../microversions.ts';
import { authenticateService, unauthorizedReply, webobReply } from '../service-auth.ts';
import { attachmentRoutes, registerAttachmentTasks } from './attachments.ts';
import { computeFaultReply } from './faults.ts';
import { flavorExtraRoutes } from './flavor-extras.ts';
import { flavorRoutes } from './flavors.ts';
import { hostRoutes } from './hosts.ts';
import { imageRoutes } from './images.ts';
import { instanceActionRoutes } from './instance-actions.ts';
import { interfaceRoutes } from './interfaces.ts';
import { keypairRoutes } from './keypairs.ts';
import { quotaRoutes } from './quotas.ts';
import { securityGroupRoutes } from './security-groups.ts';
import { actionRoutes, registerActionTasks } from './server-actions.ts';
import { serverGroupRoutes } from './server-groups.ts';
import { registerServerTasks } from './server-life.ts';
import { metadataRoutes } from './server-metadata.ts';
import { serverRoutes } from './servers.ts';
import { usageRoutes } from './usage.ts';

export function novaService(cloud: Cloud): Service {
  registerServerTasks(cloud);
  registerActionTasks(cloud);
  registerAttachmentTasks(cloud);
  return {
    name: 'compute',
    prefix: '/compute/v2.1',
    refusesLastSlash: true,
    routes: [
      ...serverRoutes(cloud),
      ...actionRoutes(cloud),
      ...metadataRoutes(cloud),
      ...attachmentRoutes(cloud),
      ...interfaceRoutes(cloud),
      ...instanceActionRoutes(cloud),
      ...flavorRoutes(cloud),
      ...imageRoutes(cloud),
      ...flavorExtraRoutes(cloud),
      ...serverGroupRoutes(cloud),
      ...securityGroupRoutes(cloud),
      ...hostRoutes(cloud),
      ...quotaRoutes(cloud),
      ...keypairRoutes(cloud),
      ...usageRoutes(cloud),
    ],
    negotiate: (headers) =>
      negotiateVersion(headers, {
        service: 'compute',
        major: 2,
        least: 1,
        most: 93,
        legacyHeader: 'x-openstack-nova-api-version',
      }),
    authenticate: (headers) => authenticateService(cloud, headers),
    fault: (fault, accept) => {
      if (fault.status === 401) return unauthorizedReply(cloud);
      if (fault.type === 'webob') return webobReply(fault.status, 'Not Found', fault.message, accept);
      return computeFaultReply(fault);
    },
    noRoute: () => new Fault(404, 'The resource could not be found.', 'webob'),
    badJson: () => new Fault(400, 'Malformed request body'),
    headers: (requestId) => ({ 'x-openstack-request-id': requestId, 'x-compute-request-id': requestId }),
    localPath: (path) => path.replace(/^\/[0-9a-f]{32}(?=\/)/, ''),
  };
}
