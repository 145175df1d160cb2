// Calling another service: promises and async iterables over grpc-js, errors as Failures, every call with a deadline.

import { randomUUID } from 'node:crypto';
import {
  credentials,
  Client as GrpcClient,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { failureFromGrpc } from './error-wire.ts';
import { cancelled } from './errors.ts';

export type CallOptions = {
  /** A bearer token to call with. */
  readonly token?: string;
  /** Ends the call on both sides. */
  readonly signal?: AbortSignal;
  /** Milliseconds until the call ends by itself: 30 s for unary calls and none for streams if not set. */
  readonly timeoutMs?: number;
  /** Sent as `x-request-id`; made if not set. */
  readonly requestId?: string;
};

type Methods<S> = { [M in keyof S as string extends M ? never : number extends M ? never : M]: S[M] };

/** A service's methods, by ts-proto's `XxxServer`, as a caller sees them. */
export type Client<S> = {
  readonly [M in keyof Methods<S>]: Methods<S>[M] extends handleUnaryCall<infer Q, infer R>
    ? (request: Q, options?: CallOptions) => Promise<R>
    : Methods<S>[M] extends handleServerStreamingCall<infer Q, infer R>
      ? (request: Q, options?: CallOptions) => AsyncIterable<R>
      : never;
};

const UNARY_TIMEOUT_MS = 30_000;

// Replicas share the calls; a service that comes back is found within two seconds; dead peers are noticed.
const CHANNEL = {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.dns_min_time_between_resolutions_ms': 2_000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_receive_message_length': 32 << 20,
};

/**
 * A client of the service at `url`: `http://host:port` (all addresses of the name, in turn), `dns:host:port`, or
 * `static:ip:port,ip:port`. Connects on first use; `close` ends what is under way.
 */
export function connect<S>(definition: ServiceDefinition, url: string): Client<S> & { close(): void } {
  const channel = new GrpcClient(target(url), credentials.createInsecure(), CHANNEL);
  const methods = Object.entries(definition).map(([name, method]) => {
    const call = method.responseStream
      ? (request: unknown, options: CallOptions = {}) => stream(channel, method, request, options)
      : (request: unknown, options: CallOptions = {}) => unary(channel, method, request, options);
    return [name, call];
  });
  return { ...Object.fromEntries(methods), close: () => channel.close() } as Client<S> & { close(): void };
}

type Method = ServiceDefinition[string];

function unary(
  channel: GrpcClient,
  method: Method,
  request: unknown,
  options: CallOptions,
): Promise<unknown> {
  if (options.signal?.aborted) return Promise.reject(cancelled(options.signal.reason));
  return new Promise((resolve, reject) => {
    const call = channel.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata(options),
      { deadline: Date.now() + (options.timeoutMs ?? UNARY_TIMEOUT_MS) },
      (error, response) => {
        options.signal?.removeEventListener('abort', cancel);
        if (error) reject(failureFromGrpc(error));
        else resolve(response);
      },
    );
    const cancel = () => call.cancel();
    options.signal?.addEventListener('abort', cancel, { once: true });
  });
}

async function* stream(
  channel: GrpcClient,
  method: Method,
  request: unknown,
  options: CallOptions,
): AsyncGenerator<unknown> {
  if (options.signal?.aborted) throw cancelled(options.signal.reason);
  const deadline = options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs };
  const call = channel.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadata(options),
    deadline,
  );
  const cancel = () => call.cancel();
  options.signal?.addEventListener('abort', cancel, { once: true });
  try {
    for await (const message of call) yield message;
  } catch (error) {
    throw failureFromGrpc(error);
  } finally {
    options.signal?.removeEventListener('abort', cancel);
    // Cancelling a call emits an error that nobody listens to any more.
    call.on('error', () => {});
    call.cancel();
  }
}

function metadata({ token, requestId }: CallOptions): Metadata {
  const sent = new Metadata();
  if (token) sent.set('authorization', `Bearer ${token}`);
  sent.set('x-request-id', requestId ?? randomUUID());
  return sent;
}

function target(url: string): string {
  if (url.startsWith('static:')) return `ipv4:${url.slice('static:'.length)}`;
  if (url.startsWith('dns:')) return url;
  const { hostname, port, protocol } = new URL(url);
  return `dns:${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}
