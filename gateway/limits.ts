// How much a client may ask for: requests a minute and time for an answer. The size of bodies is in body.ts.

import type {} from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '#common/errors.ts';
import type { Method } from './schema.ts';

const MINUTE_MS = 60_000;

/** Counts a request against its caller's allowance; throws RESOURCE_EXHAUSTED when it is used up. */
export type RateLimiter = (
  request: FastifyRequest,
  reply: FastifyReply,
  caller: { readonly method: Method; readonly userId: string },
) => Promise<void>;

/**
 * One allowance for each user, or address without a token, and a smaller one by address for what anyone may call and
 * that changes something: there passwords are tried out. Each replica counts by itself.
 */
export function createRateLimiter(
  app: FastifyInstance,
  { ratePerMinute, loginRatePerMinute }: { ratePerMinute: number; loginRatePerMinute: number },
): RateLimiter {
  // The key is handed over on the request, for the plugin asks for it there.
  const keys = new WeakMap<FastifyRequest, string>();
  const limiter = (max: number) =>
    app.createRateLimit({
      max,
      timeWindow: MINUTE_MS,
      keyGenerator: (request) => keys.get(request as FastifyRequest) ?? request.ip,
    });
  const general = limiter(ratePerMinute);
  const login = limiter(loginRatePerMinute);
  return async (request, reply, { method, userId }) => {
    const isLogin = method.access === 'ACCESS_PUBLIC' && method.hasSideEffects;
    const max = isLogin ? loginRatePerMinute : ratePerMinute;
    if (max === 0) return;
    keys.set(request, userId === '' || isLogin ? `ip:${request.ip}` : `user:${userId}`);
    const result = await (isLogin ? login : general)(request);
    if (result.isAllowed) return;
    reply.header('x-ratelimit-limit', max);
    reply.header('x-ratelimit-remaining', result.remaining);
    reply.header('x-ratelimit-reset', result.ttlInSeconds);
    if (!result.isExceeded) return;
    throw new Failure({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'RATE_LIMITED',
      message: `Too many requests: ${max} a minute are allowed; try again in ${result.ttlInSeconds} s`,
      retryAfterS: result.ttlInSeconds,
      metadata: { limit: String(max) },
    });
  };
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** Rpcs that wait for a cloud to finish, by path: servers take minutes to boot. */
const LONG_TIMEOUT_MS: Readonly<Record<string, number>> = {
  '/pucp.openstack.v1.OpenstackService/DeploySlice': 600_000,
  '/pucp.openstack.v1.OpenstackService/DestroySlice': 600_000,
};

/**
 * Milliseconds that a call may take: what the header `Grpc-Timeout` asks for (`500m` is half a second), never more than
 * the rpc's own limit. Streams have none of their own.
 */
export function timeoutOf(method: Method, header: string | undefined): number | undefined {
  const limit = method.isServerStream ? undefined : (LONG_TIMEOUT_MS[method.path] ?? DEFAULT_TIMEOUT_MS);
  if (header === undefined) return limit;
  const asked = readTimeout(header);
  if (asked === undefined)
    throw new Failure({
      code: 'INVALID_ARGUMENT',
      reason: 'INVALID_TIMEOUT',
      message: 'Grpc-Timeout must be up to eight digits and a unit (H, M, S, m, u or n), such as 10S',
    });
  return limit === undefined ? asked : Math.min(asked, limit);
}

// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "TimeoutUnit".
function readTimeout(header: string): number | undefined {
  const found = /^(\d{1,8})([HMSmun])$/.exec(header.trim());
  if (!found) return undefined;
  const unitMs: Readonly<Record<string, number>> = {
    H: 3_600_000,
    M: 60_000,
    S: 1000,
    m: 1,
    u: 1e-3,
    n: 1e-6,
  };
  return Math.ceil(Number(found[1]) * (unitMs[found[2] ?? ''] ?? 1));
}
