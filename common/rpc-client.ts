// Calling another service by ts-proto's types; every unary call has a deadline.

import { randomUUID } from 'node:crypto';
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { openChannel, sendDuplex, sendStream, sendUnary } from './rpc-channel.ts';

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
      : Methods<S>[M] extends handleBidiStreamingCall<infer Q, infer R>
        ? (requests: AsyncIterable<Q>, options?: CallOptions) => AsyncIterable<R>
        : never;
};

const UNARY_TIMEOUT_MS = 30_000;

/** A client of the service at `url` (see `openChannel`); `close` ends what is under way. */
export function connect<S>(definition: ServiceDefinition, url: string): Client<S> & { close(): void } {
  const channel = openChannel(url);
  const methods = Object.entries(definition).map(([name, method]) => {
    const sending = ({ token, requestId, signal, timeoutMs }: CallOptions) => ({
      method,
      metadata: metadata(token, requestId),
      signal,
      timeoutMs: timeoutMs ?? (method.responseStream ? undefined : UNARY_TIMEOUT_MS),
    });
    if (method.requestStream) {
      const open = (requests: AsyncIterable<unknown>, options: CallOptions = {}) =>
        sendDuplex(channel, { ...sending(options), requests });
      return [name, open];
    }
    const send = method.responseStream ? sendStream : sendUnary;
    return [
      name,
      (request: unknown, options: CallOptions = {}) => send(channel, { ...sending(options), request }),
    ];
  });
  return { ...Object.fromEntries(methods), close: () => channel.close() } as Client<S> & { close(): void };
}

function metadata(token: string | undefined, requestId: string | undefined): Metadata {
  const sent = new Metadata();
  if (token) sent.set('authorization', `Bearer ${token}`);
  sent.set('x-request-id', requestId ?? randomUUID());
  return sent;
}
