// Whether the gateway and what is behind it are well: /health and /ready of its own, /health/openstack on behalf of the
// openstack service.

import type { UpstreamConfig } from './config.ts';
import type { UpstreamState, Upstreams } from './upstreams.ts';

export type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

export type Health = {
  /** 200 as long as the gateway lives, whatever is behind it. */
  alive(): Answer;
  /** 200 if it can serve anything: it is not going away and reaches at least one service. */
  ready(): Answer;
  /** Asks the openstack service how it and its cloud are: 200, or 503 with the reason. */
  openstack(): Promise<Answer>;
};

const PATIENCE_MS = 5_000;

export function createHealth(options: {
  readonly upstreams: Upstreams;
  readonly configs: readonly UpstreamConfig[];
  readonly isDraining: () => boolean;
}): Health {
  const { upstreams, configs, isDraining } = options;
  const urls = Object.fromEntries(configs.map(({ name, url }) => [name, url]));
  return {
    alive: () => ({
      status: 200,
      body: {
        status: 'healthy',
        service: 'api-gateway',
        timestamp: new Date().toISOString(),
        services: urls,
        service_status: upstreams.states(),
      },
    }),
    ready() {
      const states = upstreams.states();
      const ready = !isDraining() && Object.values(states).includes('reachable' satisfies UpstreamState);
      return {
        status: ready ? 200 : 503,
        body: { status: ready ? 'ready' : 'not ready', service: 'api-gateway', service_status: states },
      };
    },
    async openstack() {
      const url = healthUrl(urls.openstack ?? '');
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
        const report: unknown = await response.json();
        return judge(response.status, report);
      } catch {
        return {
          status: 503,
          body: { status: 'unreachable', error: 'The openstack service did not answer; try again shortly' },
        };
      }
    },
  };
}

// The service lives while it answers; its cloud may be away all the same, and then nothing can be deployed.
function judge(status: number, report: unknown): Answer {
  const body = typeof report === 'object' && report !== null ? (report as Record<string, unknown>) : {};
  const cloud =
    typeof body.cloud === 'object' && body.cloud !== null ? (body.cloud as Record<string, unknown>) : {};
  if (status === 200 && cloud.reachable !== false)
    return { status: 200, body: { status: 'healthy', openstack_service: body } };
  const why = typeof cloud.error === 'string' ? `: ${cloud.error}` : '';
  const error =
    cloud.reachable === false
      ? `The openstack service runs, but OpenStack does not answer it${why}`
      : `The openstack service answered its health check with HTTP ${status}`;
  return { status: 503, body: { status: 'unhealthy', error, openstack_service: body } };
}

function healthUrl(url: string): string {
  if (/^https?:/.test(url)) return new URL('/health', url).href;
  // dns:host:port and static:ip:port,ip:port serve HTTP on the same ports; one of them speaks for all.
  const [address = ''] = url.replace(/^(dns|static):(\/\/\/)?/, '').split(',');
  return `http://${address}/health`;
}
