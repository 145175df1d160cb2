// Application credentials: a name and a secret that stand for one user in one project.

import { randomBytes } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import { type Call, created, Fault, type Json, noContent, ok, type Route, route } from '../http.ts';
import { hashSecret, hexId } from '../ids.ts';
import { bodyOf, listed, nameOf, requireRule } from './faults.ts';
import { showRole } from './roles.ts';
import type { CredentialRow } from './rows.ts';

const PATH = '/users/{user_id}/application_credentials';

export function credentialRoutes(cloud: Cloud): Route[] {
  return [
    route('POST', PATH, (call) => create(cloud, call)),
    route('GET', PATH, (call) => {
      requireOwner(call, 'identity:list_application_credentials');
      const name = call.query.get('name');
      const rows = cloud.credentials.by('user_id', call.params.user_id ?? '');
      const found = rows.filter((row) => (name ?? row.name) === row.name);
      return ok(
        listed(
          cloud,
          call.target,
          'application_credentials',
          found.map((row) => show(cloud, row)),
        ),
      );
    }),
    route('GET', `${PATH}/{id}`, (call) => {
      requireOwner(call, 'identity:get_application_credential');
      return ok({ application_credential: show(cloud, mustCredential(cloud, call)) });
    }),
    route('DELETE', `${PATH}/{id}`, (call) => {
      requireOwner(call, 'identity:delete_application_credential');
      cloud.credentials.remove(mustCredential(cloud, call).id);
      return noContent;
    }),
  ];
}

function create(cloud: Cloud, call: Call) {
  const { caller } = call;
  if (caller.userId !== call.params.user_id || caller.projectId === '') {
    requireRule({ ...caller, isAdmin: false }, 'identity:create_application_credential');
  }
  const input = bodyOf(call.body, 'application_credential');
  const name = nameOf(input, 255, true) ?? '';
  if (cloud.credentials.by('user_id', caller.userId).some((row) => row.name === name)) {
    throw new Fault(
      409,
      `Conflict occurred attempting to store application_credential - Duplicate entry found with name ${name}.`,
    );
  }
  const wanted = Array.isArray(input.roles) ? (input.roles as Json[]) : undefined;
  const roles = caller.roles.filter(
    (role) => wanted?.some((reference) => reference.id === role.id || reference.name === role.name) ?? true,
  );
  const secret = typeof input.secret === 'string' ? input.secret : randomBytes(64).toString('base64url');
  const row: CredentialRow = {
    id: hexId(),
    user_id: caller.userId,
    project_id: caller.projectId,
    name,
    description: typeof input.description === 'string' ? input.description : null,
    secret: hashSecret(secret),
    expires_at: typeof input.expires_at === 'string' ? input.expires_at.replace(/Z$/, '') : null,
    unrestricted: input.unrestricted === true,
    role_ids: roles.map((role) => role.id),
  };
  cloud.credentials.put(row);
  return created({ application_credential: { ...show(cloud, row), secret } });
}

function show(cloud: Cloud, row: CredentialRow): Json {
  const roles = row.role_ids.flatMap((id) => cloud.roles.get(id) ?? []);
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    user_id: row.user_id,
    project_id: row.project_id,
    system: null,
    expires_at: row.expires_at,
    unrestricted: row.unrestricted || null,
    roles: roles.map((role) => {
      const { links: _links, ...rest } = showRole(cloud, role);
      return rest;
    }),
    links: { self: `${cloud.url}/identity/v3/application_credentials/${row.id}` },
  };
}

function requireOwner(call: Call, action: string): void {
  requireRule(call.caller, action, call.params.user_id === call.caller.userId);
}

function mustCredential(cloud: Cloud, call: Call): CredentialRow {
  const row = cloud.credentials.get(call.params.id);
  if (row?.user_id === call.params.user_id) return row as CredentialRow;
  throw new Fault(404, `Could not find Application Credential: ${call.params.id}.`);
}
