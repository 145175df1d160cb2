// Users.

import type { Cloud } from '../cloud.ts';
import { type Call, created, Fault, type Json, noContent, ok, type Route, route } from '../http.ts';
import { hashSecret, hexId } from '../ids.ts';
import { bodyOf, listed, mustUser, nameOf, requireRule, unauthorized } from './faults.ts';
import { checkForms } from './forms.ts';
import { DEFAULT_DOMAIN, type UserRow } from './rows.ts';

export function userRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/users', (call) => {
      requireRule(call.caller, 'identity:list_users');
      const name = call.query.get('name');
      const domain = call.query.get('domain_id');
      const found = cloud.users
        .all()
        .filter((row) => (name ?? row.name) === row.name && (domain ?? row.domain_id) === row.domain_id);
      return ok(
        listed(
          cloud,
          call.target,
          'users',
          found.map((row) => show(cloud, row)),
        ),
      );
    }),
    route('POST', '/users', (call) => {
      requireRule(call.caller, 'identity:create_user');
      const input = bodyOf(call.body, 'user');
      const name = nameOf(input, 255, true) ?? '';
      const { domain_id: domain = DEFAULT_DOMAIN.id } = input;
      if (domain !== DEFAULT_DOMAIN.id) throw new Fault(404, `Could not find domain: ${String(domain)}.`);
      refuseTakenName(cloud, name);
      const row: UserRow = {
        id: hexId(),
        domain_id: DEFAULT_DOMAIN.id,
        enabled: input.enabled !== false,
        password: '',
        ...changesOf(input),
        name,
      };
      return created({ user: show(cloud, cloud.users.put(row)) });
    }),
    route('GET', '/users/{id}', (call) => {
      requireRule(call.caller, 'identity:get_user', call.params.id === call.caller.userId);
      return ok({ user: show(cloud, mustUser(cloud, call.params.id)) });
    }),
    route('PATCH', '/users/{id}', (call) => {
      requireRule(call.caller, 'identity:update_user');
      const row = mustUser(cloud, call.params.id);
      const input = bodyOf(call.body, 'user');
      const name = nameOf(input, 255, false);
      if (name !== undefined) refuseTakenName(cloud, name, row.id);
      const enabled = typeof input.enabled === 'boolean' ? { enabled: input.enabled } : {};
      const changes = { ...changesOf(input, row.extra), ...enabled, ...(name === undefined ? {} : { name }) };
      return ok({ user: show(cloud, cloud.users.update(row.id, changes) ?? row) });
    }),
    // Who knows the old password needs no token.
    { ...route('POST', '/users/{id}/password', (call) => changePassword(cloud, call)), access: 'public' },
    route('DELETE', '/users/{id}', (call) => {
      requireRule(call.caller, 'identity:delete_user');
      const row = mustUser(cloud, call.params.id);
      cloud.users.remove(row.id);
      for (const grant of cloud.assignments.by('user_id', row.id)) cloud.assignments.remove(grant.id);
      for (const token of cloud.tokens.by('user_id', row.id)) cloud.tokens.remove(token.id);
      for (const credential of cloud.credentials.by('user_id', row.id))
        cloud.credentials.remove(credential.id);
      return noContent;
    }),
  ];
}

function show(cloud: Cloud, row: UserRow): Json {
  return {
    ...row.extra,
    id: row.id,
    name: row.name,
    domain_id: row.domain_id,
    enabled: row.enabled,
    ...(row.description === undefined ? {} : { description: row.description }),
    ...(row.email === undefined ? {} : { email: row.email }),
    ...(row.default_project_id === undefined ? {} : { default_project_id: row.default_project_id }),
    password_expires_at: null,
    options: {},
    links: { self: `${cloud.url}/identity/v3/users/${row.id}` },
  };
}

const KNOWN = [
  ...['id', 'name', 'domain_id', 'enabled', 'password', 'original_password', 'description', 'email'],
  ...['default_project_id', 'options', 'password_expires_at'],
];

function changesOf(input: Json, before: Json = {}): Partial<UserRow> {
  checkForms(input, ['password', 'description', 'default_project_id'], ['enabled']);
  const others = Object.entries(input).filter(([name]) => !KNOWN.includes(name));
  const extra = { ...before, ...Object.fromEntries(others) };
  const { description, email, password, default_project_id: project } = input;
  return {
    ...(typeof description === 'string' ? { description } : {}),
    ...(typeof email === 'string' ? { email } : {}),
    ...(typeof project === 'string' ? { default_project_id: project } : {}),
    ...(typeof password === 'string' ? { password: hashSecret(password) } : {}),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
}

function refuseTakenName(cloud: Cloud, name: string, except?: string): void {
  if (!cloud.users.all().some((row) => row.name === name && row.id !== except)) return;
  throw new Fault(
    409,
    `Conflict occurred attempting to store user - Duplicate entry found with name ${name} at domain ID default.`,
  );
}

function changePassword(cloud: Cloud, call: Call) {
  const row = mustUser(cloud, call.params.id);
  const input = bodyOf(call.body, 'user');
  if (row.password !== hashSecret(String(input.original_password))) {
    throw unauthorized();
  }
  cloud.users.update(row.id, { password: hashSecret(String(input.password)) });
  for (const token of cloud.tokens.by('user_id', row.id)) cloud.tokens.remove(token.id);
  return noContent;
}
