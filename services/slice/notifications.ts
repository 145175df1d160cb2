// Told at once, in every process, that a slice changed: PostgreSQL's LISTEN on a connection of its own. A notification
// that is lost costs patience and nothing else, since everyone is woken now and then anyway and looks for themselves.

import pg from 'pg';
import type { Secret } from '#common/config.ts';
import type { Log } from '#common/log.ts';
import { backoffMs, wait } from '#common/time.ts';

export type Subscription = {
  /** Resolves once the key may have changed since the last time this resolved, or when the signal fires. */
  changed(signal: AbortSignal): Promise<void>;
  close(): void;
};

export type Notifications = { subscribe(key: string): Subscription; close(): Promise<void> };

export type NotificationOptions = {
  readonly url: Secret;
  readonly channel: string;
  readonly log: Log;
  /** How often everyone is woken without being told. */
  readonly backstopMs?: number;
};

type Subscriber = { readonly key: string; wake(): void };

/** Starts listening and, until closed, comes back whenever the connection is lost. */
export function listen(options: NotificationOptions): Notifications {
  const { url, channel, log, backstopMs = 2_000 } = options;
  const subscribers = new Set<Subscriber>();
  const stop = new AbortController();
  const wake = (key?: string) => {
    for (const one of subscribers) if (key === undefined || one.key === key) one.wake();
  };

  const session = async () => {
    const client = new pg.Client({ connectionString: url.reveal(), application_name: 'pucp-slice-listen' });
    const ended = new Promise<void>((done) => {
      client.on('end', () => done());
      client.on('error', () => done());
      stop.signal.addEventListener('abort', () => done(), { once: true });
    });
    client.on('notification', (message) => wake(message.payload));
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
      wake();
      await ended;
    } finally {
      await client.end().catch(() => {});
    }
  };
  const run = async () => {
    for (let failures = 0; !stop.signal.aborted; failures += 1) {
      const startedAt = Date.now();
      await session().catch((cause) => log.warn({ cause }, 'notifications are interrupted'));
      if (Date.now() - startedAt > 10_000) failures = 0;
      await wait(backoffMs(failures, { baseMs: 100, maxMs: 5_000 }), stop.signal).catch(() => {});
    }
  };
  const running = run();
  const backstop = setInterval(wake, backstopMs);

  return {
    subscribe(key) {
      let isDirty = false;
      let resolve: (() => void) | undefined;
      const subscriber = {
        key,
        wake() {
          isDirty = true;
          resolve?.();
        },
      };
      subscribers.add(subscriber);
      return {
        async changed(signal) {
          if (!isDirty && !signal.aborted) {
            await new Promise<void>((done) => {
              resolve = done;
              signal.addEventListener('abort', subscriber.wake, { once: true });
            });
            signal.removeEventListener('abort', subscriber.wake);
          }
          resolve = undefined;
          isDirty = false;
        },
        close: () => void subscribers.delete(subscriber),
      };
    },
    async close() {
      clearInterval(backstop);
      stop.abort();
      await running;
    },
  };
}
