// One HTTP exchange with a cloud: connections, limits, time, size. It knows no token, no service's JSON, and never retries.

import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import got, { RequestError, TimeoutError } from 'got';
import { cancelled, Failure } from '#common/errors.ts';
import { isDeadline } from './called-off.ts';
import { createLimiter } from './limiter.ts';
import { type CloudSettings, SERVICE_TITLES, SERVICES, type ServiceName } from './settings.ts';
import { createUpload } from './upload.ts';

export type Exchange = {
  readonly service: ServiceName;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** A body that is sent as it comes, however long that takes. */
  readonly upload?: AsyncIterable<Uint8Array> | undefined;
  /** The end of "could not …", for messages. */
  readonly what: string;
  readonly signal: AbortSignal;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
};

export type Transport = {
  /** Any status is an answer. Throws CLOUD_UNREACHABLE, CLOUD_TIMEOUT, CLOUD_GARBAGE or CANCELLED. */
  exchange(exchange: Exchange): Promise<Answer>;
  close(): void;
};

/** The call was never sent, so that sending it again cannot make anything twice, whatever its method. */
export const NEVER_SENT = 'never_sent';

const NEVER_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** An idle connection is dropped after this: below every proxy's own limit, so that a POST seldom meets a closing one. */
const IDLE_MS = 4_000;

/** How long a service may think about an upload that has come to its end. */
const UPLOAD_ANSWER_MS = 300_000;

/** Who has waited this long in vain may say that the service does not answer. */
const FAIR_MS = 1_000;

export function createTransport(settings: CloudSettings): Transport {
  const limiter = createLimiter(settings.maxConnections, SERVICES);
  const agents = {
    http: new HttpAgent({ keepAlive: true, maxFreeSockets: 16, scheduling: 'lifo', timeout: IDLE_MS }),
    https: new HttpsAgent({ keepAlive: true, maxFreeSockets: 16, scheduling: 'lifo', timeout: IDLE_MS }),
  };
  const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'));
  const maxBytes = settings.maxResponseBytes ?? 64 * 1024 * 1024;
  const client = got.extend({
    agent: agents,
    retry: { limit: 0 },
    // A redirect would carry the token elsewhere or turn a POST into a GET: it is an answer like any other, and refused.
    followRedirect: false,
    throwHttpErrors: false,
    // Nothing is asked for in compressed form, so that the size limit counts what is really read.
    decompress: false,
    timeout: {
      lookup: settings.connectTimeoutMs,
      connect: settings.connectTimeoutMs,
      secureConnect: settings.connectTimeoutMs,
      request: settings.requestTimeoutMs,
    },
    https: {
      rejectUnauthorized: settings.insecure !== true,
      certificateAuthority: read(settings.caFile),
      certificate: read(settings.certFile),
      key: read(settings.keyFile),
    },
    headers: { 'user-agent': 'pucp-cloud-orchestrator', accept: 'application/json' },
  });

  return {
    async exchange(exchange) {
      const release = await limiter.acquire(exchange.service, exchange.signal);
      const startedAt = performance.now();
      const tooLarge = new AbortController();
      const upload = exchange.upload && createUpload(exchange.upload, exchange);
      const signals = [exchange.signal, tooLarge.signal, ...(upload ? [upload.stalled] : [])];
      try {
        const request = client(exchange.url, {
          method: exchange.method,
          headers: exchange.headers,
          ...(exchange.body === undefined ? {} : { body: exchange.body }),
          ...(upload ? { body: upload.stream, timeout: uploadTimeouts(settings) } : {}),
          signal: AbortSignal.any(signals),
        });
        request.on('downloadProgress', ({ transferred }) => {
          if (transferred > maxBytes) tooLarge.abort();
        });
        const { statusCode, headers, body } = await request;
        return { status: statusCode, headers, body };
      } catch (error) {
        const other = upload?.sourceFailure() ?? upload?.stalled.reason;
        if (other !== undefined && !exchange.signal.aborted) throw other;
        const ms = performance.now() - startedAt;
        throw transportFailure(exchange, error, {
          ms,
          tooLargeBytes: tooLarge.signal.aborted ? maxBytes : undefined,
        });
      } finally {
        upload?.close();
        release();
      }
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

// No limit for the whole of it: whether bytes go on being taken is watched instead.
function uploadTimeouts({ connectTimeoutMs: connect }: CloudSettings) {
  return { lookup: connect, connect, secureConnect: connect, request: undefined, response: UPLOAD_ANSWER_MS };
}

function transportFailure(
  { service, signal, what }: Exchange,
  error: unknown,
  { ms, tooLargeBytes }: { ms: number; tooLargeBytes: number | undefined },
): Failure {
  const title = SERVICE_TITLES[service];
  if (tooLargeBytes !== undefined) {
    return new Failure({
      code: 'UNAVAILABLE',
      reason: 'CLOUD_GARBAGE',
      message: `${title} could not ${what}: its answer is larger than ${tooLargeBytes} bytes`,
      retryable: false,
      metadata: { service },
      cause: bare(error),
    });
  }
  const deadline = isDeadline(signal.reason);
  if (signal.aborted && !deadline) return cancelled(signal.reason);
  // A caller's deadline says as much about the service as our own limit does, but for one too short to be fair.
  if (signal.aborted && ms < FAIR_MS) {
    return new Failure({
      code: 'DEADLINE_EXCEEDED',
      reason: 'DEADLINE_EXCEEDED',
      message: `${title} could not ${what}: the caller's time ran out after ${Math.round(ms)} ms`,
      metadata: { service },
    });
  }
  if (deadline || error instanceof TimeoutError) {
    const connecting =
      error instanceof TimeoutError && ['lookup', 'connect', 'secureConnect'].includes(error.event);
    return new Failure({
      code: connecting ? 'UNAVAILABLE' : 'DEADLINE_EXCEEDED',
      reason: connecting ? 'CLOUD_UNREACHABLE' : 'CLOUD_TIMEOUT',
      message: `${title} could not ${what}: no ${connecting ? 'connection' : 'answer'} within ${Math.round(ms)} ms`,
      retryable: true,
      metadata: { service, ...(connecting ? { sent: NEVER_SENT } : {}) },
      cause: bare(error),
    });
  }
  const code = error instanceof RequestError ? error.code : '';
  if (isDistrust(code)) {
    return new Failure({
      code: 'FAILED_PRECONDITION',
      reason: 'CLOUD_UNTRUSTED',
      message: `${title} could not ${what}: its TLS certificate is not to be trusted (${code}); an operator must set OPENSTACK_CACERT to the authority that signed it`,
      retryable: false,
      metadata: { service },
      cause: bare(error),
    });
  }
  return new Failure({
    code: 'UNAVAILABLE',
    reason: 'CLOUD_UNREACHABLE',
    message: `${title} could not ${what}: the connection failed (${code || 'unknown error'})`,
    retryable: true,
    metadata: { service, ...(NEVER_CONNECTED.has(code) ? { sent: NEVER_SENT } : {}) },
    cause: bare(error),
  });
}

// Node names OpenSSL's findings: https://nodejs.org/api/tls.html#x509-certificate-error-codes
function isDistrust(code: string): boolean {
  return (
    code.includes('CERT_') ||
    code.includes('ISSUER') ||
    code.startsWith('UNABLE_TO_VERIFY') ||
    code === 'ERR_TLS_CERT_ALTNAME_INVALID' ||
    code === 'HOSTNAME_MISMATCH'
  );
}

/** got's errors carry the whole request, token and password included: only what happened is kept. */
function bare(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const kept = new Error(error.message);
  kept.name = error.name;
  return kept;
}
