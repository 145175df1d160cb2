// Calling the services behind the gateway: one channel per proto package, any rpc, errors as Failures that name the
// service. Nothing is retried here; whoever asked may ask again.

import {
  type ClientReadableStream,
  connectivityState,
  credentials,
  Client as GrpcClient,
  Metadata,
} from '@grpc/grpc-js';
import { failureFromGrpc } from '#common/error-wire.ts';
import { Failure } from '#common/errors.ts';
import type { UpstreamConfig } from './config.ts';
import type { Message, Method } from './schema.ts';

export type CallContext = {
  /** A bearer token, or empty. */
  readonly token: string;
  readonly requestId: string;
  /** The end client's address. */
  readonly clientIp: string;
  /** Ends the call on both sides. */
  readonly signal: AbortSignal;
  /** Milliseconds until the call ends by itself; none if not set. */
  readonly timeoutMs: number | undefined;
};

export type UpstreamState = 'reachable' | 'connecting' | 'unreachable';

export type Upstreams = {
  unary(method: Method, request: Message, context: CallContext): Promise<Message>;
  /** Reads no faster than it is iterated. */
  stream(method: Method, request: Message, context: CallContext): AsyncIterable<Message>;
  /** How each channel is, by the service's name; one that is idle is made to connect. */
  states(): Readonly<Record<string, UpstreamState>>;
  close(): void;
};

// Replicas share the calls; a service that comes back is found within half a second; dead peers are noticed.
const CHANNEL = {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 500,
  'grpc.dns_min_time_between_resolutions_ms': 2_000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_receive_message_length': 32 << 20,
};

// Long enough for a service that has just come up to be found, short enough to say soon that it is away.
const CONNECT_MS = 1_000;

/** Connects in the background. Throws, naming the package, if a method has no service to go to. */
export function createUpstreams(configs: readonly UpstreamConfig[], methods: readonly Method[]): Upstreams {
  const channels = configs.map((config) => ({
    ...config,
    client: new GrpcClient(target(config.url), credentials.createInsecure(), CHANNEL),
  }));
  const channelOf = (method: Method) => {
    const found = channels.find(({ packageName }) => packageName === method.packageName);
    if (!found)
      throw new Error(`${method.path}: no address is configured for the package ${method.packageName}`);
    return found;
  };
  for (const method of methods) if (method.bindings.length > 0) channelOf(method);

  return {
    async unary(method, request, context) {
      const { client, name } = channelOf(method);
      const { path, requestSerialize, responseDeserialize } = method.definition;
      await connected(client);
      return new Promise((resolve, reject) => {
        if (context.signal.aborted) return reject(failureFromGrpc(context.signal.reason));
        const call = client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadata(context),
          deadline(context),
          (error, response) => {
            context.signal.removeEventListener('abort', cancel);
            if (error) reject(named(failureFromGrpc(error), name));
            else resolve(response ?? {});
          },
        );
        const cancel = () => call.cancel();
        context.signal.addEventListener('abort', cancel, { once: true });
      });
    },
    async *stream(method, request, context) {
      const { client, name } = channelOf(method);
      const { path, requestSerialize, responseDeserialize } = method.definition;
      await connected(client);
      const call: ClientReadableStream<Message> = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata(context),
        deadline(context),
      );
      const cancel = () => call.cancel();
      context.signal.addEventListener('abort', cancel, { once: true });
      if (context.signal.aborted) cancel();
      try {
        for await (const message of call) yield message as Message;
      } catch (error) {
        throw named(failureFromGrpc(error), name);
      } finally {
        context.signal.removeEventListener('abort', cancel);
        // Cancelling emits an error that nobody listens to any more.
        call.on('error', () => {});
        call.cancel();
      }
    },
    states() {
      return Object.fromEntries(channels.map(({ name, client }) => [name, stateOf(client)]));
    },
    close() {
      for (const { client } of channels) client.close();
    },
  };
}

// grpc-js fails a call at once while it waits between two attempts to connect.
async function connected(client: GrpcClient): Promise<void> {
  if (client.getChannel().getConnectivityState(true) === connectivityState.READY) return;
  await new Promise<void>((resolve) => client.waitForReady(Date.now() + CONNECT_MS, () => resolve()));
}

function stateOf(client: GrpcClient): UpstreamState {
  switch (client.getChannel().getConnectivityState(true)) {
    case connectivityState.READY:
      return 'reachable';
    case connectivityState.TRANSIENT_FAILURE:
    case connectivityState.SHUTDOWN:
      return 'unreachable';
    default:
      return 'connecting';
  }
}

// Nothing of the client's own headers travels on but what is named here: X-User-* from outside would be a forgery.
function metadata({ token, requestId, clientIp }: CallContext): Metadata {
  const sent = new Metadata();
  if (token !== '') sent.set('authorization', `Bearer ${token}`);
  sent.set('x-request-id', requestId);
  sent.set('x-forwarded-for', clientIp);
  return sent;
}

function deadline({ timeoutMs }: CallContext): { deadline?: number } {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

// When no service spoke but the connection, the failure says which service was to.
function named(failure: Failure, name: string): Failure {
  const words: Readonly<Record<string, string>> = {
    SERVICE_UNAVAILABLE: `Service unavailable: the ${name} service did not answer; try again shortly`,
    SERVICE_TIMEOUT: `Service timeout: the ${name} service took too long to answer; the work may still go on there`,
  };
  const message = words[failure.reason];
  if (message === undefined) return failure;
  const { code, reason, retryAfterS } = failure;
  return new Failure({
    code,
    reason,
    message,
    cause: failure.cause,
    ...(retryAfterS ? { retryAfterS } : {}),
  });
}

// `http://host:port`, `dns:host:port` (all addresses of the name), or `static:ip:port,ip:port`.
function target(url: string): string {
  if (url.startsWith('static:')) return `ipv4:${url.slice('static:'.length)}`;
  if (url.startsWith('dns:')) return url;
  const { hostname, port, protocol } = new URL(url);
  return `dns:${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}
