// A service's client of one project: endpoint, token, one renewal after a 401, microversion, pages, and the retry of what
// may safely be sent again. Nothing that makes something is ever sent twice unless it surely never arrived.

import { Failure } from '#common/errors.ts';
import { backoffMs } from '#common/time.ts';
import { pause } from './called-off.ts';
import { chooseEndpoint, versionRoot } from './catalog.ts';
import { absentIsDone } from './errors.ts';
import {
  type Feature,
  parseVersions,
  type VersionMemory,
  type VersionRange,
  versionHeaders,
} from './microversions.ts';
import type { Newborns } from './newborns.ts';
import { collectPages, onePage, type Page, type PageQuery, type PageSource } from './pages.ts';
import { assertPossible, type Path, type Query, queryString } from './path.ts';
import type { Session, Token } from './session.ts';
import type { CallContext, CloudSettings, ServiceName } from './settings.ts';
import { type Exchange, NEVER_SENT } from './transport.ts';
import { garbage, type Wire } from './wire.ts';

export type ServiceCall = {
  readonly method?: Exchange['method'];
  readonly path: Path;
  readonly query?: Query | undefined;
  readonly json?: unknown;
  /** The body's type if it is not plain JSON. */
  readonly contentType?: string | undefined;
  /** A body that is sent as it comes, instead of `json`, and only once: not even a refused token is replaced. */
  readonly upload?: AsyncIterable<Uint8Array> | undefined;
  /** The end of "could not …", for messages: `create the server "vm1"`. */
  readonly what: string;
  /** The microversion whose shapes are meant; the service's oldest if not set. */
  readonly feature?: Feature | undefined;
  /**
   * The service goes on with our token for long after it has answered, as with a snapshot, or reads a long upload: the
   * token then has at least half its life left. Clouds before service tokens (Pike) end such work when the token ends.
   */
  readonly isLong?: boolean | undefined;
};

export type ServiceClient = {
  /** For the answer's side effect; what it says is dropped. */
  send(call: ServiceCall, context: CallContext): Promise<void>;
  /** The answer's field `key`, such as `server`; the whole answer if the key is empty. */
  item<T>(key: string, call: ServiceCall, context: CallContext): Promise<T>;
  /** The whole list, however many pages it takes. */
  list<T extends object>(key: string, call: ServiceCall, context: CallContext): Promise<T[]>;
  /** One page of it. */
  page<T extends object>(
    key: string,
    call: ServiceCall & { page: PageQuery },
    context: CallContext,
  ): Promise<Page<T>>;
  /** Whether the cloud is new enough. */
  supports(feature: Feature, context: CallContext): Promise<boolean>;
};

export type RequestOptions = {
  readonly service: ServiceName;
  readonly settings: CloudSettings;
  readonly session: Session;
  readonly wire: Wire;
  /** What is known of the service's versions; shared by the clients of all projects. */
  readonly versions: VersionMemory;
  readonly newborns: Newborns;
};

/** A service that asks for more patience than this gets it from our caller, not from a held call. */
const MAX_RETRY_AFTER_S = 10;

