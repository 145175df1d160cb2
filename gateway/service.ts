// The gateway, put together: protos in, REST out.

import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createIdentity } from '#common/caller.ts';
import { Failure } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import { createMetrics } from '#common/metrics.ts';
import type { GatewayConfig } from './config.ts';
import { createHealth } from './health.ts';
import { openApiOf } from './openapi.ts';
import { routesOf } from './routes.ts';
import { loadSchema } from './schema.ts';
import { createServer } from './server.ts';
import { createUpstreams } from './upstreams.ts';

export type Gateway = { readonly port: number; readonly url: string; close(): Promise<void> };

// Longer work goes on in the services; its clients ask again.
const DRAIN_MS = 5_000;
const SWEEP_MS = 50;

/** Listens. `close` refuses new requests, ends streams with a word, and lets others end for five seconds. */
export async function startGateway(config: GatewayConfig, log: Log): Promise<Gateway> {
  const schema = loadSchema(config.protoFolders);
  const routes = routesOf(schema);
  const upstreams = createUpstreams(config.upstreams, schema.methods);
  const drain = new AbortController();
  const app = await createServer({
    config,
    log,
    metrics: createMetrics('gateway'),
    health: createHealth({ upstreams, configs: config.upstreams, isDraining: () => drain.signal.aborted }),
    document: openApiOf(schema, routes, version()),
    handling: {
      routes,
      identity: createIdentity({ secret: config.jwtSecret }),
      upstreams,
      draining: drain.signal,
    },
  });
  await app.listen({ host: config.host, port: config.port });
  // Connects before the first request needs it.
  upstreams.states();
  const { port } = app.server.address() as AddressInfo;
  log.info({ port, host: config.host, routes: routes.length }, 'listening');
  return {
    port,
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    async close() {
      drain.abort(goingAway());
      // Fastify ends idle connections once; others become idle while it waits.
      const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS);
      const end = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS);
      await app.close();
      clearInterval(sweep);
      clearTimeout(end);
      upstreams.close();
    },
  };
}

function goingAway(): Failure {
  return new Failure({
    code: 'UNAVAILABLE',
    reason: 'GATEWAY_CLOSING',
    message: 'The gateway is restarting: connect again, and go on after the last sequence',
    retryAfterS: 1,
  });
}

function version(): string {
  const text = readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
