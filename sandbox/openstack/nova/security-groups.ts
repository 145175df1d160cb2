// Nova's old view of Neutron's security groups, which the `openstack` client still looks names up in. Gone since 2.36.

import type { Cloud } from '../cloud.ts';
import { accepted, type Call, type Json, ok, type Route, route } from '../http.ts';
import { isUuid } from '../ids.ts';
import { reserve } from '../neutron/quotas.ts';
import type { GroupRow } from '../neutron/rows.ts';
import { ensureDefaultGroup, makeGroup, removeGroup } from '../neutron/security-groups.ts';
import { badRequest, forbidden, notFound, objectOf } from './faults.ts';

const LAST_MINOR = 35;

export function securityGroupRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/os-security-groups', (call) => {
      requireOld(call);
      ensureDefaultGroup(cloud, call.caller.projectId);
      const rows = cloud.groups.by('project_id', call.caller.projectId);
      return ok({ security_groups: rows.map((row) => show(cloud, row)) });
    }),
    route('GET', '/os-security-groups/{id}', (call) => {
      requireOld(call);
      return ok({ security_group: show(cloud, mustGroup(cloud, call)) });
    }),
    route('POST', '/os-security-groups', (call) => {
      requireOld(call);
      const { name, description } = objectOf(call.body, 'security_group', {
        allowed: ['name', 'description'],
      });
      for (const [field, value] of Object.entries({ name, description })) {
        if (typeof value !== 'string') throw badRequest(`${field} is not a string or unicode`);
      }
      const projectId = call.caller.projectId;
      ensureDefaultGroup(cloud, projectId);
      if (name === 'default') throw forbidden('Default security group already exists.');
      reserve(cloud, 'security_group', [projectId]);
      const row = makeGroup(cloud, { project_id: projectId, name, description });
      return ok({ security_group: show(cloud, row) });
    }),
    route('DELETE', '/os-security-groups/{id}', (call) => {
      requireOld(call);
      removeGroup(cloud, mustGroup(cloud, call), call.caller);
      return accepted();
    }),
  ];
}

function mustGroup(cloud: Cloud, { params, caller }: Call): GroupRow {
  if (!isUuid(params.id)) throw badRequest('Security group id should be uuid');
  const row = cloud.groups.get(params.id);
  if (row && (caller.isAdmin || row.project_id === caller.projectId)) return row;
  throw notFound(`Security group ${params.id} not found.`);
}

function requireOld({ minor }: Call): void {
  if (minor > LAST_MINOR) throw notFound('The resource could not be found.');
}

function show(cloud: Cloud, row: GroupRow): Json {
  const incoming = cloud.rules
    .by('security_group_id', row.id)
    .filter(({ direction }) => direction === 'ingress');
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    tenant_id: row.project_id,
    rules: incoming.map((rule) => {
      const remote = cloud.groups.get(rule.remote_group_id);
      return {
        id: rule.id,
        parent_group_id: row.id,
        ip_protocol: rule.protocol,
        from_port: rule.port_range_min,
        to_port: rule.port_range_max,
        group: remote ? { name: remote.name, tenant_id: remote.project_id } : {},
        ip_range: rule.remote_ip_prefix === null ? {} : { cidr: rule.remote_ip_prefix },
      };
    }),
  };
}
