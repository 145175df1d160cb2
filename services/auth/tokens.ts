// Tokens for people who signed in. Signing and checking are common/caller.ts's.

import { decodeJwt } from 'jose';
import type { Caller, CallerRole, Identity } from '#common/caller.ts';
import { wait } from '#common/time.ts';

export type TokenUser = { readonly id: string; readonly username: string; readonly role: CallerRole };

export type IssueOptions = {
  readonly identity: Identity;
  readonly ttlS: number;
  /** Unix seconds: tokens of this user that were issued before are void. */
  readonly notBeforeS: number;
  readonly now: () => number;
};

/** A timer may ring a little before the wall clock has come as far. */
const EARLY_TIMER_MS = 10;

/**
 * Makes a token with an id of its own (`jti`). `iat` counts whole seconds, and a change of the account voids the second
 * it happened in: a login within that second waits for the next.
 */
export async function issueToken(user: TokenUser, options: IssueOptions): Promise<string> {
  const { identity, ttlS, notBeforeS, now } = options;
  const earlyMs = notBeforeS * 1000 - now();
  if (earlyMs > 0) await wait(Math.min(earlyMs, 1_000) + EARLY_TIMER_MS);
  return identity.sign({ userId: user.id, username: user.username, role: user.role }, { ttlS });
}

/** Unix seconds at which a token, which was checked before, expires. */
export function expiryOf(caller: Caller): number {
  return decodeJwt(caller.token).exp ?? caller.issuedAtS;
}
