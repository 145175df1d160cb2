// The HTTP side of the sandbox: reading requests, finding the route, writing answers. What a route does and how a
// service words its errors is the services' own business.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '#common/log.ts';
import { type Caller, NOBODY } from './caller.ts';
import { SandboxFull } from './collection.ts';

/** JSON documents larger than this are refused, as OpenStack's own size limit middleware does. */
export const MAX_JSON_BYTES = 1024 * 1024;

export type Json = Record<string, unknown>;

/** What a handler is given: one request, read and authenticated. */
export type Call = {
  readonly method: string;
  /** Path and query below the service's prefix, as sent. */
  readonly target: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** The parsed JSON object, or {} if none was sent. */
  readonly body: Json;
  /** The request's stream, for routes that read it themselves. */
  readonly stream: IncomingMessage;
  readonly caller: Caller;
  /** The minor number of the negotiated microversion; 0 where the service has none. */
  readonly minor: number;
  readonly requestId: string;
};

export type Reply = {
  readonly status: number;
  /** An object is sent as JSON, a string or bytes as they are, undefined as no body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

export type Handler = (call: Call) => Reply | Promise<Reply>;

export type Route = {
  readonly method: string;
  /** For example `/servers/{id}`; a segment in braces becomes a parameter. */
  readonly template: string;
  readonly handler: Handler;
  /** Without a token if 'public'. */
  readonly access: 'public' | 'token';
  /** 'stream' leaves the body to the handler. */
  readonly body: 'json' | 'stream';
};

/** An answer that is an error, worded by the service it is thrown in. */
export class Fault extends Error {
  readonly status: number;
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, message: string, type = '', headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.headers = headers;
  }
}

export type Negotiated = {
  readonly minor: number;
  readonly headers: Record<string, string>;
  readonly refusal?: Fault;
};

export type Service = {
  readonly name: 'identity' | 'compute' | 'network' | 'image' | 'volume';
  readonly prefix: string;
  readonly routes: readonly Route[];
  /** Picks the microversion, or says with which fault it is refused. */
  negotiate(headers: IncomingMessage['headers']): Negotiated;
  authenticate(headers: IncomingMessage['headers'], target: string): Caller;
  /** Words a fault; `accept` is the client's Accept header. */
  fault(fault: Fault, accept: string): Reply;
  noRoute(method: string, path: string, otherMethods: boolean): Fault;
  badJson(): Fault;
  /** Headers of every answer. */
  headers(requestId: string): Record<string, string>;
  /** Whether a path with a slash at its end is none of the service's. */
  readonly refusesLastSlash?: boolean;
  /** Turns `/{project_id}/volumes` into `/volumes`; the identity for services without a project in their path. */
  localPath(path: string): string;
};

export const ok = (body: unknown, headers?: Record<string, string>): Reply => ({
  status: 200,
  body,
  headers,
});
export const created = (body: unknown, headers?: Record<string, string>): Reply => ({
  status: 201,
  body,
  headers,
});
export const accepted = (body?: unknown, headers?: Record<string, string>): Reply => ({
  status: 202,
  body,
  headers,
});
export const noContent: Reply = { status: 204 };

export function route(method: string, template: string, handler: Handler): Route {
  return { method, template, handler, access: 'token', body: 'json' };
}

type Found = { readonly route: Route; readonly params: Record<string, string> };
export type Router = (method: string, path: string) => Found | { readonly otherMethods: boolean };

/** Finds routes by method and number of segments; fixed segments win over parameters by being listed first. */
export function createRouter(routes: readonly Route[]): Router {
  const parsed = routes.map((entry) => ({ route: entry, segments: segmentsOf(entry.template) }));
  const byShape = new Map<string, typeof parsed>();
  const paths = new Map<number, typeof parsed>();
  for (const entry of parsed) {
    const key = `${entry.route.method} ${entry.segments.length}`;
    byShape.set(key, [...(byShape.get(key) ?? []), entry]);
    paths.set(entry.segments.length, [...(paths.get(entry.segments.length) ?? []), entry]);
  }
  return (method, path) => {
    const segments = segmentsOf(path);
    for (const entry of byShape.get(`${method} ${segments.length}`) ?? []) {
      const params = matchSegments(entry.segments, segments);
      if (params) return { route: entry.route, params };
    }
    return {
      otherMethods: (paths.get(segments.length) ?? []).some((entry) =>
        matchSegments(entry.segments, segments),
      ),
    };
  };
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function matchSegments(template: string[], actual: string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, segment] of template.entries()) {
    const value = actual[index] ?? '';
    if (segment.startsWith('{')) params[segment.slice(1, -1)] = decode(value);
    else if (segment !== value) return undefined;
  }
  return params;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The route a request would take, a HEAD falling back to the GET of the same path. */
