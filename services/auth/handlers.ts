// The rpcs of AuthService. Passwords, turns, tokens and SQL are each their own file's.

import type { Identity } from '#common/caller.ts';
import { Failure, invalid, notFound } from '#common/errors.ts';
import type { Metrics } from '#common/metrics.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type {
  AuthServiceServer,
  ListUsersRequest,
  ListUsersResponse,
  LoginRequest,
  LoginResponse,
  RegisterRequest,
  RegisterResponse,
  UpdateUserRequest,
} from '#proto/pucp/auth/v1/auth_service.ts';
import { Role, type User } from '#proto/pucp/auth/v1/user.ts';
import type { OwnRevocations } from './own-revocations.ts';
import { hashPassword, needsRehash, verifyPassword } from './passwords.ts';
import { type Store, userExists } from './store.ts';
import { expiryOf, issueToken } from './tokens.ts';
import type { Turns } from './turns.ts';
import { callerRole, canonicalUsername, protoRole, registrationMistakes } from './users.ts';

export type AuthParts = {
  readonly store: Store;
  readonly identity: Identity;
  readonly revocations: OwnRevocations;
  readonly turns: Turns;
  readonly metrics: Metrics;
  /** How long a token lives. */
  readonly ttlS: number;
  /** Whether roles that are given now end with the sandbox. */
  readonly isDemo: boolean;
  readonly now: () => number;
};

export function authHandlers(parts: AuthParts): Handlers<AuthServiceServer> {
  const { store, revocations, isDemo } = parts;
  const logins = parts.metrics.counter('auth_logins_total', 'Logins by how they ended', ['outcome']);
  return {
    login: (request, context) => login(request, context, parts, (outcome) => logins.inc({ outcome })),
    register: (request, context) => register(request, context, parts),
    async validate(_request, { caller }) {
      const { userId, username, role } = caller;
      return { valid: true, user: { id: userId, userId, username, role: protoRole(role) } };
    },
    async logout(_request, context) {
      const { tokenId: id, userId } = context.caller;
      await store.revokeToken({ id, userId, expiresAtS: expiryOf(context.caller) }, context);
      await revocations.reload();
      return { message: 'Logged out successfully' };
    },
    listUsers: (request) => listUsers(request, store),
    async updateUser(request, context) {
      const user = await updateUser(request, context, { store, isDemo });
      await revocations.reload();
      return user;
    },
    listRevocations: () => store.listRevocations(),
  };
}

type Outcome = 'right' | 'wrong' | 'locked';

async function login(
  { username, password }: LoginRequest,
  context: Context,
  parts: AuthParts,
  count: (outcome: Outcome) => void,
): Promise<LoginResponse> {
  if (username === '' || password === '') throw loginIncomplete(username, password);
  const { store, turns, identity, ttlS, now } = parts;
  const name = canonicalUsername(username);
  if (name === undefined) {
    // Nobody can have this name, as everyone may know: nothing to hide and nothing to count.
    count('wrong');
    throw wrongCredentials();
  }
  const refuse = async (forS: number) => {
    count('locked');
    await store.auditLocked(name, context);
    return locked(forS);
  };
  const lockedForS = await store.lockedForS(name);
  if (lockedForS > 0) throw await refuse(lockedForS);

  const guess = await turns.run(name, context.signal, () =>
    store.guess(
      name,
      {
        async verify(passwordHash) {
          const right = await verifyPassword(password, passwordHash);
          const isOld = right && passwordHash !== undefined && needsRehash(passwordHash);
          return { right, rehashed: isOld ? await hashPassword(password) : undefined };
        },
        issue: (user, notBeforeS) => {
          const role = callerRole(user.role) ?? 'guest';
          return issueToken(
            { id: user.id, username: user.username, role },
            { identity, ttlS, notBeforeS, now },
          );
        },
      },
      context,
    ),
  );
  if (guess.outcome === 'locked') throw await refuse(guess.forS);
  count(guess.outcome);
  if (guess.outcome === 'wrong') throw wrongCredentials();
  return { token: guess.token, user: guess.user, expiresIn: ttlS };
}

async function register(
  request: RegisterRequest,
  context: Context,
  { store, turns }: AuthParts,
): Promise<RegisterResponse> {
  const mistakes = registrationMistakes(request);
  if (mistakes.length > 0) throw invalid(mistakes, 'INVALID_REGISTRATION');
  const { password, email } = request;
  const username = request.username.toLowerCase();
  if (await store.isTaken({ username, email })) throw userExists();
  const user = await turns.run(`register ${username}`, context.signal, async () => {
    const passwordHash = await hashPassword(password);
    return store.createUser({ username, email, passwordHash, role: 'student' }, context);
  });
  return { message: 'User registered successfully', user };
}

const MAX_PAGE = 1_000;

async function listUsers(request: ListUsersRequest, store: Store): Promise<ListUsersResponse> {
  if (request.pageSize < 0) throw invalid([{ field: 'page_size', message: 'must not be negative' }]);
  const limit = Math.min(request.pageSize || MAX_PAGE, MAX_PAGE);
  const after = request.pageToken === '' ? '0' : readPageToken(request.pageToken);
  const users = await store.listUsers({ after, limit: limit + 1 });
  const page = users.slice(0, limit);
  const last = page.at(-1);
  return { users: page, nextPageToken: users.length > limit && last ? makePageToken(last.id) : '' };
}

async function updateUser(
  { id, role, isActive }: UpdateUserRequest,
  context: Context,
  { store, isDemo }: Pick<AuthParts, 'store' | 'isDemo'>,
): Promise<User> {
  if (!isId(id)) throw notFound('user', id);
  const newRole = role === Role.UNSPECIFIED ? undefined : callerRole(role);
  return store.updateUser({ id, role: newRole, isActive, by: context.caller.userId, isDemo }, context);
}

// Ids are bigserial: a longer number, or none, is nobody's.
function isId(text: string): boolean {
  return /^[1-9]\d{0,17}$/.test(text);
}

function makePageToken(after: string): string {
  return Buffer.from(`after:${after}`).toString('base64url');
}

function readPageToken(token: string): string {
  const after = /^after:(.*)$/.exec(Buffer.from(token, 'base64url').toString())?.[1] ?? '';
  if (isId(after)) return after;
  throw invalid(
    [{ field: 'page_token', message: 'must come from the previous answer' }],
    'INVALID_PAGE_TOKEN',
  );
}

function loginIncomplete(username: string, password: string): Failure {
  const missing = [...(username === '' ? ['username'] : []), ...(password === '' ? ['password'] : [])];
  return new Failure({
    code: 'INVALID_ARGUMENT',
    reason: 'CREDENTIALS_MISSING',
    message: 'Username and password required',
    violations: missing.map((field) => ({ field, message: 'is required' })),
  });
}

// One answer for an unknown name, a wrong password and an account that is switched off.
function wrongCredentials(): Failure {
  return new Failure({
    code: 'UNAUTHENTICATED',
    reason: 'INVALID_CREDENTIALS',
    message: 'Invalid credentials',
  });
}

function locked(forS: number): Failure {
  const minutes = Math.ceil(forS / 60);
  return new Failure({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'ACCOUNT_LOCKED',
    message: `Account locked. Try again in ${minutes} ${minutes === 1 ? 'minute' : 'minutes'}`,
    retryAfterS: forS,
  });
}
