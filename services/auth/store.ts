// What auth keeps: accounts, wrong guesses, revocations and the audit trail. Rules about names and passwords lie in
// users.ts; what the first accounts are, in first-accounts.ts and its own queries in first-accounts-store.ts.

import type { CallerRole } from '#common/caller.ts';
import type { Knex } from '#common/database.ts';
import { Failure, notFound } from '#common/errors.ts';
import type { ListRevocationsResponse } from '#proto/pucp/auth/v1/auth_service.ts';
import type { User } from '#proto/pucp/auth/v1/user.ts';
import { protoRole } from './users.ts';

/** Wrong passwords after which a name is locked. */
export const MAX_WRONG = 5;
/** How long it stays locked, and how long a wrong password counts. */
export const LOCK_MS = 15 * 60_000;
/** No token lives longer than TOKEN_EXPIRATION_HOURS may be, so no revocation has to. */
const LONGEST_TOKEN_S = 30 * 24 * 3600;

/** Where a request came from, for the audit trail. */
export type Origin = { readonly clientIp: string; readonly requestId: string };

/** How a password is checked and what is given for a right one. Both run while the name is held. */
export type Check = {
  /** `rehashed` replaces the stored hash. */
  verify(passwordHash: string | undefined): Promise<{ right: boolean; rehashed?: string | undefined }>;
  /** Makes the token; its `iat` must be at least `notBeforeS`, or the user's last revocation voids it. */
  issue(user: User, notBeforeS: number): Promise<string>;
};

export type Guess =
  | { readonly outcome: 'right'; readonly user: User; readonly token: string }
  | { readonly outcome: 'wrong' }
  | { readonly outcome: 'locked'; readonly forS: number };

export type NewUser = {
  readonly username: string;
  readonly email: string;
  readonly passwordHash: string;
  readonly role: CallerRole;
};

export type Change = {
  readonly id: string;
  readonly role: CallerRole | undefined;
  readonly isActive: boolean | undefined;
  /** The admin who changes it. */
  readonly by: string;
  /** Whether the mesh runs on the sandbox: a role given there ends there. */
  readonly isDemo: boolean;
};

export type Store = ReturnType<typeof createStore>;

export type UserRow = {
  id: string;
  username: string;
  email: string | null;
  password_hash: string | null;
  role: CallerRole;
  role_before_demo: CallerRole | null;
  is_demo: boolean;
  is_active: boolean;
  last_login: Date | null;
  created_at: Date;
};

