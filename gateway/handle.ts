// One REST request from its route to its answer: token, allowance, access rule, body, call, answer. Errors are thrown;
// the server tells them in the one shape.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { ANONYMOUS, bearerToken, type Caller, checkAccess, type Identity } from '#common/caller.ts';
import { Failure } from '#common/errors.ts';
import { parseBody, readBody } from './body.ts';
import { errorReply, HttpFailure } from './errors.ts';
import { type Write, writerOf } from './json-writer.ts';
import { type RateLimiter, timeoutOf } from './limits.ts';
import { pageHeaders } from './pages.ts';
import { findRoute, type Route } from './routes.ts';
import type { Message } from './schema.ts';
import { CONTENT_TYPE, openStream, type StreamFormat, streamFormat } from './stream.ts';
import { statusOfSuccess } from './transcode.ts';
import { lastOf, progressFormat, readUpload } from './upload.ts';
import type { CallContext, Upstreams } from './upstreams.ts';

/** What the log and the metrics say of a request. */
export type Seen = {
  readonly route: string;
  readonly userId: string;
  /** Whether the rpc may change something. */
  readonly changes: boolean;
};

export type Handling = {
  readonly routes: readonly Route[];
  readonly identity: Identity;
  readonly limit: RateLimiter;
  readonly upstreams: Upstreams;
  /** Fires when the gateway goes away; its reason is the last thing that open streams say. */
  readonly draining: AbortSignal;
  /** Notes for the log and the metrics what was asked for, and by whom. */
  readonly note: (request: FastifyRequest, seen: Seen) => void;
  /** Paths that the gateway answers by itself. */
  readonly ownPaths: ReadonlySet<string>;
};

/** Answers a request for any path that is not the gateway's own. */
export async function handle(
  handling: Handling,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const [path = '', search = ''] = split(request.raw.url ?? '/');
  const found = findRoute(handling.routes, request.method, path);
  if (found.kind !== 'route') {
    const allow = handling.ownPaths.has(path)
      ? ['GET', 'HEAD', 'OPTIONS']
      : 'allow' in found
        ? found.allow
        : [];
    return refuse(request, reply, path, allow);
  }
  const { route } = found;
  const { method } = route;
  const caller = await admit(handling, request, reply, route);
  const timeoutMs = timeoutOf(method, single(request.headers['grpc-timeout']));
  const leaving = whenClientLeaves(reply);
  const context: CallContext = {
    token: caller.token,
    requestId: request.id,
    clientIp: request.ip.replace(/^::ffff:/, ''),
    signal: leaving.signal,
    timeoutMs,
  };
  if (method.isClientStream)
    return receive(handling, { request, reply, target: { ...found, search }, context, leaving });
  const message = await readRequest(request, { ...found, search });
  if (method.isServerStream) {
    const messages = handling.upstreams.stream(method, message, context);
    const { write } = route.transcoder;
    const format = streamFormat(request.headers.accept);
    return sendStream(handling, { request, reply, messages, write, format, leaving });
  }
  const response = await handling.upstreams.unary(method, message, context);
  reply.headers(pageHeaders(method, route.binding, response, request.raw.url ?? '/'));
  return sendMessage(reply, { route, status: statusOfSuccess(method, message) }, response);
}

function sendMessage(
  reply: FastifyReply,
  { route: { transcoder }, status }: { readonly route: Route; readonly status: number },
  response: Message,
): FastifyReply {
  reply.header('cache-control', 'no-store');
  reply.code(status).type('application/json; charset=utf-8');
  // The last newline keeps a terminal's prompt on a line of its own.
  return reply.send(`${JSON.stringify(transcoder.write(response))}\n`);
}

// A token that is not good is no token where none is needed: who logs in anew may still send the old one.
async function admit(
  { identity, limit, note }: Handling,
  request: FastifyRequest,
  reply: FastifyReply,
  { method, binding }: Route,
): Promise<Caller> {
  const token = bearerToken(request.headers.authorization);
  let caller = ANONYMOUS;
  let refusal: unknown;
  try {
    caller = await identity.verify(token);
  } catch (error) {
    refusal = error;
  }
  note(request, { route: binding.template, userId: caller.userId, changes: method.hasSideEffects });
  await limit(request, reply, { method, userId: caller.userId });
  if (method.access === 'ACCESS_PUBLIC') return caller;
  if (refusal) throw refusal;
  checkAccess(method.access, caller);
  return caller;
}

