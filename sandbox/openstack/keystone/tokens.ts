// POST, GET, HEAD and DELETE /auth/tokens. Reference: docs.openstack.org/api-ref/identity/v3, "Authentication and
// token management".

import { randomBytes } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import { type Call, created, Fault, isObject, type Json, noContent, ok, type Route, route } from '../http.ts';
import { hashSecret, pythonText } from '../ids.ts';
import { rolesOfToken, rolesOn, scopeOf, validToken } from './authenticate.ts';
import { catalogOf } from './catalog.ts';
import { badRequest, forbidden, invalid, unauthorized } from './faults.ts';
import { DEFAULT_DOMAIN, type TokenRow, type UserRow } from './rows.ts';

const MAX_TOKENS = 20_000;

type Identity = {
  readonly user: UserRow;
  readonly methods: readonly string[];
  readonly parent?: TokenRow;
  readonly credential?: { readonly id: string; readonly projectId: string };
};

export function tokenRoutes(cloud: Cloud): Route[] {
  return [
    { ...route('POST', '/auth/tokens', (call) => issue(cloud, call)), access: 'public' },
    route('GET', '/auth/tokens', (call) => {
      const { token, row } = subject(cloud, call);
      const withCatalog = call.query.has('nocatalog') === false;
      return ok(describe(cloud, row, withCatalog), { 'x-subject-token': token });
    }),
    route('DELETE', '/auth/tokens', (call) => {
      cloud.tokens.remove(subject(cloud, call).row.id);
      return noContent;
    }),
  ];
}

function subject(cloud: Cloud, call: Call): { token: string; row: TokenRow } {
  const token = call.headers['x-subject-token'];
  if (token === undefined && !call.caller.isAdmin) throw forbidden('identity:validate_token');
  const row = typeof token === 'string' ? validToken(cloud, token) : undefined;
  if (!row || typeof token !== 'string') throw new Fault(404, 'Could not recognize Fernet token');
  if (row.user_id !== call.caller.userId && !call.caller.isAdmin) throw forbidden('identity:validate_token');
  return { token, row };
}

function issue(cloud: Cloud, call: Call) {
  const { auth } = call.body;
  if (!isObject(auth)) throw badRequest('Expecting to find auth in request body.');
  if (!isObject(auth.identity)) throw new Fault(400, "'identity' is a required property");
  const identity = identify(cloud, auth.identity);
  const target = chooseTarget(cloud, identity, auth.scope);
  const token = `gAAAAAB${randomBytes(132).toString('base64url')}`;
  const row: TokenRow = {
    id: hashSecret(token),
    user_id: identity.user.id,
    methods: identity.methods,
    audit_ids: [randomBytes(16).toString('base64url'), ...(identity.parent?.audit_ids.slice(-1) ?? [])],
    target,
    issued: Date.now(),
    // A token got from a token ends when the first one would have.
    expires: identity.parent?.expires ?? Date.now() + cloud.tokenLifetimeMs,
    ...(identity.credential ? { credential_id: identity.credential.id } : {}),
  };
  if (target !== '' && rolesOfToken(cloud, row).length === 0) throw unauthorized();
  makeRoom(cloud);
  cloud.tokens.put(row);
  return created(describe(cloud, row, true), { 'x-subject-token': token });
}

function identify(cloud: Cloud, identity: Json): Identity {
  const methods = Array.isArray(identity.methods) ? identity.methods.map(String) : [];
  const [method] = methods;
  if (identity.methods === undefined) throw invalid("'methods' is a required property");
  if (method === undefined) throw unauthorized();
  const details = identity[method];
  if (!isObject(details)) throw badRequest(`Expecting to find ${method} in identity.`);
  switch (method) {
    case 'password': {
      checkUserReference(details.user);
      const user = findUser(cloud, details.user);
      const password = isObject(details.user) ? details.user.password : undefined;
      if (!user?.enabled || typeof password !== 'string' || user.password !== hashSecret(password))
        throw unauthorized();
      return { user, methods: ['password'] };
    }
    case 'token': {
      if (details.id === undefined) throw invalid("'id' is a required property");
      const parent = typeof details.id === 'string' ? validToken(cloud, details.id) : undefined;
      if (!parent) throw new Fault(404, 'Could not recognize Fernet token');
      const user = cloud.users.get(parent?.user_id);
      if (!parent || !user) throw unauthorized();
      // Keystone forbids to rescope what an application credential gave.
      if (parent.credential_id) throw forbidden('rescope a token of an application credential');
      return { user, methods: ['token', ...parent.methods.filter((name) => name !== 'token')], parent };
    }
    case 'application_credential':
      return identifyByCredential(cloud, details);
    default:
      throw unauthorized();
  }
}