export function createStore(knex: Knex, now: () => number) {
  return {
    async ping(): Promise<void> {
      await knex.raw('select 1');
    },

    /** Seconds for which a name is locked: 0 if it is not. */
    async lockedForS(username: string): Promise<number> {
      const line = await knex('wrong_guesses').where({ username }).first<WrongRow | undefined>();
      return line ? lockLeftS(line, now()) : 0;
    },

    /**
     * Checks one password for a name. While it runs no other replica checks one for that name, so that five wrong ones
     * are five however many are sent at once; a lock and a count belong to the name, whether anyone has it or not.
     */
    guess: (username: string, check: Check, origin: Origin): Promise<Guess> =>
      knex.transaction(async (tx) => {
        const line = await holdName(tx, username, now());
        const leftS = lockLeftS(line, now());
        if (leftS > 0) return { outcome: 'locked', forS: leftS };
        const row = await tx<UserRow>('users').where({ username }).first();
        const { right, rehashed } = await check.verify(row?.password_hash ?? undefined);
        const entered = row && right ? await enter(tx, row.id, rehashed) : undefined;
        if (!entered) {
          const wrong = (line.expires_at.getTime() > now() ? line.wrong : 0) + 1;
          const expiresAt = new Date(now() + LOCK_MS);
          await tx('wrong_guesses').where({ username }).update({ wrong, expires_at: expiresAt });
          const details = wrong >= MAX_WRONG ? { wrong, locked: true } : { wrong };
          await audit(tx, origin, { userId: row?.id, action: 'login_failed', details });
          return { outcome: 'wrong' };
        }
        const user = toUser(entered);
        const token = await check.issue(user, await issuedBefore(tx, user.id));
        await tx('wrong_guesses').where({ username }).delete();
        await audit(tx, origin, { userId: user.id, action: 'login' });
        return { outcome: 'right', user, token };
      }),

    /** Writes down that a locked name was tried. */
    async auditLocked(username: string, origin: Origin): Promise<void> {
      const row = await knex<UserRow>('users').where({ username }).first('id');
      await audit(knex, origin, { userId: row?.id, action: 'login_locked' });
    },

    /** Whether a name or an e-mail address belongs to an account. */
    async isTaken({ username, email }: { username: string; email: string }): Promise<boolean> {
      const found = await knex('users')
        .where({ username })
        .orWhereRaw('lower(email) = lower(?)', [email])
        .first('id');
      return found !== undefined;
    },

    /** Makes an account. Throws ALREADY_EXISTS if its name or e-mail address is taken. */
    async createUser(user: NewUser, origin: Origin): Promise<User> {
      const { username, email, passwordHash, role } = user;
      const made = { username, email, password_hash: passwordHash, role, created_at: new Date(now()) };
      return knex.transaction(async (tx) => {
        const [row] = await tx<UserRow>('users').insert(made).onConflict().ignore().returning('*');
        if (!row) throw userExists();
        await audit(tx, origin, { userId: row.id, action: 'register' });
        return toUser(row);
      });
    },

    /** Accounts with ids after `after`, oldest first. */
    async listUsers({ after, limit }: { after: string; limit: number }): Promise<User[]> {
      const rows = await knex<UserRow>('users').where('id', '>', after).orderBy('id').limit(limit);
      return rows.map(toUser);
    },

    /**
     * Changes a role or switches an account on or off; if anything changes, tokens issued before are void. Switching on
     * also ends a lock. Throws NOT_FOUND, or FAILED_PRECONDITION if no active admin would be left.
     */
    updateUser: (change: Change, origin: Origin): Promise<User> =>
      knex.transaction(async (tx) => {
        // Names are held before accounts, as a login does: in the other order the two could wait for each other.
        if (change.isActive) await unlock(tx, change.id);
        // The admins are held with the user, so that two admins cannot demote each other at once.
        const rows = await tx<UserRow>('users')
          .where({ id: change.id })
          .orWhere(whereAdmin)
          .orderBy('id')
          .forNoKeyUpdate();
        const before = rows.find(({ id }) => id === change.id);
        if (!before) throw notFound('user', change.id);
        const role = change.role ?? before.role;
        const isActive = change.isActive ?? before.is_active;
        if (role === before.role && isActive === before.is_active) return toUser(before);
        const staysAdmin = role === 'admin' && isActive;
        const others = rows.filter((row) => isAdmin(row) && row.id !== change.id);
        if (isAdmin(before) && !staysAdmin && others.length === 0) throw lastAdmin(before.username);
        const set = { role, is_active: isActive, role_before_demo: roleBeforeDemo(before, change) };
        const [after] = await tx<UserRow>('users').where({ id: change.id }).update(set).returning('*');
        await revokeUser(tx, change.id, now());
        const details = { user_id: change.id, from: changeable(before), to: { role, is_active: isActive } };
        await audit(tx, origin, { userId: change.by, action: 'user_updated', details });
        return toUser(after ?? before);
      }),

    /** Voids one token until it would have expired anyway; twice is no error. */
    async revokeToken(
      token: { id: string; expiresAtS: number; userId: string },
      origin: Origin,
    ): Promise<void> {
      await knex.transaction(async (tx) => {
        const row = { token_id: token.id, expires_at: new Date(token.expiresAtS * 1000) };
        await tx('revoked_tokens').insert(row).onConflict('token_id').ignore();
        await audit(tx, origin, { userId: token.userId, action: 'logout' });
      });
    },

    /** Everything revoked that may not have expired by itself. */
    async listRevocations(): Promise<ListRevocationsResponse> {
      const at = now();
      const tokens = await knex('revoked_tokens').where('expires_at', '>', new Date(at)).pluck('token_id');
      const users = await knex('user_revocations')
        .where('issued_before', '>', Math.floor(at / 1000) - LONGEST_TOKEN_S)
        .select<{ user_id: string; issued_before: number }[]>('user_id', 'issued_before');
      return {
        tokenIds: tokens,
        users: users.map((row) => ({ userId: row.user_id, issuedBefore: row.issued_before })),
      };
    },

    /** Forgets what has no effect any more. */
    async purge(): Promise<void> {
      const at = new Date(now());
      await knex('wrong_guesses').where('expires_at', '<', at).delete();
      await knex('revoked_tokens').where('expires_at', '<', at).delete();
    },
  };

  // A user who was changed since is read anew, and waits with the next change until the token is made.
  async function enter(tx: Knex, id: string, rehashed: string | undefined): Promise<UserRow | undefined> {
    const set = { last_login: new Date(now()), ...(rehashed ? { password_hash: rehashed } : {}) };
    const [row] = await tx<UserRow>('users').where({ id, is_active: true }).update(set).returning('*');
    return row;
  }

  async function audit(tx: Knex, origin: Origin, entry: AuditEntry): Promise<void> {
    await tx('audit_log').insert({
      user_id: entry.userId ?? null,
      action: entry.action,
      details: JSON.stringify(entry.details ?? {}),
      ip_address: origin.clientIp,
      request_id: origin.requestId,
      timestamp: new Date(now()),
    });
  }
}

