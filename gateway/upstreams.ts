// Calling the services behind the gateway: one channel per proto package, any rpc, errors as Failures that name the
// service. Nothing is retried here; whoever asked may ask again.

import { connectivityState, Metadata } from '@grpc/grpc-js';
import { failureFromGrpc } from '#common/error-wire.ts';
import { Failure } from '#common/errors.ts';
import {
  type Channel,
  openChannel,
  type Sending,
  sendDuplex,
  sendStream,
  sendUnary,
} from '#common/rpc-channel.ts';
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
  /** Sends no faster than the service takes, and reads no faster than it is iterated. */
  duplex(method: Method, requests: AsyncIterable<Message>, context: CallContext): AsyncIterable<Message>;
  /** How each channel is, by the service's name; one that is idle is made to connect. */
  states(): Readonly<Record<string, UpstreamState>>;
  close(): void;
};

/** Connects in the background. Throws, naming the package, if a method has no service to go to. */
export function createUpstreams(configs: readonly UpstreamConfig[], methods: readonly Method[]): Upstreams {
  const channels = configs.map((config) => ({
    ...config,
    channel: openChannel(config.url),
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
      const { channel, name } = channelOf(method);
      try {
        return await sendUnary(channel, sending(method, request, context));
      } catch (error) {
        throw named(failureFromGrpc(error), name);
      }
    },
    async *stream(method, request, context) {
      const { channel, name } = channelOf(method);
      try {
        yield* sendStream(channel, sending(method, request, context));
      } catch (error) {
        throw named(failureFromGrpc(error), name);
      }
    },
    async *duplex(method, requests, context) {
      const { channel, name } = channelOf(method);
      try {
        yield* sendDuplex(channel, { ...sending(method, {}, context), requests });
      } catch (error) {
        throw named(failureFromGrpc(error), name);
      }
    },
    states() {
      return Object.fromEntries(channels.map(({ name, channel }) => [name, stateOf(channel)]));
    },
    close() {
      for (const { channel } of channels) channel.close();
    },
  };
}

function sending(method: Method, request: Message, context: CallContext): Sending<Message, Message> {
  const { signal, timeoutMs } = context;
  return { method: method.definition, request, metadata: metadata(context), signal, timeoutMs };
}

function stateOf(channel: Channel): UpstreamState {
  switch (channel.getChannel().getConnectivityState(true)) {
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
