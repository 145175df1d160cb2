// A fixed server in a process of its own that answers like a cloud, always the same and with no work to do for it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

export type FixedServer = { readonly url: string; close(): Promise<void> };

// Plain JavaScript text, so that the process is nothing but Node's own server. It reads the bodies by path as JSON.
const SOURCE = `
const bodies = new Map(Object.entries(JSON.parse(require('node:fs').readFileSync(0, 'utf8'))).map(([path, body]) => [path, Buffer.from(body)]));
const headers = { 'content-type': 'application/json', 'x-openstack-request-id': 'req-fixed', 'x-subject-token': 'token' };
const server = require('node:http').createServer({ keepAliveTimeout: 60000 }, (request, response) => {
  const body = bodies.get(request.url.split('?')[0]) ?? Buffer.from('{}');
  request.resume();
  response.writeHead(request.method === 'POST' ? 201 : 200, { ...headers, 'content-length': body.length });
  response.end(body);
});
server.listen(Number(process.argv[1]), '127.0.0.1', () => process.stdout.write(String(server.address().port)));
`;

/** Starts it with what it answers, by path; the bodies may name the server's address, which is known before. */
export async function startFixedServer(
  port: number,
  bodies: Readonly<Record<string, unknown>>,
): Promise<FixedServer> {
  const texts = Object.fromEntries(
    Object.entries(bodies).map(([path, body]) => [path, JSON.stringify(body)]),
  );
  const child = spawn(process.execPath, ['-e', SOURCE, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(texts));
  await once(child.stdout, 'data');
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      child.kill();
      await once(child, 'exit');
    },
  };
}
