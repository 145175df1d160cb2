// From a handler that returns a promise or an async iterable to what grpc-js calls: token, access rule, request id,
// cancellation, log, metrics and errors, the same for every rpc.

import { randomUUID } from 'node:crypto';
import { type EventEmitter, once } from 'node:events';
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ACCESS } from '#proto/access.ts';
import { ANONYMOUS, bearerToken, type Caller, checkAccess, type Identity } from './caller.ts';
import { databaseFailure } from './database-errors.ts';
import { failureToGrpc } from './error-wire.ts';
import { cancelled, causeChain, Failure } from './errors.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

/** What a handler knows besides its request. */
export type Context = {
  /** Who calls; on a public rpc without a token, a guest with an empty id. */
  readonly caller: Caller;
  /** Fires when the client has left or its deadline has passed. */
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly requestId: string;
  /** The end client's address, as the gateway or the connection tells. */
  readonly clientIp: string;
};

/** What a service must implement, by ts-proto's `XxxServer`. */
export type Handlers<S> = {
  readonly [M in keyof S as string extends M
    ? never
    : number extends M
      ? never
      : M]: S[M] extends handleUnaryCall<infer Q, infer R>
    ? (request: Q, context: Context) => Promise<R>
    : S[M] extends handleServerStreamingCall<infer Q, infer R>
      ? (request: Q, context: Context) => AsyncIterable<R>
      : S[M] extends handleBidiStreamingCall<infer Q, infer R>
        ? (requests: AsyncIterable<Q>, context: Context) => AsyncIterable<R>
        : never;
};

type Environment = { readonly identity: Identity; readonly log: Log; readonly metrics: Metrics };
type Call = Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getPeer'> & Pick<EventEmitter, 'on'>;
type UnaryHandler = (request: unknown, context: Context) => Promise<unknown>;
type StreamHandler = (request: unknown, context: Context) => AsyncIterable<unknown>;

/** The implementation to hand to grpc-js. Throws if an rpc has no handler or no access rule. */
export function implement(
  definition: ServiceDefinition,
  handlers: Readonly<Record<string, unknown>>,
  environment: Environment,
): UntypedServiceImplementation {
  const seconds = environment.metrics.histogram('rpc_server_seconds', 'Time to serve an rpc', [
    'rpc',
    'code',
  ]);
  const entries = Object.entries(definition).map(([name, method]) => {
    const handler = handlers[name];
    const access = ACCESS[method.path];
    if (typeof handler !== 'function') throw new Error(`${method.path} has no handler`);
    if (method.requestStream && !method.responseStream)
      throw new Error(`${method.path} streams requests but not answers, which is not supported`);
    if (access === undefined) throw new Error(`${method.path} has no access rule`);

    const enter = async (call: Call, signal: AbortSignal): Promise<Context> => {
      const token = bearerToken(first(call, 'authorization'));
      const caller =
        access === 'ACCESS_PUBLIC' ? await knownOrAnonymous(token) : await environment.identity.verify(token);
      checkAccess(access, caller);
      const requestId = first(call, 'x-request-id')?.slice(0, 64) ?? randomUUID();
      const log = environment.log.child({ request_id: requestId, rpc: method.path, user_id: caller.userId });
      const clientIp = first(call, 'x-forwarded-for')?.split(',')[0]?.trim() ?? call.getPeer();
      return { caller, signal, log, requestId, clientIp };
    };
    // Who logs in may still send a token that has ended: on a public rpc it says nothing, and is no mistake.
    const knownOrAnonymous = (token: string) =>
      token === '' ? ANONYMOUS : environment.identity.verify(token).catch(() => ANONYMOUS);
    const leave = (call: Call, startedAt: number, error?: unknown) => {
      const code = error === undefined ? 'OK' : error instanceof Failure ? error.code : 'INTERNAL';
      seconds.observe({ rpc: method.path, code }, (performance.now() - startedAt) / 1000);
      if (code !== 'INTERNAL') return;
      const fields = { rpc: method.path, request_id: first(call, 'x-request-id'), causes: causeChain(error) };
      environment.log.error(
        { ...fields, stack: error instanceof Error ? error.stack : undefined },
        'rpc failed',
      );
    };

    if (method.responseStream) {
      type StreamCall = ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>;
      const serve = async (call: StreamCall) => {
        const startedAt = performance.now();
        const signal = cancellation(call);
        try {
          const context = await enter(call, signal);
          const request = 'request' in call ? call.request : requestsOf(call, signal);
          for await (const message of (handler as StreamHandler)(request, context)) {
            if (signal.aborted) break;
            if (!call.write(message)) await once(call, 'drain', { signal });
          }
          leave(call, startedAt);
          call.end();
        } catch (error) {
          const failure = signal.aborted ? cancelled(error) : databaseFailure(error);
          leave(call, startedAt, failure);
          call.emit('error', failureToGrpc(failure));
        }
      };
      return [name, (call: StreamCall) => void serve(call)];
    }
    const serve = async (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) => {
      const startedAt = performance.now();
      try {
        const context = await enter(call, cancellation(call));
        const response = await (handler as UnaryHandler)(call.request, context);
        leave(call, startedAt);
        answer(null, response);
      } catch (error) {
        const failure = databaseFailure(error);
        leave(call, startedAt, failure);
        answer(failureToGrpc(failure));
      }
    };
    const unary = (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) =>
      void serve(call, answer);
    return [name, unary];
  });
  return Object.fromEntries(entries) as UntypedServiceImplementation;
}

// What the client sends, as fast as it is iterated. Leaving the loop leaves the other direction open; a client that left
// ends it with a failure, for what came before is not all that it meant to send.
async function* requestsOf(
  call: ServerDuplexStream<unknown, unknown>,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const left = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const iterator = call.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  for (;;) {
    const next = signal.aborted ? undefined : await Promise.race([iterator.next(), left]);
    if (next === undefined || signal.aborted) throw cancelled(signal.reason);
    if (next.done) return;
    yield next.value;
  }
}

function cancellation(call: Call): AbortSignal {
  const controller = new AbortController();
  call.on('cancelled', () => controller.abort(cancelled()));
  return controller.signal;
}

function first(call: Call, name: string): string | undefined {
  const value = call.metadata.get(name)[0];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