type WrongRow = { wrong: number; expires_at: Date };

/** What happened: never a password, a token or a name that nobody has (people type passwords into that field). */
type AuditEntry = {
  readonly userId?: string | undefined;
  readonly action: 'login' | 'login_failed' | 'login_locked' | 'register' | 'logout' | 'user_updated';
  readonly details?: Readonly<Record<string, unknown>>;
};

/** Voids every token of a user that was issued up to now, the running second included. */
export async function revokeUser(tx: Knex, userId: string, nowMs: number): Promise<void> {
  const row = { user_id: userId, issued_before: Math.floor(nowMs / 1000) + 1 };
  await tx('user_revocations').insert(row).onConflict('user_id').merge();
}

/** An admin who can sign in. */
export function whereAdmin(query: Knex.QueryBuilder): void {
  query.where({ role: 'admin', is_active: true }).whereNotNull('password_hash');
}

// The first change on the sandbox remembers the role; one elsewhere has nothing to remember.
function roleBeforeDemo(before: UserRow, { role, isDemo }: Change): CallerRole | null {
  if (role === undefined) return before.role_before_demo;
  return isDemo ? (before.role_before_demo ?? before.role) : null;
}

function isAdmin(row: UserRow): boolean {
  return row.role === 'admin' && row.is_active && row.password_hash !== null;
}

// Makes the name's line if there is none and holds it until the transaction ends.
async function holdName(tx: Knex, username: string, nowMs: number): Promise<WrongRow> {
  const { rows } = await tx.raw<{ rows: WrongRow[] }>(
    `insert into wrong_guesses (username, wrong, expires_at) values (?, 0, ?)
     on conflict (username) do update set username = excluded.username
     returning wrong, expires_at`,
    [username, new Date(nowMs)],
  );
  return rows[0] ?? { wrong: 0, expires_at: new Date(nowMs) };
}

async function unlock(tx: Knex, userId: string): Promise<void> {
  const name = tx('users').where({ id: userId }).select('username');
  await tx('wrong_guesses').whereIn('username', name).delete();
}

function lockLeftS({ wrong, expires_at }: WrongRow, nowMs: number): number {
  return wrong < MAX_WRONG ? 0 : Math.max(0, Math.ceil((expires_at.getTime() - nowMs) / 1000));
}

async function issuedBefore(tx: Knex, userId: string): Promise<number> {
  const row = await tx('user_revocations').where({ user_id: userId }).first('issued_before');
  return row?.issued_before ?? 0;
}

function toUser(row: UserRow): User {
  return {
    id: row.id,
    username: row.username,
    email: row.email ?? '',
    role: protoRole(row.role),
    isActive: row.is_active,
    lastLogin: row.last_login?.toISOString(),
    createdAt: row.created_at.toISOString(),
  };
}

function changeable({ role, is_active }: UserRow): Pick<UserRow, 'role' | 'is_active'> {
  return { role, is_active };
}

/** The answer to a registration with a name or an address that someone has. */
export function userExists(): Failure {
  return new Failure({
    code: 'ALREADY_EXISTS',
    reason: 'USER_EXISTS',
    message: 'Username or email already exists',
  });
}

function lastAdmin(username: string): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'LAST_ADMIN',
    message: `"${username}" is the last active admin; make someone else admin first`,
  });
}
