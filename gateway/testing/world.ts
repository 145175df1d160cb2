// For tests: a gateway in this process in front of real grpc-js servers that answer as a test says. What they were asked
// is kept for the test to look at.

import { type EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { createIdentity } from '#common/caller.ts';
import { Secret } from '#common/config.ts';
import { failureToGrpc } from '#common/error-wire.ts';
import { silentLog } from '#common/log.ts';
import type { GatewayConfig } from '../config.ts';
import { loadSchema, type Message, type Schema } from '../schema.ts';
import { startGateway } from '../service.ts';

const PROTO = join(import.meta.dirname, '..', '..', 'proto');
const SECRET = new Secret('a secret of the tests, long enough to sign with');

export type Asked = {
  readonly rpc: string;
  readonly request: Message;
  /** What a caller that streams sends, as fast as it is read; ends early if the caller leaves. */
  readonly requests: AsyncIterable<Message>;
  readonly metadata: Metadata;
  /** Fires when the caller has left or its time is up. */
  readonly signal: AbortSignal;
  /** When the caller's time is up, as grpc-js tells it. */
  readonly deadline: Date | number;
};

/** By the rpc's path. A promise answers a unary rpc, an async iterable a stream. */
export type Answers = Readonly<Record<string, Answer>>;
type Answer = (asked: Asked) => Message | Promise<Message> | AsyncIterable<Message>;

export type World = AsyncDisposable & {
  readonly url: string;
  readonly asked: Asked[];
  /** A bearer token of a user with this role. */
  token(role?: 'admin' | 'professor' | 'student' | 'guest', ttlS?: number): Promise<string>;
  /** Ends the gateway, the services stay. */
  close(): Promise<void>;
};

/** The schema of the real protos and of the library that only tests know. */
export const testSchema: Schema = loadSchema([PROTO, import.meta.dirname]);

/** The services listen on `servicePort`, or on any free one. */
export async function startWorld(
  answers: Answers,
  changes: Partial<GatewayConfig> = {},
  servicePort = 0,
): Promise<World> {
  const asked: Asked[] = [];
  const service = await startService(answers, asked, servicePort);
  const url = `http://127.0.0.1:${service.port}`;
  const gateway = await startGateway(
    {
      host: '127.0.0.1',
      port: 0,
      logLevel: 'silent',
      logDir: undefined,
      jwtSecret: SECRET,
      upstreams: [
        { name: 'auth', packageName: 'pucp.auth.v1', url },
        { name: 'slice', packageName: 'pucp.slice.v1', url },
        { name: 'openstack', packageName: 'pucp.openstack.v1', url },
        { name: 'library', packageName: 'testing.library.v1', url },
      ],
      corsOrigins: [],
      allowsLocalOrigins: true,
      trustedProxies: [],
      ratePerMinute: 0,
      loginRatePerMinute: 0,
      protoFolders: [PROTO, import.meta.dirname],
      ...changes,
    },
    silentLog,
  );
  const identity = createIdentity({ secret: SECRET });
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= gateway.close());
  return {
    url: gateway.url,
    asked,
    token: (role = 'student', ttlS = 60) =>
      identity.sign({ userId: '7', username: `a-${role}`, role }, { ttlS }),
    close,
    async [Symbol.asyncDispose]() {
      await close();
      service.close();
    },
  };
}

async function startService(
  answers: Answers,
  asked: Asked[],
  wantedPort: number,
): Promise<{ port: number; close(): void }> {
  const server = new Server();
  const byService = Map.groupBy(testSchema.methods, (method) => method.serviceName);
  for (const methods of byService.values()) {
    const definition = Object.fromEntries(methods.map((method) => [method.name, method.definition]));
    const handlers = methods.map(({ path, name, isServerStream }) => {
      const answer: Answer = answers[path] ?? missing(path);
      return [name, isServerStream ? streamHandler(path, answer) : unaryHandler(path, answer)] as const;
    });
    server.addService(definition, Object.fromEntries(handlers));
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${wantedPort}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, close: () => server.forceShutdown() };

  function unaryHandler(rpc: string, answer: Answer) {
    return async (call: ServerUnaryCall<Message, Message>, done: sendUnaryData<Message>) => {
      try {
        done(null, (await answer(noteCall(rpc, call))) as Message);
      } catch (error) {
        done(failureToGrpc(error));
      }
    };
  }

  function streamHandler(rpc: string, answer: Answer) {
    return async (call: ServerWritableStream<Message, Message> | ServerDuplexStream<Message, Message>) => {
      try {
        const one = noteCall(rpc, call);
        for await (const message of answer(one) as AsyncIterable<Message>) {
          if (one.signal.aborted) return;
          if (!call.write(message)) await once(call, 'drain', { signal: one.signal });
        }
        call.end();
      } catch (error) {
        call.emit('error', failureToGrpc(error));
      }
    };
  }

  function noteCall(
    rpc: string,
    call: Pick<ServerUnaryCall<Message, Message>, 'metadata' | 'getDeadline'> &
      Pick<EventEmitter, 'on'> & { readonly request?: Message; readonly iterator?: Readable['iterator'] },
  ): Asked {
    const controller = new AbortController();
    call.on('cancelled', () => controller.abort());
    const { request = {}, metadata } = call;
    const { signal } = controller;
    const requests = call.iterator?.({ destroyOnReturn: false }) ?? [];
    const one = { rpc, request, requests, metadata, signal, deadline: call.getDeadline() } as Asked;
    asked.push(one);
    return one;
  }
}

function missing(rpc: string): Answer {
  return () => {
    throw new Error(`the test has no answer for ${rpc}`);
  };
}

/** A bare HTTP server on a free port, for what is asked without gRPC. */
export async function startHttp(
  status: number,
  body: unknown,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Asks until the answer is yes; fails after five seconds. */
export async function eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`after five seconds it is still not so that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
