// The revocations that auth itself goes by: its own at once, another replica's within a second. Other processes follow
// auth through common/revocations.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '#common/caller.ts';
import type { Log } from '#common/log.ts';
import { EVERY_MS, NOTHING_REVOKED, type Revoked, revokedBy } from '#common/revocations.ts';
import type { Store } from './store.ts';

const PURGE_EVERY_MS = 600_000;

export type OwnRevocations = {
  isRevoked(caller: Caller): boolean;
  /** Reads what is revoked now; call it after revoking something. */
  reload(): Promise<void>;
  close(): void;
};

/** Starts following the store; `close` ends it. */
export function watchOwnRevocations(store: Store, log: Log): OwnRevocations {
  let revoked: Revoked = NOTHING_REVOKED;
  let started = 0;
  let applied = 0;
  let purgedAt = Date.now();
  const stop = new AbortController();

  const reload = async () => {
    const mine = ++started;
    const answer = await store.listRevocations();
    // A slow answer must not undo a newer one.
    if (mine < applied) return;
    applied = mine;
    revoked = revokedBy(answer);
  };
  const follow = async () => {
    while (!stop.signal.aborted) {
      try {
        await reload();
        if (Date.now() - purgedAt > PURGE_EVERY_MS) {
          purgedAt = Date.now();
          await store.purge();
        }
      } catch (cause) {
        if (!stop.signal.aborted) log.warn({ cause }, 'revocations could not be read');
      }
      await sleep(EVERY_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  };
  void follow();
  return { isRevoked: (caller) => revoked(caller), reload, close: () => stop.abort() };
}
