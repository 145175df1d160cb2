// Glance: how its answers and errors look, and the list of its routes.

import type { Cloud } from '../cloud.ts';
import { Fault, type Service } from '../http.ts';
import { authenticateService } from '../service-auth.ts';
import { badRequest, glanceFaultReply } from './faults.ts';
import { fileRoutes } from './files.ts';
import { imageRoutes } from './images.ts';
import { memberRoutes } from './members.ts';
import { tagRoutes } from './tags.ts';

const UNAUTHORIZED =
  'This server could not verify that you are authorized to access the document you requested. Either you supplied the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials required.';

export function glanceService(cloud: Cloud): Service {
  return {
    name: 'image',
    prefix: '/image/v2',
    refusesLastSlash: true,
    routes: [...imageRoutes(cloud), ...fileRoutes(cloud), ...tagRoutes(cloud), ...memberRoutes(cloud)],
    negotiate: () => ({ minor: 0, headers: {} }),
    authenticate: (headers) => authenticateService(cloud, headers),
    fault: (fault, accept) => {
      if (fault.status !== 401) return glanceFaultReply(fault, accept);
      const reply = glanceFaultReply(new Fault(401, UNAUTHORIZED), accept);
      const challenge = { 'www-authenticate': `Keystone uri="${cloud.url}/identity/v3"` };
      return { ...reply, headers: { ...reply.headers, ...challenge } };
    },
    noRoute: (method, _path, otherMethods) =>
      otherMethods
        ? new Fault(405, `The method ${method} is not allowed for this resource. `)
        : new Fault(404, 'The resource could not be found.'),
    badJson: () => badRequest('Malformed JSON in request body.'),
    headers: (requestId) => ({ 'x-openstack-request-id': requestId }),
    localPath: (path) => path,
  };
}
