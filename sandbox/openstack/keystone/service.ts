// Keystone: how its answers and errors look, and the list of its routes.

import { STATUS_CODES } from 'node:http';
import type { Cloud } from '../cloud.ts';
import { Fault, type Reply, type Service } from '../http.ts';
import { assignmentRoutes } from './assignments.ts';
import { authenticate } from './authenticate.ts';
import { catalogRoutes } from './catalog.ts';
import { credentialRoutes } from './credentials.ts';
import { badRequest, unauthorized } from './faults.ts';
import { projectRoutes } from './projects.ts';
import { roleRoutes } from './roles.ts';
import { tokenRoutes } from './tokens.ts';
import { userRoutes } from './users.ts';

const NOT_FOUND_PAGE = `<!doctype html>
<html lang=en>
<title>404 Not Found</title>
<h1>Not Found</h1>
<p>The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.</p>
`;

export function keystoneService(cloud: Cloud): Service {
  return {
    name: 'identity',
    prefix: '/identity/v3',
    routes: [
      ...tokenRoutes(cloud),
      ...catalogRoutes(cloud),
      ...projectRoutes(cloud),
      ...userRoutes(cloud),
      ...roleRoutes(cloud),
      ...assignmentRoutes(cloud),
      ...credentialRoutes(cloud),
    ],
    negotiate: () => ({ minor: 0, headers: {} }),
    authenticate: (headers) => {
      const caller = authenticate(cloud, headers['x-auth-token']);
      if (!caller) throw unauthorized();
      return caller;
    },
    fault: keystoneFault,
    noRoute: (_method, _path, otherMethods) =>
      otherMethods
        ? new Fault(405, 'The method is not allowed for the requested URL.', 'plain')
        : new Fault(404, NOT_FOUND_PAGE, 'page'),
    badJson: () => badRequest('Expecting to find valid JSON in request body.'),
    headers: (requestId) => ({ vary: 'X-Auth-Token', 'x-openstack-request-id': requestId }),
    localPath: (path) => path,
  };
}

function keystoneFault(fault: Fault): Reply {
  if (fault.type === 'page') {
    return {
      status: fault.status,
      body: fault.message,
      headers: { 'content-type': 'text/html; charset=utf-8' },
    };
  }
  if (fault.type === 'plain') return { status: fault.status, body: { message: fault.message } };
  const title = STATUS_CODES[fault.status] ?? 'Error';
  return { status: fault.status, body: { error: { code: fault.status, message: fault.message, title } } };
}
