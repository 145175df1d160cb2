// Server groups: kept and shown, but the scheduler does not heed them.

import { randomUUID } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import { type Call, type Json, ok, type Route, route } from '../http.ts';
import { forbidden, invalidField, notFound, objectOf } from './faults.ts';
import { pageOf } from './pages.ts';
import { groupLimit } from './quotas.ts';
import type { ServerGroupRow } from './rows.ts';

const POLICIES = ['anti-affinity', 'affinity'];
/** Since 2.15. */
const SOFT_POLICIES = ['soft-anti-affinity', 'soft-affinity'];

export function serverGroupRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/os-server-groups', (call) => {
      const isForAll = call.query.has('all_projects') && call.caller.isAdmin;
      const rows = isForAll ? cloud.serverGroups.all() : own(cloud, call);
      const { page } = pageOf(rows, { call, key: 'os-server-groups', base: `${cloud.url}/compute/v2.1` });
      return ok({ server_groups: page.map((row) => show(cloud, row, call)) });
    }),
    route('POST', '/os-server-groups', (call) =>
      ok({ server_group: show(cloud, cloud.serverGroups.put(create(cloud, call)), call) }),
    ),
    route('GET', '/os-server-groups/{id}', (call) =>
      ok({ server_group: show(cloud, mustGroup(cloud, call), call) }),
    ),
    route('DELETE', '/os-server-groups/{id}', (call) => {
      cloud.serverGroups.remove(mustGroup(cloud, call).id);
      return { status: 204 };
    }),
  ];
}

function own(cloud: Cloud, { caller }: Call): ServerGroupRow[] {
  return cloud.serverGroups.by('project_id', caller.projectId);
}

function mustGroup(cloud: Cloud, { caller, params }: Call): ServerGroupRow {
  const row = cloud.serverGroups.get(params.id);
  if (row && (caller.isAdmin || row.project_id === caller.projectId)) return row;
  throw notFound(`Instance group ${params.id} could not be found.`);
}

function create(cloud: Cloud, call: Call): ServerGroupRow {
  const isNew = call.minor >= 64;
  const key = isNew ? 'policy' : 'policies';
  const allowed = isNew ? ['name', 'policy', 'rules'] : ['name', 'policies'];
  const input = objectOf(call.body, 'server_group', { allowed, required: ['name', key] });
  const policy = isNew ? input.policy : (input.policies as unknown[] | undefined)?.[0];
  const known = call.minor >= 15 ? [...POLICIES, ...SOFT_POLICIES] : POLICIES;
  if (!known.includes(String(policy))) {
    const names = known.map((name) => `'${name}'`).join(', ');
    throw invalidField(isNew ? 'policy' : '0', policy, `'${String(policy)}' is not one of [${names}]`);
  }
  const limit = groupLimit(cloud, call.caller.projectId);
  if (limit >= 0 && own(cloud, call).length >= limit)
    throw forbidden('Quota exceeded, too many server groups.');
  return {
    id: randomUUID(),
    name: String(input.name),
    policy: String(policy),
    rules: (input.rules ?? {}) as Json,
    project_id: call.caller.projectId,
    user_id: call.caller.userId,
  };
}

function show(cloud: Cloud, row: ServerGroupRow, { minor }: Call): Json {
  return {
    id: row.id,
    name: row.name,
    ...(minor >= 64 ? { policy: row.policy, rules: row.rules } : { policies: [row.policy], metadata: {} }),
    members: membersOf(cloud, row),
    ...(minor >= 13 ? { project_id: row.project_id, user_id: row.user_id } : {}),
  };
}

function membersOf(cloud: Cloud, group: ServerGroupRow): string[] {
  return cloud.servers
    .by('project_id', group.project_id)
    .filter((row) => row.server_group_id === group.id)
    .map(({ id }) => id);
}
