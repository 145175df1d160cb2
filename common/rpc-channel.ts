// A channel to a service's replicas, and one call over it: promises and async iterables over grpc-js, errors as Failures.

import { once } from 'node:events';
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  connectivityState,
  credentials,
  Client as GrpcClient,
  type Metadata,
  type MethodDefinition,
} from '@grpc/grpc-js';
import { failureFromGrpc } from './error-wire.ts';
import { cancelled } from './errors.ts';

export type Channel = GrpcClient;

export type Sending<Q, R> = {
  readonly method: Pick<MethodDefinition<Q, R>, 'path' | 'requestSerialize' | 'responseDeserialize'>;
  readonly request: Q;
  readonly metadata: Metadata;
  /** Ends the call on both sides. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the call ends by itself; none if not set. */
  readonly timeoutMs?: number | undefined;
};

// Replicas share the calls; a service that comes back is found within half a second; dead peers are noticed.
const OPTIONS = {
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

/**
 * A channel to `http://host:port` (all addresses of the name, in turn), `dns:host:port`, or `static:ip:port,ip:port`.
 * Connects on first use; `close` ends what is under way.
 */
export function openChannel(url: string): Channel {
  return new GrpcClient(target(url), credentials.createInsecure(), OPTIONS);
}

/** Calls once; nothing is tried again. */
export async function sendUnary<Q, R>(channel: Channel, sending: Sending<Q, R>): Promise<R> {
  const { method, request, metadata, signal } = sending;
  await connected(channel);
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(cancelled(signal.reason));
    const call = channel.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      deadline(sending),
      (error, response) => {
        signal?.removeEventListener('abort', cancel);
        if (error) reject(failureFromGrpc(error));
        else resolve(response as R);
      },
    );
    const cancel = () => call.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

/** Reads no faster than it is iterated; leaving the loop ends the call. */
export async function* sendStream<Q, R>(channel: Channel, sending: Sending<Q, R>): AsyncGenerator<R> {
  const { method, request, metadata, signal } = sending;
  await connected(channel);
  if (signal?.aborted) throw cancelled(signal.reason);
  const call: ClientReadableStream<R> = channel.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadata,
    deadline(sending),
  );
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for await (const message of call) yield message as R;
  } catch (error) {
    throw failureFromGrpc(error);
  } finally {
    signal?.removeEventListener('abort', cancel);
    // Cancelling a call emits an error that nobody listens to any more.
    call.on('error', () => {});
    call.cancel();
  }
}

/**
 * Streams both ways: sends no faster than the service takes, and reads no faster than it is iterated. Leaving the loop ends
 * the call; a failure of `requests` ends it too and is what the caller hears.
 */
export async function* sendDuplex<Q, R>(
  channel: Channel,
  sending: Omit<Sending<Q, R>, 'request'> & { readonly requests: AsyncIterable<Q> },
): AsyncGenerator<R> {
  const { method, requests, metadata, signal } = sending;
  await connected(channel);
  if (signal?.aborted) throw cancelled(signal.reason);
  const call: ClientDuplexStream<Q, R> = channel.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    metadata,
    deadline(sending),
  );
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  const over = new AbortController();
  let broken: { readonly error: unknown } | undefined;
  writeAll(call, requests, over.signal).catch((error: unknown) => {
    if (over.signal.aborted) return;
    broken = { error };
    call.cancel();
  });
  try {
    for await (const message of call) yield message as R;
    if (broken) throw broken.error;
  } catch (error) {
    throw broken ? broken.error : failureFromGrpc(error);
  } finally {
    over.abort();
    signal?.removeEventListener('abort', cancel);
    call.on('error', () => {});
    call.cancel();
  }
}

/** Writes until all is written or the call is over; what is then still to come is not waited for. */
async function writeAll<Q>(
  call: ClientDuplexStream<Q, unknown>,
  requests: AsyncIterable<Q>,
  over: AbortSignal,
): Promise<void> {
  const ended = new Promise<undefined>((resolve) => {
    over.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const iterator = requests[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([iterator.next(), ended]);
    if (next === undefined) {
      iterator.return?.().catch(() => {});
      return;
    }
    if (next.done) {
      call.end();
      return;
    }
    if (!call.write(next.value)) await once(call, 'drain', { signal: over });
  }
}

// grpc-js fails a call at once while it waits between two attempts to connect.
async function connected(channel: Channel): Promise<void> {
  if (channel.getChannel().getConnectivityState(true) === connectivityState.READY) return;
  await new Promise<void>((resolve) => channel.waitForReady(Date.now() + CONNECT_MS, () => resolve()));
}

function deadline({ timeoutMs }: { readonly timeoutMs?: number | undefined }): { deadline?: number } {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function target(url: string): string {
  if (url.startsWith('static:')) return `ipv4:${url.slice('static:'.length)}`;
  if (url.startsWith('dns:')) return url;
  const { hostname, port, protocol } = new URL(url);
  return `dns:${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}
