// Tokens of one scope, usually a project: asked for once however many wait, renewed before they end, replaced once after a 401.
// Reference: https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management

import { Failure } from '#common/errors.ts';
import { backoffMs } from '#common/time.ts';
import { pause } from './called-off.ts';
import { type Catalog, identityUrl, parseCatalog } from './catalog.ts';
import type { CallContext, CloudSettings, PasswordAuth } from './settings.ts';
import { createSingleFlight } from './single-flight.ts';
import { cloudTimeMs, garbage, header, type Wire, type WireAnswer } from './wire.ts';

/** What a token is good for: the configured project, another one, a domain, or the whole cloud. */
export type Scope =
  | 'home'
  | { readonly projectId: string }
  | { readonly domainId: string }
  | { readonly system: true };

export type Token = {
  readonly id: string;
  /** By this machine's clock. */
  readonly expiresAtMs: number;
  readonly renewAtMs: number;
  /** From then on a new one is fetched for work that goes on with it after the answer. */
  readonly halfLifeMs: number;
  /** Absent in a token of another scope, as the next three are. */
  readonly projectId: string | undefined;
  readonly projectDomainId: string | undefined;
  readonly domainId: string | undefined;
  readonly isSystem: boolean;
  readonly userId: string;
  readonly roles: readonly string[];
  readonly catalog: Catalog;
};

export type Session = {
  /** A token with at least some time left. */
  token(context: CallContext): Promise<Token>;
  /** One with at least half its life left: a service may use it for long after it has answered. */
  lastingToken(context: CallContext): Promise<Token>;
  /** A token other than `used`, which a service refused. Whoever comes second gets what the first one fetched. */
  renew(used: Token, context: CallContext): Promise<Token>;
};

/** A token is renewed this long before it ends, so that no long call outlives it; half its life if it lives shortly. */
const RENEW_BEFORE_MS = 120_000;

export type SessionOptions = {
  readonly settings: CloudSettings;
  readonly scope: Scope;
  readonly wire: Wire;
  /** Ends a renewal when the cloud is closed. No caller's signal does: others wait for the same token. */
  readonly closed: AbortSignal;
  readonly onToken?: ((result: 'hit' | 'miss') => void) | undefined;
  /** Whether the scope is a project that was made just now. */
  readonly isYoung?: () => boolean;
  readonly now?: () => number;
};

export function createSession(options: SessionOptions): Session {
  const { settings, scope, wire, closed, onToken, isYoung = () => false, now = Date.now } = options;
  let current: Token | undefined;
  const fetchToken = createSingleFlight(async () => {
    for (let count = 0; ; count += 1) {
      try {
        current = await authenticate();
        return current;
      } catch (error) {
        // Where databases lag, a project that was just made, or a role in it, is a 401 for a moment.
        const isLag = isYoung() && error instanceof Failure && error.reason === 'PROJECT_ACCESS_DENIED';
        if (!isLag) throw error;
        await pause(backoffMs(count, { baseMs: 200, maxMs: 1_000 }), closed);
      }
    }
  });

  async function authenticate(): Promise<Token> {
    const { auth } = settings;
    const url = `${identityUrl(settings.authUrl)}/auth/tokens`;
    const base = { service: 'keystone', url, route: '/auth/tokens', what: whatFor(scope) } as const;
    // A token without a project to rescope it to is used as it is: Keystone only says what it stands for.
    const asIs = auth.type === 'token' && scope === 'home' && homeScope(settings) === undefined;
    try {
      const answer = asIs
        ? await wire.send(
            {
              ...base,
              method: 'GET',
              headers: { 'x-auth-token': auth.token, 'x-subject-token': auth.token },
            },
            { signal: closed },
          )
        : await wire.send(
            { ...base, method: 'POST', json: { auth: authBody(settings, scope) } },
            { signal: closed },
          );
      const token = readToken(answer, asIs ? auth.token : undefined, now());
      // An application credential always gets its own project's token, whatever was meant.
      if (scope !== 'home' && !isOf(token, scope)) throw noAccess(scope, undefined);
      return token;
    } catch (error) {
      throw scope !== 'home' && isRefusal(error) ? noAccess(scope, error) : error;
    }
  }

  async function tokenGoodUntil(pick: (token: Token) => number, context: CallContext): Promise<Token> {
    const isAtHand = current !== undefined && now() < pick(current);
    onToken?.(isAtHand ? 'hit' : 'miss');
    if (current !== undefined && isAtHand) return current;
    const old = current;
    try {
      return await fetchToken(context.signal);
    } catch (error) {
      // Keystone being away does not stop the others while the old token is still good.
      const usable = old !== undefined && now() < old.expiresAtMs && !context.signal.aborted;
      if (usable && error instanceof Failure && error.retryable) return old;
      throw error;
    }
  }

  return {
    token: (context) => tokenGoodUntil((token) => token.renewAtMs, context),
    lastingToken: (context) =>
      tokenGoodUntil((token) => Math.min(token.halfLifeMs, token.renewAtMs), context),
    async renew(used, context) {
      if (current !== undefined && current.id !== used.id) return current;
      return await fetchToken(context.signal);
    },
  };
}

function whatFor(scope: Scope): string {
  return scope === 'home' ? 'authenticate' : `authenticate for ${nameOf(scope)}`;
}

