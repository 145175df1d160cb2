// Who is calling: signing and checking tokens (HS256, RFC 7519, with the checks of RFC 8725), and who may call what.

import { randomUUID } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Access } from '#proto/pucp/api/v1/options.ts';
import type { Secret } from './config.ts';
import { Failure } from './errors.ts';

export const ROLES = ['admin', 'professor', 'student', 'guest'] as const;
export type CallerRole = (typeof ROLES)[number];

export type Caller = {
  readonly userId: string;
  readonly username: string;
  readonly role: CallerRole;
  /** The service that acts for the user, if one does (claim `act`). */
  readonly actor: string | undefined;
  /** Claim `jti`. */
  readonly tokenId: string;
  /** Unix seconds, claim `iat`. */
  readonly issuedAtS: number;
  /** The bearer token itself, to pass on; never logged. */
  readonly token: string;
};

export type User = Pick<Caller, 'userId' | 'username' | 'role'>;

export type Identity = {
  /** A token for `user`, valid `ttlS` seconds; with `actor`, one for a service's work on the user's behalf. */
  sign(user: User, options: { ttlS: number; actor?: string }): Promise<string>;
  /** Throws UNAUTHENTICATED with reason TOKEN_MISSING, TOKEN_EXPIRED, TOKEN_REVOKED or TOKEN_INVALID. */
  verify(token: string): Promise<Caller>;
};

const ISSUER = 'pucp-cloud-orchestrator';
const AUDIENCE = 'pucp-cloud-orchestrator';
const CLOCK_TOLERANCE_S = 5;

export function createIdentity(options: {
  readonly secret: Secret;
  readonly isRevoked?: (caller: Caller) => boolean;
}): Identity {
  const key = new TextEncoder().encode(options.secret.reveal());
  // A verification costs 20 times a look-up; entries end with their token.
  const verified = new LRUCache<string, Caller>({ max: 10_000, ttl: 60_000 });
  return {
    sign: (user, { ttlS, actor }) =>
      new SignJWT({
        user_id: user.userId,
        role: user.role,
        ...(actor === undefined ? {} : { act: { sub: actor } }),
      })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setSubject(user.username)
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setIssuedAt()
        .setJti(randomUUID())
        .setExpirationTime(Math.floor(Date.now() / 1000) + ttlS)
        .sign(key),
    async verify(token) {
      if (token === '') throw unauthenticated('TOKEN_MISSING', 'Missing or invalid authorization header');
      const caller = verified.get(token) ?? (await check(token));
      if (options.isRevoked?.(caller)) throw unauthenticated('TOKEN_REVOKED', 'Token revoked: log in again');
      return caller;
    },
  };

  async function check(token: string): Promise<Caller> {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ['HS256'],
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['sub', 'user_id', 'role', 'exp', 'iat', 'jti'],
        clockTolerance: CLOCK_TOLERANCE_S,
      });
      const caller = callerOf(payload, token);
      const leftMs = ((payload.exp ?? 0) + CLOCK_TOLERANCE_S) * 1000 - Date.now();
      verified.set(token, caller, { ttl: Math.max(1, Math.min(60_000, leftMs)) });
      return caller;
    } catch (cause) {
      if (cause instanceof errors.JWTExpired)
        throw unauthenticated('TOKEN_EXPIRED', 'Token expired: log in again');
      throw unauthenticated('TOKEN_INVALID', 'Invalid token: log in again', cause);
    }
  }
}

function callerOf(payload: Record<string, unknown>, token: string): Caller {
  const { sub, user_id: userId, role, jti, iat, act } = payload;
  const known = ROLES.find((name) => name === role);
  if (typeof sub !== 'string' || typeof userId !== 'string' || !known)
    throw new Error('claims are not of the form');
  const actor = typeof act === 'object' && act !== null && 'sub' in act ? String(act.sub) : undefined;
  return { userId, username: sub, role: known, actor, tokenId: String(jti), issuedAtS: Number(iat), token };
}

/** The caller of a public rpc who showed no token. */
export const ANONYMOUS: Caller = {
  userId: '',
  username: '',
  role: 'guest',
  actor: undefined,
  tokenId: '',
  issuedAtS: 0,
  token: '',
};

/** Throws PERMISSION_DENIED unless the rule lets this caller in. The token is checked before this. */
export function checkAccess(access: Access, caller: Caller): void {
  if (isAllowed(access, caller)) return;
  throw new Failure({
    code: 'PERMISSION_DENIED',
    reason: 'INSUFFICIENT_ROLE',
    message: `Insufficient permissions: this needs ${NEEDED[access]}, and you are signed in as ${caller.role}`,
  });
}

const NEEDED: Readonly<Record<Access, string>> = {
  ACCESS_UNSPECIFIED: 'a rule that is missing',
  ACCESS_PUBLIC: 'nothing',
  ACCESS_READ: 'a signed-in user',
  ACCESS_WRITE: 'the role student, professor or admin',
  ACCESS_ADMIN: 'the role admin',
  ACCESS_SERVICE: 'a service of the orchestrator',
};

function isAllowed(access: Access, caller: Caller): boolean {
  switch (access) {
    case 'ACCESS_PUBLIC':
      return true;
    case 'ACCESS_READ':
      return caller.userId !== '';
    case 'ACCESS_WRITE':
      return caller.userId !== '' && caller.role !== 'guest';
    case 'ACCESS_ADMIN':
      return caller.userId !== '' && caller.role === 'admin';
    case 'ACCESS_SERVICE':
      return caller.actor !== undefined;
    case 'ACCESS_UNSPECIFIED':
      return false;
  }
}

/** The token of an `Authorization: Bearer` value, or empty if it is none. */
export function bearerToken(header: string | undefined): string {
  return /^Bearer +([^ ]+) *$/i.exec(header ?? '')?.[1] ?? '';
}

function unauthenticated(reason: string, message: string, cause?: unknown): Failure {
  return new Failure({ code: 'UNAUTHENTICATED', reason, message, cause });
}
