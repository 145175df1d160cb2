// Who can sign in before anyone has registered: two demo accounts with published passwords while the mesh runs on the
// sandbox, and one admin otherwise.

import type { Secret } from '#common/config.ts';
import type { Log } from '#common/log.ts';
import type { FirstAccountsStore } from './first-accounts-store.ts';
import { hashPassword, randomPassword } from './passwords.ts';

export const DEMO_USERS = [
  { username: 'admin', password: 'admin123', role: 'admin' },
  { username: 'testuser', password: 'testpass123', role: 'student' },
] as const;

const FIRST_ADMIN = 'admin';

export type FirstAccountsOptions = {
  readonly store: FirstAccountsStore;
  /** Whether the mesh runs on the sandbox. */
  readonly isDemo: boolean;
  /** The first admin's password; a random one is printed if not set. */
  readonly adminPassword: Secret | undefined;
  /** Writes a line where the operator looks; not to the log, which keeps no passwords. */
  readonly print: (line: string) => void;
  readonly log: Log;
};

/**
 * Brings the accounts in line with where the mesh runs; every start does it. Leaving the sandbox closes the demo
 * accounts for good: their passwords and tokens end, and so do roles that were given while they worked.
 */
export async function prepareFirstAccounts(options: FirstAccountsOptions): Promise<void> {
  if (options.isDemo) await openDemo(options);
  else await openForReal(options);
}

async function openDemo({ store, adminPassword, log }: FirstAccountsOptions): Promise<void> {
  const missing = await store.missingDemoUsers(DEMO_USERS.map(({ username }) => username));
  for (const { username, password, role } of DEMO_USERS) {
    if (!missing.includes(username)) continue;
    await store.ensureDemoUser({ username, role, passwordHash: await hashPassword(password) });
    log.info({ username }, 'demo account opened');
  }
  if (adminPassword) log.warn({}, 'ADMIN_PASSWORD is not used while the mesh runs on the sandbox');
}

async function openForReal({ store, adminPassword, print, log }: FirstAccountsOptions): Promise<void> {
  const { closed, restored } = await store.endDemo();
  if (closed.length > 0) log.info({ usernames: closed }, 'demo accounts closed');
  if (restored.length > 0) log.warn({ usernames: restored }, 'roles given on the sandbox ended');
  if (await store.hasAdmin()) return;
  const password = adminPassword?.reveal() ?? randomPassword();
  const announce = () => {
    if (adminPassword) return;
    print(`The first admin is "${FIRST_ADMIN}" with the password ${password} (shown only now: keep it)`);
  };
  const made = await store.ensureAdmin(FIRST_ADMIN, await hashPassword(password), announce);
  const source = adminPassword ? 'ADMIN_PASSWORD' : 'printed on stdout';
  if (made) log.info({ username: FIRST_ADMIN, source }, 'first admin made');
}
