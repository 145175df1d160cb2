// The HTTP server: Fastify with its plugins, the gateway's own paths, errors in the one shape, the access log and
// metrics. What happens to a request for an rpc lies in handle.ts.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Log } from '#common/log.ts';
import type { Metrics } from '#common/metrics.ts';
import { letBodyEnd } from './body.ts';
import { answerBrokenHttp } from './broken-http.ts';
import type { GatewayConfig } from './config.ts';
import { serveDocs } from './docs.ts';
import { errorReply, errorReport } from './errors.ts';
import { type Handling, handle, type Seen } from './handle.ts';
import type { Answer, Health } from './health.ts';
import { createRateLimiter } from './limits.ts';
import type { OpenApiDocument } from './openapi.ts';

export type ServerOptions = {
  readonly config: GatewayConfig;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly document: OpenApiDocument;
  readonly handling: Pick<Handling, 'routes' | 'identity' | 'upstreams' | 'draining'>;
};

const OWN_PATHS = new Set(['/health', '/health/openstack', '/ready', '/metrics', '/openapi.json', '/docs']);
const EXPOSED_HEADERS = [
  'X-Request-ID',
  'X-Next-Page-Token',
  'Link',
  'Retry-After',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
];
// A whole request must have come by then, the longest upload included; other bodies have a minute: see body.ts.
const REQUEST_MS = 6 * 3_600_000;

/** Ready to listen. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { config, log, metrics, health, document } = options;
  const seen = new WeakMap<FastifyRequest, Seen>();
  const answerError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const report = errorReport(error);
    const fields = { request_id: request.id, route: seen.get(request)?.route, ...report?.fields };
    if (report) log[report.level](fields, 'request failed');
    const { status, headers, body } = errorReply(error, request.id);
    letBodyEnd(request.raw, reply.raw);
    return reply
      .code(status)
      .headers({ 'x-request-id': request.id, 'cache-control': 'no-store', ...headers })
      .type('application/json; charset=utf-8')
      .send(`${JSON.stringify(body)}\n`);
  };
  const app = fastify({
    logger: false,
    genReqId: (request) => requestId(request),
    trustProxy: config.trustedProxies.length > 0 ? [...config.trustedProxies] : false,
    forceCloseConnections: 'idle',
    requestTimeout: REQUEST_MS,
    clientErrorHandler: answerBrokenHttp,
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
  });

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  await app.register(cors, {
    origin: (origin, done) => done(null, origin !== undefined && isAllowedOrigin(config, origin)),
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: 600,
    strictPreflight: false,
  });
  await app.register(helmet, {
    // TLS ends in front of the gateway; whoever ends it decides whether plain HTTP is over for good.
    strictTransportSecurity: false,
    contentSecurityPolicy: {
      directives: {
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        // Over plain HTTP it would send Swagger UI's own files to a port that speaks no TLS.
        upgradeInsecureRequests: null,
      },
    },
  });
  await app.register(rateLimit, { global: false });

  ownRoute(app, '/health', async () => health.alive());
  ownRoute(app, '/ready', async () => health.ready());
  ownRoute(app, '/health/openstack', async () => health.openstack());
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  await serveDocs(app, document);

  const handling: Handling = {
    ...options.handling,
    limit: createRateLimiter(app, config),
    note: (request, what) => void seen.set(request, what),
    ownPaths: OWN_PATHS,
  };
  const answer = (request: FastifyRequest, reply: FastifyReply) => handle(handling, request, reply);
  // Bodies are read by handle.ts, after the token.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: '/*',
    exposeHeadRoute: false,
    handler: answer,
  });
  app.setNotFoundHandler(answer);
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));

  const seconds = metrics.histogram('http_server_seconds', 'Time to answer a request', [
    'route',
    'method',
    'status',
  ]);
  app.addHook('onResponse', async (request, reply) => {
    const unseen: Seen = { route: request.routeOptions.url ?? 'none', userId: '', changes: false };
    const { route, userId, changes } = seen.get(request) ?? unseen;
    const { method } = request;
    const status = reply.statusCode;
    seconds.observe({ route, method, status }, reply.elapsedTime / 1000);
    const ms = Math.round(reply.elapsedTime);
    const fields = { request_id: request.id, method, route, status, ms, user_id: userId };
    log[changes && status < 400 ? 'info' : 'debug'](fields, 'request answered');
  });
  return app;
}

function ownRoute(app: FastifyInstance, url: string, answer: () => Promise<Answer>): void {
  app.get(url, async (_request, reply) => {
    const { status, body } = await answer();
    reply.header('cache-control', 'no-store');
    return reply.code(status).send(body);
  });
}

// What a client sends is repeated in headers and logs, so it must be of a plain form.
function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
}

function isAllowedOrigin({ corsOrigins, allowsLocalOrigins }: GatewayConfig, origin: string): boolean {
  if (corsOrigins.includes(origin) || corsOrigins.includes('*')) return true;
  if (!allowsLocalOrigins || !URL.canParse(origin)) return false;
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(origin).hostname);
}
