// Which user has which role on which project: grants, and the list of all of them.

import type { Cloud } from '../cloud.ts';
import { type Call, Fault, type Json, noContent, ok, type Route, route } from '../http.ts';
import { listed, mustProject, mustRole, mustUser, requireRule } from './faults.ts';
import { showRole } from './roles.ts';
import { type AssignmentRow, DEFAULT_DOMAIN } from './rows.ts';

const GRANT = '/projects/{project_id}/users/{user_id}/roles/{role_id}';
const SYSTEM_GRANT = '/system/users/{user_id}/roles/{role_id}';

export function assignmentRoutes(cloud: Cloud): Route[] {
  const grantRoutes = (template: string, targetOf: (call: Call) => string): Route[] => [
    route('PUT', template, (call) => {
      requireRule(call.caller, 'identity:create_grant');
      const { userId, roleId, target } = partsOf(cloud, call, targetOf);
      const id = grantId(target, userId, roleId);
      if (!cloud.assignments.get(id)) {
        cloud.assignments.put({ id, user_id: userId, project_id: target, role_id: roleId });
      }
      return noContent;
    }),
    route('GET', template, (call) => {
      requireRule(call.caller, 'identity:check_grant');
      mustGrant(cloud, call, targetOf);
      return noContent;
    }),
    route('DELETE', template, (call) => {
      requireRule(call.caller, 'identity:revoke_grant');
      cloud.assignments.remove(mustGrant(cloud, call, targetOf).id);
      return noContent;
    }),
  ];
  return [
    ...grantRoutes(GRANT, (call) => mustProject(cloud, call.params.project_id).id),
    ...grantRoutes(SYSTEM_GRANT, () => 'system'),
    route('GET', '/projects/{project_id}/users/{user_id}/roles', (call) => {
      requireRule(call.caller, 'identity:list_grants');
      const project = mustProject(cloud, call.params.project_id);
      const user = mustUser(cloud, call.params.user_id);
      const rows = cloud.assignments.by('user_id', user.id).filter((row) => row.project_id === project.id);
      const roles = rows.flatMap((row) => cloud.roles.get(row.role_id) ?? []);
      return ok(
        listed(
          cloud,
          call.target,
          'roles',
          roles.map((row) => showRole(cloud, row)),
        ),
      );
    }),
    route('GET', '/role_assignments', (call) => {
      const { query, caller } = call;
      const isOwn =
        caller.projectId !== '' && query.get('scope.project.id') === caller.projectId && caller.isAdmin;
      requireRule(caller, 'identity:list_role_assignments', isOwn);
      const rows = cloud.assignments.all().filter((row) => matches(row, query));
      const isEffective = query.has('effective');
      const withNames = query.has('include_names') && !/^(false|0)$/i.test(query.get('include_names') ?? '');
      const roleId = query.get('role.id');
      const items = rows
        .flatMap((row) => expand(cloud, row, isEffective))
        .filter((item) => roleId === null || item.roleId === roleId)
        .map((item) => show(cloud, item, withNames));
      return ok(listed(cloud, call.target, 'role_assignments', items));
    }),
  ];
}

export function grantId(target: string, userId: string, roleId: string): string {
  return `${target}/${userId}/${roleId}`;
}

function partsOf(cloud: Cloud, call: Call, targetOf: (call: Call) => string) {
  const role = mustRole(cloud, call.params.role_id);
  const user = mustUser(cloud, call.params.user_id);
  return { userId: user.id, roleId: role.id, target: targetOf(call) };
}

function mustGrant(cloud: Cloud, call: Call, targetOf: (call: Call) => string): AssignmentRow {
  const target = targetOf(call);
  const { user_id: userId = '', role_id: roleId = '' } = call.params;
  mustRole(cloud, roleId);
  const row = cloud.assignments.get(grantId(target, userId, roleId));
  if (row) return row;
  throw new Fault(
    404,
    `Could not find role assignment with role: ${roleId}, user or group: ${userId}, project, domain, or system: ${target}.`,
  );
}

function matches(row: AssignmentRow, query: URLSearchParams): boolean {
  const project = query.get('scope.project.id');
  const user = query.get('user.id');
  return (
    (project ?? row.project_id) === row.project_id &&
    (user ?? row.user_id) === row.user_id &&
    (!query.has('scope.system') || row.project_id === 'system') &&
    !query.has('scope.domain.id') &&
    !query.has('group.id')
  );
}

type Item = { readonly row: AssignmentRow; readonly roleId: string; readonly isImplied: boolean };

/** A grant and, if asked for, one item for every role that it brings along. */
function expand(cloud: Cloud, row: AssignmentRow, isEffective: boolean): Item[] {
  const items: Item[] = [{ row, roleId: row.role_id, isImplied: false }];
  if (!isEffective) return items;
  for (const item of items) {
    for (const implied of cloud.roles.get(item.roleId)?.implies ?? []) {
      items.push({ row, roleId: implied, isImplied: true });
    }
  }
  return items;
}

function show(cloud: Cloud, { row, roleId, isImplied }: Item, withNames: boolean): Json {
  const base = `${cloud.url}/identity/v3`;
  const path =
    row.project_id === 'system'
      ? `/system/users/${row.user_id}/roles/${row.role_id}`
      : `/projects/${row.project_id}/users/${row.user_id}/roles/${row.role_id}`;
  const named = (id: string, name: string | undefined, hasDomain: boolean) =>
    withNames ? { id, name, ...(hasDomain ? { domain: DEFAULT_DOMAIN } : {}) } : { id };
  return {
    links: {
      assignment: `${base}${path}`,
      ...(isImplied ? { prior_role: `${base}/prior_role/${roleId}/implies/${row.role_id}` } : {}),
    },
    scope:
      row.project_id === 'system'
        ? { system: { all: true } }
        : { project: named(row.project_id, cloud.projects.get(row.project_id)?.name, true) },
    user: named(row.user_id, cloud.users.get(row.user_id)?.name, true),
    role: named(roleId, cloud.roles.get(roleId)?.name, false),
  };
}
