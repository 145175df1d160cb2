// A session by itself, on a fake cloud, with a clock to turn.

import { silentLog } from '#common/log.ts';
import { createSession, type Session } from '../session.ts';
import type { CloudSettings } from '../settings.ts';
import { createWire } from '../wire.ts';
import type { FakeCloud } from './fake-cloud.ts';

export function openSession(
  fake: FakeCloud,
  clock: { now: number },
  auth: CloudSettings['auth'] = {
    type: 'password',
    username: 'admin',
    password: 'x',
    userDomainName: 'Default',
  },
): Disposable & { readonly session: Session } {
  const settings = {
    authUrl: `${fake.url}/identity`,
    auth,
    interface: 'public',
    connectTimeoutMs: 1_000,
    requestTimeoutMs: 5_000,
    maxConnections: 2,
  } as const;
  const wire = createWire(settings, { log: silentLog });
  const closed = new AbortController().signal;
  const session = createSession({ settings, scope: 'home', wire, closed, now: () => clock.now });
  return { session, [Symbol.dispose]: wire.close };
}
