// How Nova, Neutron, Glance and Cinder let callers in: the keystone middleware that stands before each of them.

import type { IncomingMessage } from 'node:http';
import type { Caller } from './caller.ts';
import type { Cloud } from './cloud.ts';
import { Fault, type Reply } from './http.ts';
import { authenticate } from './keystone/authenticate.ts';

export function authenticateService(cloud: Cloud, headers: IncomingMessage['headers']): Caller {
  const caller = authenticate(cloud, headers['x-auth-token']);
  if (!caller) throw new Fault(401, 'The request you have made requires authentication.');
  return caller;
}

/** The middleware's own 401, the same for all services behind it. */
export function unauthorizedReply(cloud: Cloud): Reply {
  const message = 'The request you have made requires authentication.';
  return {
    status: 401,
    body: { error: { code: 401, title: 'Unauthorized', message } },
    headers: { 'www-authenticate': `Keystone uri="${cloud.url}/identity/v3"` },
  };
}

/** A WebOb error: JSON or a page, whichever the client accepts, and plain text if it accepts neither. */
export function webobReply(status: number, title: string, message: string, accept: string): Reply {
  const explanation = `${message}<br /><br />\n\n\n`;
  if (accept.includes('application/json')) {
    return { status, body: { message: explanation, code: `${status} ${title}`, title } };
  }
  if (!/html|\*\/\*|text\/\*/.test(accept)) {
    return {
      status,
      body: `${status} ${title}\n\n${message.replaceAll('<br />', '\n')}\n\n   `,
      headers: { 'content-type': 'text/plain; charset=UTF-8' },
    };
  }
  return {
    status,
    body: `<html>\n <head>\n  <title>${status} ${title}</title>\n </head>\n <body>\n  <h1>${status} ${title}</h1>\n  ${explanation}\n </body>\n</html>`,
    headers: { 'content-type': 'text/html; charset=UTF-8' },
  };
}
