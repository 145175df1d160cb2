// What the client of the cloud tells while it works, as metrics. It logs for itself.

import type { BreakerState } from '#common/breaker.ts';
import type { Metrics } from '#common/metrics.ts';
import { type CallRecord, SERVICES, type ServiceName } from './api/settings.ts';

const STATES: readonly BreakerState[] = ['closed', 'half-open', 'open'];

/** The cloud is named by Keystone's host; all of its services are told apart by region and name. */
export type ObservedCloud = { readonly authUrl: string; readonly regionName?: string | undefined };

export function observeCloud(metrics: Metrics, { authUrl, regionName }: ObservedCloud) {
  const place = { cloud: URL.canParse(authUrl) ? new URL(authUrl).host : authUrl, region: regionName ?? '' };
  const seconds = metrics.histogram('openstack_call_seconds', 'Time of a call to OpenStack', [
    'cloud_service',
    'method',
    'status',
  ]);
  const breaker = metrics.gauge(
    'openstack_breaker_open',
    'Whether calls to an OpenStack service are held back: 0 no, 0.5 one is let through to try, 1 yes',
    ['cloud', 'region', 'cloud_service'],
  );
  const tokens = metrics.counter('cache_reads_total', 'Reads of a cache by result', ['cache', 'result']);
  const onBreaker = (service: ServiceName, state: BreakerState) =>
    breaker.set({ ...place, cloud_service: service }, STATES.indexOf(state) / 2);
  for (const service of SERVICES) onBreaker(service, 'closed');
  return {
    onBreaker,
    /** A token comes with the catalog of the project's endpoints: both are kept and replaced together. */
    onToken: (result: 'hit' | 'miss') => tokens.inc({ cache: 'tokens', result }),
    onCall({ service, method, status, ms }: CallRecord) {
      seconds.observe({ cloud_service: service, method, status }, ms / 1000);
    },
  };
}
