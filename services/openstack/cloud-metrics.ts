// What the client of the cloud tells while it works, as metrics and log lines.

import type { BreakerState } from '#common/breaker.ts';
import type { Log } from '#common/log.ts';
import type { Metrics } from '#common/metrics.ts';
import { type CallRecord, SERVICES, type ServiceName } from './api/settings.ts';

const STATES: readonly BreakerState[] = ['closed', 'half-open', 'open'];

export function observeCloud(metrics: Metrics, log: Log) {
  const seconds = metrics.histogram('openstack_call_seconds', 'Time of a call to OpenStack', [
    'cloud_service',
    'method',
    'status',
  ]);
  const breaker = metrics.gauge(
    'openstack_breaker_open',
    'Whether calls to an OpenStack service are held back: 0 no, 0.5 one is let through to try, 1 yes',
    ['cloud_service'],
  );
  const onBreaker = (service: ServiceName, state: BreakerState) =>
    breaker.set({ cloud_service: service }, STATES.indexOf(state) / 2);
  for (const service of SERVICES) onBreaker(service, 'closed');
  return {
    onBreaker,
    onCall(call: CallRecord) {
      const { service, method, status, ms } = call;
      seconds.observe({ cloud_service: service, method, status }, ms / 1000);
      log.debug(
        {
          cloud_service: service,
          method,
          route: call.route,
          status,
          ms,
          request_id: call.requestId,
          cloud_request_id: call.cloudRequestId,
          reason: call.reason,
        },
        'called OpenStack',
      );
    },
  };
}
