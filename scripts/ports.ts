// Whether ports can be listened on: asked before anything starts, so that a mesh never talks to a stranger's service.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** Those of the ports on 127.0.0.1 that something else has. */
export async function portsInUse(ports: readonly number[]): Promise<number[]> {
  const found = await Promise.all(ports.map(async (port) => ((await canListen(port)) ? [] : [port])));
  return found.flat();
}

/** Ports that nothing had a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer();
  const listening = new Promise<boolean>((done) => {
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => done(true));
  });
  if (!(await listening)) return false;
  await once(server.close(), 'close');
  return true;
}
