// Serving gRPC and, on the same port, HTTP/1.1 /health, /ready and /metrics: a connection's first bytes tell which.
// Every rpc is authenticated and held against its access rule here; ownership is the handler's.

import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { Identity } from './caller.ts';
import { type HealthReport, healthListener } from './health.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { reflection } from './reflection.ts';
import { type Handlers, implement } from './rpc-handlers.ts';

export type { Context, Handlers } from './rpc-handlers.ts';

/** A service and its handlers, made by `service`. */
export type Service = {
  readonly definition: ServiceDefinition;
  readonly handlers: Readonly<Record<string, unknown>>;
};

/** Binds handlers to ts-proto's definition; the compiler misses one that is not written. */
export function service<S>(definition: ServiceDefinition, handlers: Handlers<S>): Service {
  return { definition, handlers: handlers as Readonly<Record<string, unknown>> };
}

export type RpcServerOptions = {
  readonly name: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly services: readonly Service[];
  readonly identity: Identity;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly health: () => Promise<HealthReport>;
};

export type RpcServer = { readonly port: number; close(): Promise<void> };

const CHANNEL = {
  // Clients look names up again when a connection ends: so new replicas are found. Streams on the old one may go on for an
  // hour, longer than any step of a slice at work may take.
  'grpc.max_connection_age_ms': 300_000,
  'grpc.max_connection_age_grace_ms': 3_600_000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_receive_message_length': 8 << 20,
};
const PREFACE = Buffer.from('PRI');
const FIRST_BYTES_MS = 10_000;
const DRAIN_MS = 3_000;

/** Listens and returns the port. `close` refuses new calls, lets running ones end for three seconds, then ends them. */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { name, host, port, services, log, metrics, health } = options;
  const rpc = new Server(CHANNEL);
  const names = services.map(({ definition }) => serviceName(definition));
  for (const { definition, handlers } of services) {
    const untyped: UntypedServiceImplementation = implement(definition, handlers, options);
    rpc.addService(definition, untyped);
  }
  const status = new HealthImplementation(Object.fromEntries(['', ...names].map((key) => [key, 'SERVING'])));
  status.addToServer(rpc);
  reflection(names).addToServer(rpc);
  const injector = rpc.createConnectionInjector(ServerCredentials.createInsecure());
  const http = createHttpServer(healthListener({ name, metrics, health, log }));

  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    sniff(socket, (isHttp2) => {
      if (isHttp2) injector.injectConnection(socket);
      else http.emit('connection', socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, host, resolve);
  });
  const bound = (listener.address() as AddressInfo).port;
  log.info({ port: bound, host, services: names }, 'listening');

  return {
    port: bound,
    async close() {
      for (const key of ['', ...names]) status.setStatus(key, 'NOT_SERVING');
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      http.closeIdleConnections();
      injector.drain(DRAIN_MS);
      await settle(rpc, DRAIN_MS);
      injector.destroy();
      http.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

// RFC 9113 section 3.4: an HTTP/2 connection begins with "PRI * HTTP/2.0"; no HTTP/1.1 method does.
function sniff(socket: Socket, decide: (isHttp2: boolean) => void): void {
  const timer = setTimeout(() => socket.destroy(), FIRST_BYTES_MS);
  socket.once('close', () => clearTimeout(timer));
  const look = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) {
      if (!socket.destroyed && !socket.readableEnded) socket.once('readable', look);
      return;
    }
    const known = chunk.subarray(0, PREFACE.length);
    socket.unshift(chunk);
    if (known.length < PREFACE.length && PREFACE.subarray(0, known.length).equals(known)) {
      socket.once('readable', look);
      return;
    }
    clearTimeout(timer);
    decide(known.equals(PREFACE));
  };
  socket.once('readable', look);
}

// grpc-node #1458: tryShutdown waits for ever for an open stream, so it gets a time limit.
function settle(server: Server, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, ms);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function serviceName(definition: ServiceDefinition): string {
  const [first] = Object.values(definition);
  return first?.path.split('/')[1] ?? '';
}