export function createServiceClient(options: RequestOptions): ServiceClient {
  const { service, settings, session, wire, versions, newborns } = options;
  const rootOf = (token: Token) =>
    chooseEndpoint({ service, catalog: token.catalog, projectId: token.projectId, settings });

  /** A token that is refused is replaced once. */
  async function renewing<T>(
    token: Token,
    attempt: (token: Token) => Promise<T>,
    context: CallContext,
  ): Promise<T> {
    try {
      return await attempt(token);
    } catch (error) {
      if (!(error instanceof Failure) || error.metadata.status !== '401') throw error;
      return await attempt(await session.renew(token, context));
    }
  }

  async function versionRange(context: CallContext): Promise<VersionRange> {
    return await versions(context, async () => {
      const signal = AbortSignal.timeout(settings.requestTimeoutMs);
      const token = await session.token({ signal });
      const ask = (held: Token) =>
        wire.send(
          {
            service,
            method: 'GET',
            url: versionRoot(rootOf(held)),
            route: '/',
            headers: { 'x-auth-token': held.id },
            what: 'tell its versions',
            accept: 300,
          },
          { signal },
        );
      try {
        const answer = await renewing(token, ask, { signal });
        return parseVersions(answer.body);
      } catch (error) {
        // A proxy may hide the document. Then the version is sent unasked, and a 406 says what is wrong.
        if (error instanceof Failure && !error.retryable) return undefined;
        throw error;
      }
    });
  }

  async function sendWithToken(call: ServiceCall, search: string, context: CallContext): Promise<unknown> {
    const version =
      call.feature === undefined ? {} : versionHeaders(service, call.feature, await versionRange(context));
    const attempt = async (token: Token): Promise<unknown> => {
      const answer = await wire.send(
        {
          service,
          method: call.method ?? 'GET',
          url: `${rootOf(token)}${call.path.path}${search}`,
          route: call.path.route,
          headers: { 'x-auth-token': token.id, ...version },
          json: call.json,
          contentType: call.contentType,
          upload: call.upload,
          what: call.what,
        },
        context,
      );
      return answer.body;
    };
    const token = await (call.isLong ? session.lastingToken(context) : session.token(context));
    return await (call.upload ? attempt(token) : renewing(token, attempt, context));
  }

  /** The above, once more if that is safe and promises something. */
  async function exchange(call: ServiceCall, search: string, context: CallContext): Promise<unknown> {
    assertPossible(call.path, call.what);
    try {
      return await sendWithToken(call, search, context);
    } catch (error) {
      if (!(error instanceof Failure) || call.upload || !mayRepeat(call.method ?? 'GET', error)) throw error;
      await pause(pauseMs(error), context.signal);
      const repeated = sendWithToken(call, search, context);
      // The first of two deletions may have been carried out although its answer was lost.
      return await (call.method === 'DELETE' ? absentIsDone(repeated) : repeated);
    }
  }

  /** The above, again for a moment if what was just made is said not to be there. */
  async function patient(call: ServiceCall, search: string, context: CallContext): Promise<unknown> {
    const { method = 'GET', path } = call;
    for (let count = 0; ; count += 1) {
      try {
        const body = await exchange(call, search, context);
        if (method === 'POST') newborns.made(body);
        if (method === 'DELETE') newborns.removed(path);
        return body;
      } catch (error) {
        const isAbsent = error instanceof Failure && error.code === 'NOT_FOUND' && !call.upload;
        if (!isAbsent || !newborns.has(path, method)) throw error;
        await pause(backoffMs(count, { baseMs: 200, maxMs: 1_000 }), context.signal);
      }
    }
  }

  const source = (key: string, call: ServiceCall, context: CallContext): PageSource => ({
    service,
    key,
    what: call.what,
    firstSearch: queryString(call.query),
    fetch: (search) => patient(call, search, context),
  });

  return {
    async send(call, context) {
      await patient(call, queryString(call.query), context);
    },
    async item<T>(key: string, call: ServiceCall, context: CallContext): Promise<T> {
      const body = await patient(call, queryString(call.query), context);
      const found = key === '' ? body : (body as Record<string, unknown> | undefined)?.[key];
      if (typeof found !== 'object' || found === null) {
        throw garbage(service, call.what, key === '' ? 'its answer is empty' : `its answer has no "${key}"`);
      }
      return found as T;
    },
    list: (key, call, context) => collectPages(source(key, call, context)),
    async page(key, call, context) {
      const paged = { ...call, query: { ...call.query, limit: call.page.limit, marker: call.page.marker } };
      const body = await patient(paged, queryString(paged.query), context);
      return onePage(source(key, paged, context), body);
    },
    async supports(feature, context) {
      try {
        versionHeaders(service, feature, await versionRange(context));
        return true;
      } catch (error) {
        if (error instanceof Failure && error.reason === 'MICROVERSION_UNSUPPORTED') return false;
        throw error;
      }
    },
  };
}

function mayRepeat(method: Exchange['method'], error: Failure): boolean {
  if ((error.retryAfterS ?? 0) > MAX_RETRY_AFTER_S) return false;
  // Never connected, or turned away at the door: nothing was begun.
  if (error.metadata.sent === NEVER_SENT || error.reason === 'CLOUD_RATE_LIMITED') return true;
  if (method === 'POST' || method === 'PATCH') return false;
  return error.reason === 'CLOUD_UNREACHABLE' || error.metadata.status === '503';
}

function pauseMs(error: Failure): number {
  if (error.retryAfterS === undefined) return backoffMs(0, { baseMs: 500, maxMs: 500 });
  return error.retryAfterS * 1_000 + Math.random() * 250;
}
