// What every process answers over HTTP/1.1: /health (it lives; `degraded` while it cannot serve), /ready (it can serve),
// /metrics.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

/** How a service is. `details` are shown in /health and must hold no secrets. */
export type HealthReport = { readonly ready: boolean; readonly details?: Readonly<Record<string, unknown>> };

export type HealthOptions = {
  readonly name: string;
  readonly metrics: Metrics;
  readonly health: () => Promise<HealthReport>;
  readonly log: Log;
};

/** Answers /health with 200 while the process lives, /ready with 200 or 503, /metrics in Prometheus' text format. */
export function healthListener(options: HealthOptions): RequestListener {
  const { name, metrics, health, log } = options;
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return json(response, 405, { error: 'Method not supported' });
    if (path === '/metrics') {
      response.writeHead(200, { 'content-type': metrics.registry.contentType });
      response.end(await metrics.registry.metrics());
      return;
    }
    if (path !== '/health' && path !== '/ready') return json(response, 404, { error: 'Not found' });
    const report = await health();
    const status =
      path === '/health' ? (report.ready ? 'healthy' : 'degraded') : report.ready ? 'ready' : 'not ready';
    const code = path === '/ready' && !report.ready ? 503 : 200;
    json(response, code, { status, service: name, timestamp: new Date().toISOString(), ...report.details });
  };
  return (request, response) => {
    answer(request, response).catch((cause) => {
      log.error({ cause }, 'health failed');
      if (!response.headersSent) json(response, 500, { error: 'Internal error' });
      else response.destroy();
    });
  };
}

function json(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}
