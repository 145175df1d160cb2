// Cinder: how its answers and errors look, and the list of its routes.

import type { Cloud } from '../cloud.ts';
import { Fault, type Service } from '../http.ts';
import { negotiateVersion } from '../microversions.ts';
import { computeFaultReply } from '../nova/faults.ts';
import { authenticateService, unauthorizedReply, webobReply } from '../service-auth.ts';
import { metadataRoutes } from './metadata.ts';
import { quotaRoutes } from './quotas.ts';
import { snapshotRoutes } from './snapshots.ts';
import { typeRoutes } from './types.ts';
import { volumeActionRoutes } from './volume-actions.ts';
import { registerVolumeTasks } from './volume-life.ts';
import { volumeRoutes } from './volumes.ts';

const PROJECT = /^\/([0-9a-f]{32})(?=\/|$)/;

export function cinderService(cloud: Cloud): Service {
  registerVolumeTasks(cloud);
  return {
    name: 'volume',
    prefix: '/volume/v3',
    refusesLastSlash: true,
    routes: [
      ...volumeRoutes(cloud),
      ...volumeActionRoutes(cloud),
      ...metadataRoutes(cloud),
      ...snapshotRoutes(cloud),
      ...typeRoutes(),
      ...quotaRoutes(cloud),
    ],
    negotiate: (headers) => negotiateVersion(headers, { service: 'volume', major: 3, least: 0, most: 70 }),
    authenticate: (headers, path) => {
      const caller = authenticateService(cloud, headers);
      const project = PROJECT.exec(path)?.[1];
      if (project !== undefined && project !== caller.projectId)
        throw new Fault(400, 'Malformed request url');
      return caller;
    },
    fault: (fault, accept) => {
      if (fault.status === 401) return unauthorizedReply(cloud);
      if (fault.type === 'webob') return webobReply(fault.status, 'Not Found', fault.message, accept);
      const reply = computeFaultReply(fault);
      return fault.status === 413 ? { ...reply, headers: { 'retry-after': '0' } } : reply;
    },
    noRoute: () => new Fault(404, 'The resource could not be found.', 'webob'),
    badJson: () => new Fault(400, 'Malformed request body'),
    headers: (requestId) => ({ 'x-openstack-request-id': requestId, 'x-compute-request-id': requestId }),
    localPath: (path) => path.replace(PROJECT, ''),
  };
}
