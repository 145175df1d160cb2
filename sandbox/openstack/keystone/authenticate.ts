// From a token to the caller it stands for. Roles are looked up at the time of use, as with Keystone's Fernet tokens.

import type { Caller, Scope } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { hashSecret } from '../ids.ts';
import type { RoleRow, TokenRow } from './rows.ts';

/** The caller of a valid token; undefined for a missing, unknown, expired or orphaned one. */
export function authenticate(cloud: Cloud, token: string | string[] | undefined): Caller | undefined {
  if (typeof token !== 'string') return undefined;
  const row = validToken(cloud, token);
  return row && callerOf(cloud, row);
}

export function validToken(cloud: Cloud, token: string): TokenRow | undefined {
  const row = cloud.tokens.get(hashSecret(token));
  if (!row || row.expires <= Date.now()) return undefined;
  if (!cloud.users.get(row.user_id)?.enabled) return undefined;
  if (row.credential_id && !cloud.credentials.get(row.credential_id)) return undefined;
  if (row.target !== '' && rolesOfToken(cloud, row).length === 0) return undefined;
  const scope = scopeOf(row.target);
  if (scope.kind === 'project' && !cloud.projects.get(scope.projectId)?.enabled) return undefined;
  return row;
}

function callerOf(cloud: Cloud, row: TokenRow): Caller {
  const roles = rolesOfToken(cloud, row).map(({ id, name }) => ({ id, name }));
  const scope = scopeOf(row.target);
  return {
    tokenId: row.id,
    userId: row.user_id,
    scope,
    projectId: scope.kind === 'project' ? scope.projectId : '',
    isAdmin: roles.some(({ name }) => name === 'admin'),
    roles,
  };
}

export function rolesOfToken(cloud: Cloud, row: TokenRow): RoleRow[] {
  if (row.target === '') return [];
  const granted = rolesOn(cloud, row.user_id, row.target);
  const credential = row.credential_id ? cloud.credentials.get(row.credential_id) : undefined;
  return credential ? granted.filter((role) => credential.role_ids.includes(role.id)) : granted;
}

export function scopeOf(target: string): Scope {
  if (target === '') return { kind: 'none' };
  if (target === 'system') return { kind: 'system' };
  if (target.startsWith('domain:')) return { kind: 'domain', domainId: target.slice('domain:'.length) };
  return { kind: 'project', projectId: target };
}

/** The roles a user has on a target, implied ones included. */
export function rolesOn(cloud: Cloud, userId: string, target: string): RoleRow[] {
  const found = new Map<string, RoleRow>();
  const add = (id: string) => {
    const role = cloud.roles.get(id);
    if (!role || found.has(id)) return;
    found.set(id, role);
    for (const implied of role.implies) add(implied);
  };
  for (const row of cloud.assignments.by('user_id', userId)) if (row.project_id === target) add(row.role_id);
  return [...found.values()];
}
