// Tokens that end before they expire: every process asks auth once a second what was revoked. While auth is away the
// last answer holds; a process that never had one accepts every token that is well signed and not expired.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AuthServiceServer,
  AuthServiceService,
  type ListRevocationsResponse,
} from '#proto/pucp/auth/v1/auth_service.ts';
import type { Caller, Identity } from './caller.ts';
import type { Log } from './log.ts';
import { connect } from './rpc-client.ts';

export const EVERY_MS = 1_000;
const TIMEOUT_MS = 5_000;
const TOKEN_TTL_S = 60;

/** Whether a caller's token was revoked, as of one answer. */
export type Revoked = (caller: Caller) => boolean;

export const NOTHING_REVOKED: Revoked = () => false;

/** Makes an answer of auth quick to ask: a token by its id, or every token of a user issued before a time. */
export function revokedBy(answer: ListRevocationsResponse): Revoked {
  const tokenIds = new Set(answer.tokenIds);
  const issuedBefore = new Map(answer.users.map((user) => [user.userId, user.issuedBefore]));
  return (caller) =>
    tokenIds.has(caller.tokenId) || caller.issuedAtS < (issuedBefore.get(caller.userId) ?? 0);
}

export type RevocationsOptions = {
  readonly authUrl: string;
  /** Signs the token to ask with. */
  readonly identity: Pick<Identity, 'sign'>;
  readonly log: Log;
  /** Milliseconds between two questions; a second if not set. */
  readonly everyMs?: number;
};

export type Revocations = {
  isRevoked(caller: Caller): boolean;
  /** Stops asking. */
  close(): void;
};

/** Starts asking auth at once and goes on until closed. Never throws: trouble is logged once per outage. */
export function followRevocations(options: RevocationsOptions): Revocations {
  const { authUrl, identity, log, everyMs = EVERY_MS } = options;
  const auth = connect<AuthServiceServer>(AuthServiceService, authUrl);
  const stop = new AbortController();
  let revoked = NOTHING_REVOKED;
  let isAway = false;
  let token = '';
  let tokenEndsAt = 0;

  const ask = async () => {
    if (Date.now() > tokenEndsAt - (TOKEN_TTL_S * 1000) / 2) {
      const user = { userId: '0', username: 'revocations', role: 'guest' } as const;
      token = await identity.sign(user, { ttlS: TOKEN_TTL_S, actor: 'revocations' });
      tokenEndsAt = Date.now() + TOKEN_TTL_S * 1000;
    }
    const answer = await auth.listRevocations({}, { token, signal: stop.signal, timeoutMs: TIMEOUT_MS });
    revoked = revokedBy(answer);
    if (isAway) log.info({}, 'revocations are followed again');
    isAway = false;
  };
  const follow = async () => {
    while (!stop.signal.aborted) {
      await ask().catch((cause) => {
        if (!isAway && !stop.signal.aborted)
          log.warn({ cause }, 'revocations cannot be read; the last ones hold');
        isAway = true;
      });
      await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => {});
    }
  };
  void follow();
  return {
    isRevoked: (caller) => revoked(caller),
    close() {
      stop.abort();
      auth.close();
    },
  };
}
