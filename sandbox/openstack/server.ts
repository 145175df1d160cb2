// An OpenStack in memory behind real HTTP, on one port: Keystone, Nova, Neutron, Glance and Cinder under path prefixes,
// and the sandbox's own controls under /_sandbox. docs/sandbox.md says what it does and what it leaves out.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '#common/log.ts';
import { cinderService } from './cinder/service.ts';
import { type Cloud, createCloud, restore, snapshotOf } from './cloud.ts';
import { control } from './control.ts';
import { discover } from './discovery.ts';
import { createFaultLayer } from './faults.ts';
import { glanceService } from './glance/service.ts';
import { createRouter, findRoute, newRequestId, type Reply, send, serve, splitTarget } from './http.ts';
import { keystoneService } from './keystone/service.ts';
import { createMisbehaviour } from './misbehaviour.ts';
import { neutronService } from './neutron/service.ts';
import { novaService } from './nova/service.ts';
import { createPersistence } from './persistence.ts';
import { seed } from './seed.ts';

export type SandboxOptions = {
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly log: Log;
  /** How long a server stays in BUILD; other slow things take a share of it. Default 1500. */
  readonly buildDelayMs?: number;
  /** Of the user admin. Default 'sandbox'. */
  readonly adminPassword?: string;
  /** A JSON file the state is kept in; without it the state ends with the process. */
  readonly persistTo?: string;
  /** How many hosts of 12 vCPU, 24 GiB and 150 GB there are. Default 3. */
  readonly hypervisors?: number;
  /** Default one hour. */
  readonly tokenLifetimeMs?: number;
};

export type Sandbox = {
  readonly url: string;
  readonly authUrl: string;
  readonly port: number;
  close(): Promise<void>;
  /** Calls so far by 'METHOD service route-template', for example 'POST compute /servers'. */
  counts(): Record<string, number>;
  resetCounts(): void;
  /** Every row of every table, for tests that look at all there is at once. */
  tables(): Record<string, unknown[]>;
};

/** The services of a cloud with what finds their routes. */
function servicesOf(cloud: Cloud) {
  return [keystoneService, novaService, neutronService, glanceService, cinderService].map((make) => {
    const service = make(cloud);
    return { service, router: createRouter(service.routes) };
  });
}

/** Starts a sandbox and resolves when it listens. Rejects if the port is taken or the saved state cannot be read. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const host = options.host ?? '127.0.0.1';
  const log = options.log;
  const persistence = createPersistence(options.persistTo, () => snapshotOf(cloud), log);
  const cloud = createCloud({
    log,
    buildDelayMs: options.buildDelayMs ?? 1500,
    adminPassword: options.adminPassword ?? 'sandbox',
    hypervisorCount: options.hypervisors ?? 3,
    tokenLifetimeMs: options.tokenLifetimeMs ?? 3_600_000,
    changed: () => persistence.changed(),
  });
  const saved = persistence.load();
  if (saved !== undefined) restore(cloud, saved);
  const services = servicesOf(cloud);
  seed(cloud);

  const faults = createFaultLayer();
  const misbehaviour = createMisbehaviour(cloud);
  const counts = new Map<string, number>();
  const counters = {
    all: () => Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))),
    reset: () => counts.clear(),
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isHead = request.method === 'HEAD';
    const [pathname, search] = splitTarget(request.url ?? '/');
    const plain = pathname.replace(/\/+$/, '') || '/';
    if (plain === '/' || plain === '/healthz' || plain.startsWith('/_sandbox')) {
      return send(response, await control(request, plain, { faults, misbehaviour, counters, cloud }), isHead);
    }
    const entry = services.find(({ service }) => pathname.startsWith(`${service.prefix}/`));
    const document = discover(cloud.url, plain);
    const requestId = newRequestId();
    if (document) {
      const headers = { ...document.headers, 'x-openstack-request-id': requestId };
      return send(response, { ...document, headers }, isHead);
    }
    if (!entry) return send(response, { status: 404, body: 'Nothing is here; see / for what is.\n' }, isHead);

    const { service, router } = entry;
    const local = pathname.slice(service.prefix.length);
    const method = request.method ?? 'GET';
    const found = findRoute(service, router, method, local);
    const name = `${method} ${service.name} ${'route' in found ? found.route.template : '(no route)'}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    const target = search === '' ? local : `${local}?${search}`;
    const fault = faults.strike({ service: service.name, method, path: pathname });
    const run = (from?: Cloud): Promise<Reply> => {
      const copy = from && servicesOf(from).find((one) => one.service.name === service.name);
      const route = copy ? findRoute(copy.service, copy.router, method, local) : found;
      return serve(copy?.service ?? service, route, request, target, { requestId, log });
    };
    await misbehaviour.answer(fault, { service, request, response, run });
  };

  const server = createServer({ keepAliveTimeout: 15_000 }, (request, response) => {
    request.on('error', () => {});
    response.on('error', () => {});
    handle(request, response).catch((error) => {
      log.error({ cause: error, path: request.url }, 'the sandbox failed to answer');
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, host, resolve);
  });
  const port = (server.address() as AddressInfo).port;
  cloud.url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  cloud.tasks.start();

  return {
    url: cloud.url,
    authUrl: `${cloud.url}/identity/v3`,
    port,
    counts: counters.all,
    resetCounts: counters.reset,
    tables: () => snapshotOf(cloud).tables,
    close: async () => {
      cloud.tasks.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      persistence.close();
    },
  };
}
