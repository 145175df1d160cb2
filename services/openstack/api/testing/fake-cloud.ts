// A small cloud for the tests of the client: a real HTTP server on loopback with a Keystone that issues tokens, and whatever
// answers a test gives it. Each service lies under a path of its own, as behind one proxy.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Failure } from '#common/errors.ts';
import { type Log, silentLog } from '#common/log.ts';
import { type Cloud, createCloud } from '../cloud.ts';
import type { CallRecord, CloudSettings } from '../settings.ts';

export type FakeRequest = {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
  /** True once the client has gone away before its answer. */
  readonly abandoned: () => boolean;
};

export type FakeReply = {
  readonly status?: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** `reset` cuts the connection, `hang` never answers. */
  readonly fault?: 'reset' | 'hang';
};

export type Handler = (request: FakeRequest) => FakeReply | Promise<FakeReply>;

export type FakeCloud = {
  readonly url: string;
  readonly cloud: Cloud;
  /** All requests so far but those for tokens and versions. */
  readonly requests: FakeRequest[];
  readonly tokenRequests: FakeRequest[];
  readonly calls: CallRecord[];
  /** Answers `GET /compute/v2.1/servers/detail` and the like. */
  on(method: string, path: string, handler: Handler | FakeReply): void;
  /** Tokens issued so far are refused from now on by every service that checks. */
  revokeTokens(): void;
  isValid(token: string | string[] | undefined): boolean;
  [Symbol.asyncDispose](): Promise<void>;
};

export type FakeOptions = {
  readonly settings?: Partial<CloudSettings>;
  readonly tokenLifeMs?: number;
  /** Instead of issuing a token. */
  readonly onToken?: (request: FakeRequest) => FakeReply | undefined | Promise<FakeReply | undefined>;
  /** Nova's. */
  readonly maxMicroversion?: string;
  /** Instead of Nova's. */
  readonly versionDocument?: FakeReply | Handler;
  readonly log?: Log;
  /** How tokens begin; `token` if not set. */
  readonly tokenPrefix?: string;
};

export async function startFakeCloud(options: FakeOptions = {}): Promise<FakeCloud> {
  const routes = new Map<string, Handler>();
  const requests: FakeRequest[] = [];
  const tokenRequests: FakeRequest[] = [];
  const calls: CallRecord[] = [];
  const valid = new Set<string>();
  let issued = 0;

  function issueToken(request: FakeRequest): FakeReply {
    issued += 1;
    const token = `${options.tokenPrefix ?? 'token'}-${issued}`;
    valid.add(token);
    const now = Date.now();
    const projectId = scopedTo(request.body);
    return {
      status: 201,
      headers: { 'x-subject-token': token },
      json: {
        token: {
          issued_at: new Date(now).toISOString(),
          expires_at: new Date(now + (options.tokenLifeMs ?? 3_600_000)).toISOString(),
          project: { id: projectId, name: projectId, domain: { id: 'default' } },
          user: { id: 'user-1' },
          roles: [{ id: 'r', name: 'admin' }],
          catalog: catalogAt(url, projectId),
        },
      },
    };
  }

  async function reply(request: FakeRequest): Promise<FakeReply> {
    if (request.path === '/identity/v3/auth/tokens') {
      tokenRequests.push(request);
      return (await options.onToken?.(request)) ?? issueToken(request);
    }
    if (request.path === '/compute/v2.1/') {
      const document = options.versionDocument;
      if (document !== undefined) return typeof document === 'function' ? document(request) : document;
      const version = options.maxMicroversion ?? '2.93';
      return { json: { version: { status: 'CURRENT', version, min_version: '2.1' } } };
    }
    requests.push(request);
    const handler = routes.get(`${request.method} ${request.path}`);
    return (
      (await handler?.(request)) ?? { status: 404, json: { itemNotFound: { message: 'no such thing' } } }
    );
  }

  const server = createServer((incoming, response) => {
    void readRequest(incoming, response)
      .then(reply)
      .then((answer) => send(response, answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cloud = createCloud(
    {
      authUrl: `${url}/identity`,
      auth: { type: 'password', username: 'admin', password: 'secret', userDomainName: 'Default' },
      projectName: 'home',
      regionName: 'RegionOne',
      interface: 'public',
      connectTimeoutMs: 2_000,
      requestTimeoutMs: 10_000,
      maxConnections: 8,
      ...options.settings,
    },
    { log: options.log ?? silentLog, onCall: (call) => calls.push(call) },
  );

  return {
    url,
    cloud,
    requests,
    tokenRequests,
    calls,
    on(method, path, handler) {
      routes.set(`${method} ${path}`, typeof handler === 'function' ? handler : () => handler);
    },
    revokeTokens: () => valid.clear(),
    isValid: (token) => typeof token === 'string' && valid.has(token),
    async [Symbol.asyncDispose]() {
      cloud.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A context that ends with the test's patience. */
export function context(timeoutMs = 20_000): { signal: AbortSignal } {
  return { signal: AbortSignal.timeout(timeoutMs) };
}

/** Waits until it is true, or fails after ten seconds. */
export async function until(isTrue: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function scopedTo(body: unknown): string {
  const scope = (body as { auth?: { scope?: { project?: { id?: string } } } } | undefined)?.auth?.scope;
  return scope?.project?.id ?? 'home-id';
}

function catalogAt(url: string, projectId: string): unknown {
  const service = (type: string, path: string) => ({
    type,
    endpoints: [{ interface: 'public', region: 'RegionOne', region_id: 'RegionOne', url: `${url}${path}` }],
  });
  return [
    service('identity', '/identity'),
    service('compute', '/compute/v2.1'),
    service('network', '/network'),
    service('image', '/image'),
    service('volumev3', `/volume/v3/${projectId}`),
  ];
}

async function readRequest(incoming: IncomingMessage, response: ServerResponse): Promise<FakeRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://localhost');
  return {
    method: incoming.method ?? '',
    path: pathname,
    query: searchParams,
    headers: incoming.headers,
    body: text === '' ? undefined : JSON.parse(text),
    abandoned: () => response.closed && !response.writableFinished,
  };
}

function send(response: ServerResponse, { status = 200, json, text, headers, fault }: FakeReply): void {
  if (fault === 'hang') return;
  if (fault === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  const type = json === undefined ? 'text/html' : 'application/json';
  response.writeHead(status, {
    'content-type': type,
    'x-openstack-request-id': 'req-of-the-cloud',
    ...headers,
  });
  response.end(json === undefined ? text : JSON.stringify(json));
}

/** The Failure that the promise ends in; anything else fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('it succeeded, and should have failed');
}