function nameOf(scope: Exclude<Scope, 'home'>): string {
  if ('projectId' in scope) return `project ${scope.projectId}`;
  return 'domainId' in scope ? `domain ${scope.domainId}` : 'the whole system';
}

function isOf(token: Token, scope: Exclude<Scope, 'home'>): boolean {
  if ('projectId' in scope) return token.projectId === scope.projectId;
  return 'domainId' in scope ? token.domainId === scope.domainId : token.isSystem;
}

function authBody(settings: CloudSettings, scope: Scope): unknown {
  const { auth } = settings;
  if (auth.type === 'application_credential') {
    // It carries its own scope, and Keystone refuses a request that names one as well.
    const { id, secret } = auth;
    return { identity: { methods: ['application_credential'], application_credential: { id, secret } } };
  }
  const identity =
    auth.type === 'token'
      ? { methods: ['token'], token: { id: auth.token } }
      : {
          methods: ['password'],
          password: {
            user: { ...userOf(auth), password: auth.password },
          },
        };
  const wanted = scopeOf(settings, scope);
  return wanted === undefined ? { identity } : { identity, scope: wanted };
}

function userOf({ userId, username, userDomainId, userDomainName }: PasswordAuth) {
  return userId ? { id: userId } : { name: username, domain: named(userDomainId, userDomainName) };
}

function named(id: string | undefined, name: string): { id: string } | { name: string } {
  return id ? { id } : { name };
}

function scopeOf(settings: CloudSettings, scope: Scope): unknown {
  if (scope === 'home') return homeScope(settings);
  if ('projectId' in scope) return { project: { id: scope.projectId } };
  return 'domainId' in scope ? { domain: { id: scope.domainId } } : { system: { all: true } };
}

/** None leaves it to Keystone: the user's default project, or a token of no scope. */
function homeScope(settings: CloudSettings): unknown {
  const { homeScope: home, projectId, projectName, projectDomainId, projectDomainName, auth } = settings;
  if (home !== undefined) {
    if ('system' in home) return { system: { all: true } };
    return { domain: 'domainId' in home ? { id: home.domainId } : { name: home.domainName } };
  }
  if (projectId) return { project: { id: projectId } };
  if (!projectName) return undefined;
  const fallback = auth.type === 'password' ? auth.userDomainName : 'Default';
  return {
    project: { name: projectName, domain: named(projectDomainId, projectDomainName ?? fallback) },
  };
}

function readToken(answer: WireAnswer, givenId: string | undefined, nowMs: number): Token {
  const id = header(answer, 'x-subject-token') ?? givenId;
  const body = answer.body as { token?: TokenBody } | undefined;
  const token = body?.token;
  if (id === undefined || token?.expires_at === undefined) {
    throw garbage('keystone', 'authenticate', 'its answer holds no token');
  }
  // The cloud's clock may be off: what counts is how long the token still lives, not when the cloud thinks it ends.
  const issuedAt = givenId === undefined ? utc(token.issued_at) : Number.NaN;
  const life = utc(token.expires_at) - (Number.isNaN(issuedAt) ? cloudTimeMs(answer) : issuedAt);
  const expiresAtMs = nowMs + (Number.isNaN(life) ? 0 : life);
  return {
    id,
    expiresAtMs,
    renewAtMs: expiresAtMs - Math.min(RENEW_BEFORE_MS, life / 2),
    halfLifeMs: expiresAtMs - life / 2,
    projectId: token.project?.id,
    projectDomainId: token.project?.domain?.id,
    domainId: token.domain?.id,
    isSystem: token.system?.all === true,
    userId: token.user?.id ?? '',
    roles: (token.roles ?? []).map((role) => role.name),
    catalog: parseCatalog(token.catalog),
  };
}

type TokenBody = {
  expires_at?: string;
  issued_at?: string;
  project?: { id: string; domain?: { id: string } };
  domain?: { id: string };
  system?: { all?: boolean };
  user?: { id: string };
  roles?: { name: string }[];
  catalog?: unknown;
};

/** Keystone's times are UTC, with or without saying so. */
function utc(time: string | undefined): number {
  if (time === undefined) return Number.NaN;
  return Date.parse(/(z|[+-]\d\d:?\d\d)$/i.test(time) ? time : `${time}Z`);
}

function isRefusal(error: unknown): boolean {
  return error instanceof Failure && ['401', '403', '404'].includes(error.metadata.status ?? '');
}

/** Keystone answers 401 alike for a project or domain that is not there and for one without a role in it. */
function noAccess(scope: Exclude<Scope, 'home'>, cause: unknown): Failure {
  const who = 'credentials this orchestrator is configured with';
  const isProject = 'projectId' in scope;
  const [kind, message] =
    'system' in scope
      ? ['SYSTEM', `The ${who} have no role on the system as a whole`]
      : [
          isProject ? 'PROJECT' : 'DOMAIN',
          `OpenStack ${nameOf(scope)} does not exist, or the ${who} have no role in it`,
        ];
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: `${kind}_ACCESS_DENIED`,
    message,
    retryable: false,
    metadata: { service: 'keystone', ...(isProject ? { project_id: scope.projectId } : {}) },
    cause,
  });
}
