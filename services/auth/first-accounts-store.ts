// The queries behind first-accounts.ts: accounts that exist without anyone having registered.

import type { CallerRole } from '#common/caller.ts';
import type { Knex } from '#common/database.ts';
import { revokeUser, type UserRow, whereAdmin } from './store.ts';

export type FirstAccountsStore = ReturnType<typeof createFirstAccountsStore>;

export type DemoUser = {
  readonly username: string;
  readonly role: CallerRole;
  readonly passwordHash: string;
};

export function createFirstAccountsStore(knex: Knex, now: () => number) {
  return {
    /** Of these names, those without a working demo account; a name that someone else's account has is not among them. */
    async missingDemoUsers(usernames: readonly string[]): Promise<string[]> {
      const there = await knex('users')
        .whereIn('username', [...usernames])
        .where((query) => query.where({ is_demo: false }).orWhereNotNull('password_hash'))
        .pluck('username');
      return usernames.filter((name) => !there.includes(name));
    },

    /** Makes a demo account, or gives one that was switched off its password back. Leaves other accounts alone. */
    async ensureDemoUser({ username, role, passwordHash }: DemoUser): Promise<void> {
      await knex.raw(
        `insert into users (username, role, password_hash, is_demo, created_at) values (?, ?, ?, true, ?)
         on conflict (username) do update
         set password_hash = excluded.password_hash, role = excluded.role, is_active = true
         where users.is_demo and users.password_hash is null`,
        [username, role, passwordHash, new Date(now())],
      );
    },

    /**
     * Takes the demo accounts their passwords, and undoes every change of a role that was made while these worked:
     * whoever read the manual could make it. Tokens of both are void. Returns their names.
     */
    endDemo: (): Promise<{ closed: string[]; restored: string[] }> =>
      knex.transaction(async (tx) => {
        const closed = await tx<UserRow>('users')
          .where({ is_demo: true })
          .where((query) => query.where({ is_active: true }).orWhereNotNull('password_hash'))
          .update({ is_active: false, password_hash: null })
          .returning(['id', 'username']);
        const restored = await tx<UserRow>('users')
          .where({ is_demo: false })
          .whereNotNull('role_before_demo')
          .update({ role: tx.raw('role_before_demo'), role_before_demo: null })
          .returning(['id', 'username']);
        for (const { id } of [...closed, ...restored]) await revokeUser(tx, id, now());
        return {
          closed: closed.map(({ username }) => username),
          restored: restored.map(({ username }) => username),
        };
      }),

    /** Whether someone can sign in as an admin. */
    async hasAdmin(): Promise<boolean> {
      return (await knex('users').where(whereAdmin).first('id')) !== undefined;
    },

    /**
     * Makes `username` an admin with this password unless there is an admin; an account of that name, such as the closed
     * demo one, is taken over. `announce` runs before the account counts, and only in the replica that makes it.
     */
    ensureAdmin: (username: string, passwordHash: string, announce: () => void): Promise<boolean> =>
      knex.transaction(async (tx) => {
        await tx.raw('lock table users in share row exclusive mode');
        if (await tx('users').where(whereAdmin).first('id')) return false;
        const account = {
          role: 'admin',
          password_hash: passwordHash,
          is_active: true,
          is_demo: false,
        } as const;
        const [row] = await tx<UserRow>('users')
          .insert({ username, ...account, created_at: new Date(now()) })
          .onConflict('username')
          .merge(account)
          .returning('id');
        if (row) await revokeUser(tx, row.id, now());
        await tx('wrong_guesses').where({ username }).delete();
        announce();
        return true;
      }),
  };
}
