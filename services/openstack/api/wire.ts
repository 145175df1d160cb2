// One request to one service: its breaker, the request id, the record for metrics, and JSON in or a Failure out.
// Tokens, endpoints and retries are `request.ts`'s business; sockets and limits are `transport.ts`'s.

import { randomUUID } from 'node:crypto';
import { type Breaker, type BreakerState, createBreaker } from '#common/breaker.ts';
import { Failure } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import { cloudFailure, isSick } from './errors.ts';
import { MAX_REDIRECTS, redirectTarget } from './redirects.ts';
import {
  type CallContext,
  type CallRecord,
  type CloudSettings,
  SERVICE_TITLES,
  type ServiceName,
} from './settings.ts';
import { type Answer, createTransport, type Exchange } from './transport.ts';

export type WireCall = {
  readonly service: ServiceName;
  readonly method: Exchange['method'];
  readonly url: string;
  /** The path with ids left out. */
  readonly route: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** The body's type if it is not plain JSON. */
  readonly contentType?: string | undefined;
  /** A body that is sent as it comes, instead of `json`. */
  readonly upload?: AsyncIterable<Uint8Array> | undefined;
  /** The end of "could not …", for messages. */
  readonly what: string;
  /** A status beyond 2xx that is an answer nevertheless, such as the 300 of version documents. */
  readonly accept?: number | undefined;
};

export type WireAnswer = {
  readonly status: number;
  readonly headers: Answer['headers'];
  /** Parsed JSON; undefined if there was no body. */
  readonly body: unknown;
};

export type Wire = {
  send(call: WireCall, context: CallContext): Promise<WireAnswer>;
  breakers(): Record<ServiceName, BreakerState>;
  close(): void;
};

export type WireDeps = {
  readonly log: Log;
  readonly onCall?: ((call: CallRecord) => void) | undefined;
  readonly onBreaker?: ((service: ServiceName, state: BreakerState) => void) | undefined;
  /** Whether a token that was needed was at hand, or is asked for or waited for. */
  readonly onToken?: ((result: 'hit' | 'miss') => void) | undefined;
};

export function createWire(settings: CloudSettings, { log, onCall, onBreaker }: WireDeps): Wire {
  const transport = createTransport(settings);
  const createOne = (service: ServiceName): Breaker =>
    createBreaker({
      name: `${new URL(settings.authUrl).host}/${settings.regionName || 'any'}/${service}`,
      title: SERVICE_TITLES[service],
      isSick,
      resetMs: settings.breakerResetMs ?? 15_000,
      volumeThreshold: settings.breakerVolume ?? 5,
      onState: (state) => {
        log.warn({ circuit: breakers[service].name, state }, 'the circuit of an OpenStack service changed');
        onBreaker?.(service, state);
      },
    });
  const breakers = {
    keystone: createOne('keystone'),
    nova: createOne('nova'),
    neutron: createOne('neutron'),
    glance: createOne('glance'),
    cinder: createOne('cinder'),
  } satisfies Record<ServiceName, Breaker>;

  async function follow(first: Exchange): Promise<Answer> {
    let answer = await transport.exchange(first);
    let { url } = first;
    for (let count = 0; count < MAX_REDIRECTS; count += 1) {
      const next = redirectTarget({ ...first, url }, answer.status, header(answer, 'location'));
      if (next === undefined) break;
      url = next;
      answer = await transport.exchange({ ...first, url });
    }
    return answer;
  }

  async function exchange(call: WireCall, context: CallContext): Promise<WireAnswer> {
    const requestId = globalRequestId(context.requestId);
    const startedAt = performance.now();
    let status = 0;
    let cloudRequestId: string | undefined;
    let reason: string | undefined;
    try {
      const answer = await follow({
        ...call,
        headers: {
          'x-openstack-request-id': requestId,
          ...(call.json === undefined ? {} : { 'content-type': 'application/json' }),
          ...(call.contentType === undefined ? {} : { 'content-type': call.contentType }),
          ...call.headers,
        },
        body: call.json === undefined ? undefined : JSON.stringify(call.json),
        signal: context.signal,
      });
      status = answer.status;
      cloudRequestId = header(answer, 'x-openstack-request-id') ?? header(answer, 'x-compute-request-id');
      return read(call, answer, { requestId, cloudRequestId });
    } catch (error) {
      reason = error instanceof Failure ? error.reason : 'INTERNAL';
      throw error;
    } finally {
      const ms = performance.now() - startedAt;
      const { service, method, route } = call;
      const record = { service, method, route, status, ms, requestId, cloudRequestId, reason };
      log.debug(
        {
          cloud_service: service,
          method,
          route,
          status,
          ms: Math.round(ms),
          request_id: requestId,
          cloud_request_id: cloudRequestId,
          reason,
        },
        'called OpenStack',
      );
      onCall?.(record);
    }
  }

  return {
    send: (call, context) => breakers[call.service].run(() => exchange(call, context)),
    breakers: () => ({
      keystone: breakers.keystone.state(),
      nova: breakers.nova.state(),
      neutron: breakers.neutron.state(),
      glance: breakers.glance.state(),
      cinder: breakers.cinder.state(),
    }),
    close() {
      for (const breaker of Object.values(breakers)) breaker.close();
      transport.close();
    },
  };
}

/** The body of an answer that was wanted, or the Failure of one that was not. */
function read(
  call: WireCall,
  answer: Answer,
  ids: { readonly requestId: string; readonly cloudRequestId: string | undefined },
): WireAnswer {
  const { status, headers, body } = answer;
  const { service, what } = call;
  const contentType = header(answer, 'content-type');
  if ((status < 200 || status > 299) && status !== call.accept) {
    const retryAfterS = parseRetryAfter(header(answer, 'retry-after'), cloudTimeMs(answer));
    const location = header(answer, 'location');
    throw cloudFailure({ service, status, contentType, body, what, ...ids, retryAfterS, location });
  }
  if (body.trim() === '') return { status, headers, body: undefined };
  try {
    return { status, headers, body: JSON.parse(body) };
  } catch (cause) {
    throw garbage(service, what, 'its answer is not JSON', cause);
  }
}

/** An answer that is not what the API promises: a proxy's page, a cut body, a missing field. */
export function garbage(service: ServiceName, what: string, why: string, cause?: unknown): Failure {
  return new Failure({
    code: 'UNAVAILABLE',
    reason: 'CLOUD_GARBAGE',
    message: `${SERVICE_TITLES[service]} could not ${what}: ${why}`,
    retryable: true,
    metadata: { service },
    cause,
  });
}

export function header(answer: Pick<Answer, 'headers'>, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The cloud's clock, which may not be ours; ours if it does not tell. */
export function cloudTimeMs(answer: Pick<Answer, 'headers'>): number {
  const date = Date.parse(header(answer, 'date') ?? '');
  return Number.isNaN(date) ? Date.now() : date;
}

/** Seconds from a Retry-After in seconds or as a date (RFC 9110 10.2.3); undefined if absent or unreadable. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - nowMs) / 1000));
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** OpenStack takes `req-` and a UUID as the global request id and ignores anything else (oslo.middleware request_id). */
export function globalRequestId(given: string | undefined): string {
  const bare = given?.replace(/^req-/, '') ?? '';
  return `req-${UUID.test(bare) ? bare : randomUUID()}`;
}