export function findRoute(
  service: Service,
  router: Router,
  method: string,
  pathname: string,
): ReturnType<Router> {
  const path = service.localPath(pathname);
  if (service.refusesLastSlash && path.endsWith('/')) return { otherMethods: false };
  const found = router(method, path);
  return method === 'HEAD' && !('route' in found) ? router('GET', path) : found;
}

/** Runs one request through a service. Never rejects: a bug becomes the service's own 500. */
export async function serve(
  service: Service,
  found: ReturnType<Router>,
  request: IncomingMessage,
  target: string,
  { requestId, log }: { requestId: string; log: Log },
): Promise<Reply> {
  const method = request.method ?? 'GET';
  const accept = request.headers.accept ?? '';
  let versionHeaders: Record<string, string> = {};
  const answer = (reply: Reply, extra: Readonly<Record<string, string>> = {}): Reply => ({
    ...reply,
    headers: { ...service.headers(requestId), ...versionHeaders, ...extra, ...reply.headers },
  });
  try {
    const [pathname, search] = splitTarget(target);
    const isPublic = 'route' in found && found.route.access === 'public';
    const caller = isPublic ? NOBODY : service.authenticate(request.headers, pathname);
    const version = service.negotiate(request.headers);
    versionHeaders = version.headers;
    if (version.refusal) throw version.refusal;
    if (!('route' in found)) throw service.noRoute(method, pathname, found.otherMethods);
    const body = found.route.body === 'json' ? await readJson(request, service) : {};
    const reply = await found.route.handler({
      method,
      target,
      params: found.params,
      query: new URLSearchParams(search),
      headers: request.headers,
      body,
      stream: request,
      caller,
      minor: version.minor,
      requestId,
    });
    return answer(reply);
  } catch (error) {
    if (error instanceof Fault) return answer(service.fault(error, accept), error.headers);
    if (error instanceof SandboxFull) {
      return answer(service.fault(new Fault(503, error.message, 'ServiceUnavailable'), accept));
    }
    log.error({ cause: error, method, path: target, request_id: requestId }, 'a sandbox handler failed');
    const text = 'The sandbox failed to handle this request; its log says why.';
    return answer(service.fault(new Fault(500, text, 'HTTPInternalServerError'), accept));
  }
}

export function splitTarget(target: string): [string, string] {
  const at = target.indexOf('?');
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
}

async function readJson(request: IncomingMessage, service: Service): Promise<Json> {
  const bytes = await readBody(request, MAX_JSON_BYTES);
  if (bytes.length === 0) return {};
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (Array.isArray(value)) return { '': value };
    if (isObject(value)) return value;
    if (value === null) return {};
  } catch {
    // Said below, in the service's own words.
  }
  throw service.badJson();
}

/** Reads a body whole; more than `limit` bytes is a 413. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > limit) throw new Fault(413, 'Request is too large.', 'RequestEntityTooLarge');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function newRequestId(): string {
  return `req-${randomUUID()}`;
}

export function send(response: ServerResponse, reply: Reply, isHead: boolean): void {
  if (response.destroyed || response.headersSent) return;
  const headers: Record<string, string | number> = { ...reply.headers };
  let payload: Buffer | undefined;
  if (reply.body !== undefined) {
    const isText = typeof reply.body === 'string';
    if (Buffer.isBuffer(reply.body)) payload = reply.body;
    else payload = Buffer.from(isText ? (reply.body as string) : JSON.stringify(reply.body));
    headers['content-type'] ??= isText ? 'text/plain; charset=UTF-8' : 'application/json';
  }
  if (reply.status !== 204) headers['content-length'] = payload?.length ?? 0;
  response.writeHead(reply.status, headers);
  response.end(isHead ? undefined : payload);
}