function identifyByCredential(cloud: Cloud, details: Json): Identity {
  const owner = findUser(cloud, details.user);
  const credential =
    cloud.credentials.get(typeof details.id === 'string' ? details.id : undefined) ??
    cloud.credentials.by('user_id', owner?.id ?? '-').find((row) => row.name === details.name);
  const user = cloud.users.get(credential?.user_id);
  const isRight = typeof details.secret === 'string' && credential?.secret === hashSecret(details.secret);
  const isOver = credential?.expires_at != null && Date.parse(`${credential.expires_at}Z`) <= Date.now();
  if (!credential || !user?.enabled || !isRight || isOver) throw unauthorized();
  return {
    user,
    methods: ['application_credential'],
    credential: { id: credential.id, projectId: credential.project_id },
  };
}

/** By its id, or by its name and domain. */
function checkUserReference(user: unknown): void {
  if (!isObject(user)) throw invalid("'user' is a required property");
  if (user.name !== undefined && typeof user.name !== 'string')
    throw invalid(`Invalid input for field 'name': ${pythonText(user.name)} is not of type 'string'`);
  if (user.id === undefined && !isObject(user.domain)) throw badRequest('Expecting to find domain in user.');
}

function findUser(cloud: Cloud, reference: unknown): UserRow | undefined {
  if (!isObject(reference)) return undefined;
  if (typeof reference.id === 'string') return cloud.users.get(reference.id);
  if (!isDefaultDomain(reference.domain)) return undefined;
  return cloud.users.all().find((row) => row.name === reference.name);
}

function isDefaultDomain(domain: unknown): boolean {
  if (!isObject(domain)) return false;
  const byName = typeof domain.name === 'string' && domain.name.toLowerCase() === 'default';
  return domain.id === DEFAULT_DOMAIN.id || byName;
}

/** The scope that was asked for, or the user's default project, or none. */
function chooseTarget(cloud: Cloud, identity: Identity, scope: unknown): string {
  if (identity.credential) {
    if (scope !== undefined) throw unauthorized();
    return identity.credential.projectId;
  }
  if (scope === 'unscoped') return '';
  if (scope === undefined) {
    const project = identity.user.default_project_id;
    return project && !identity.parent && rolesOn(cloud, identity.user.id, project).length > 0 ? project : '';
  }
  if (!isObject(scope)) throw new Fault(400, `${JSON.stringify(scope)} is not of type 'object'`);
  if (isObject(scope.system)) return 'system';
  if (isObject(scope.domain)) {
    if (!isDefaultDomain(scope.domain)) throw unauthorized();
    return `domain:${DEFAULT_DOMAIN.id}`;
  }
  if (!isObject(scope.project)) throw new Fault(400, 'Invalid input for field scope');
  const { id, name, domain } = scope.project;
  const project =
    typeof id === 'string'
      ? cloud.projects.get(id)
      : isDefaultDomain(domain)
        ? cloud.projects.all().find((row) => row.name === name)
        : undefined;
  if (!project?.enabled) throw unauthorized();
  return project.id;
}

function describe(cloud: Cloud, row: TokenRow, withCatalog: boolean): Json {
  const user = cloud.users.get(row.user_id);
  const scope = scopeOf(row.target);
  const token: Json = {
    methods: row.methods,
    user: { domain: DEFAULT_DOMAIN, id: row.user_id, name: user?.name, password_expires_at: null },
    audit_ids: row.audit_ids,
    expires_at: timeOf(row.expires),
    issued_at: timeOf(row.issued),
  };
  if (scope.kind === 'project') {
    token.project = {
      domain: DEFAULT_DOMAIN,
      id: scope.projectId,
      name: cloud.projects.get(scope.projectId)?.name,
    };
    token.is_domain = false;
  }
  if (scope.kind === 'domain') token.domain = DEFAULT_DOMAIN;
  if (scope.kind === 'none') return { token };
  token.roles = rolesOfToken(cloud, row).map(({ id, name }) => ({ id, name }));
  if (scope.kind === 'system') token.system = { all: true };
  if (withCatalog) token.catalog = catalogOf(cloud, scope.kind === 'project' ? scope.projectId : undefined);
  return { token };
}

function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}.000000Z`;
}

/** Forgets the tokens that are over, and the oldest ones if there are too many. */
function makeRoom(cloud: Cloud): void {
  const now = Date.now();
  // Whoever came later ends later, but for the few made from another token: those wait for the ones before them.
  for (const row of cloud.tokens.values()) {
    if (row.expires > now && cloud.tokens.size < MAX_TOKENS) break;
    cloud.tokens.remove(row.id);
  }
}