async function readRequest(
  { raw, headers }: FastifyRequest,
  { route, params, search }: Target,
): Promise<Message> {
  const { method, transcoder } = route;
  const bytes = await readBody(raw);
  const body = transcoder.hasBody ? parseBody(bytes, headers) : undefined;
  if (!transcoder.hasBody && bytes.length > 0 && bytes.toString().trim() !== '{}') throw noBody(method.name);
  const query = new URLSearchParams(search);
  const lastEventId = single(headers['last-event-id']);
  // EventSource comes back to the same address, so what it heard last counts and not what it began with.
  if (method.isServerStream && lastEventId && method.requestType.fields.after)
    query.set('after', lastEventId);
  return transcoder.read({ params, query, body });
}

type Target = { route: Route; params: Readonly<Record<string, string>>; search: string };

/** An upload: its result is the answer, or all its messages for a client that wants the progress. */
async function receive(
  handling: Handling,
  options: {
    request: FastifyRequest;
    reply: FastifyReply;
    target: Target;
    context: CallContext;
    leaving: AbortController;
  },
): Promise<FastifyReply> {
  const { request, reply, target, context, leaving } = options;
  const { method } = target.route;
  const over = new AbortController();
  const requests = await readUpload(request, target, over.signal).catch((error: unknown) => {
    over.abort();
    throw error;
  });
  const messages = untilOver(handling.upstreams.duplex(method, requests, context), over);
  const format = progressFormat(request.headers.accept);
  if (format === undefined) {
    const { route } = target;
    return sendMessage(reply, { route, status: method.httpStatus }, await lastOf(messages));
  }
  const write = writerOf(method.responseType);
  return sendStream(handling, { request, reply, messages, write, format, leaving });
}

async function* untilOver(messages: AsyncIterable<Message>, over: AbortController): AsyncGenerator<Message> {
  try {
    yield* messages;
  } finally {
    over.abort();
  }
}

async function sendStream(
  { draining }: Handling,
  options: {
    request: FastifyRequest;
    reply: FastifyReply;
    messages: AsyncIterable<Message>;
    write: Write;
    format: StreamFormat;
    leaving: AbortController;
  },
): Promise<FastifyReply> {
  const { request, reply, messages, write, format, leaving } = options;
  reply.header('cache-control', 'no-store');
  // Proxies that gather an answer before they pass it on are asked not to.
  reply.code(200).type(CONTENT_TYPE[format]).header('x-accel-buffering', 'no');
  if (request.method === 'HEAD') return reply.send();
  const stop = () => leaving.abort(draining.reason);
  draining.addEventListener('abort', stop, { once: true });
  if (draining.aborted) stop();
  try {
    const body = await openStream({
      messages,
      write,
      format,
      describe: (error) => errorReply(draining.aborted ? draining.reason : error, request.id).body,
      begin: () => reply.raw.flushHeaders(),
    });
    body.once('close', () => {
      draining.removeEventListener('abort', stop);
      leaving.abort();
    });
    return reply.send(body);
  } catch (error) {
    draining.removeEventListener('abort', stop);
    leaving.abort();
    throw error;
  }
}

function refuse(
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
  allow: readonly string[],
): FastifyReply {
  if (allow.length > 0) reply.header('allow', allow.join(', '));
  if (request.method === 'OPTIONS' && allow.length > 0) return reply.code(204).send();
  if (allow.length > 0)
    throw new HttpFailure(405, {
      code: 'UNIMPLEMENTED',
      reason: 'METHOD_NOT_ALLOWED',
      message: `Method not supported: ${request.method} ${path}; allowed here: ${allow.join(', ')}`,
    });
  throw new Failure({
    code: 'NOT_FOUND',
    reason: 'ROUTE_NOT_FOUND',
    message: `Not found: there is no ${request.method} ${path.slice(0, 200)}; /docs lists what there is`,
  });
}

function whenClientLeaves(reply: FastifyReply): AbortController {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller;
}

function noBody(name: string): Failure {
  return new Failure({
    code: 'INVALID_ARGUMENT',
    reason: 'UNEXPECTED_BODY',
    message: `${name} takes no body`,
  });
}

function split(url: string): [string, string] {
  const mark = url.indexOf('?');
  return mark === -1 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
