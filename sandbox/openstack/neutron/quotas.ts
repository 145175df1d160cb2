// Neutron's quotas: /quotas and the check that every create passes.

import type { Cloud } from '../cloud.ts';
import { type Call, Fault, isObject, type Json, noContent, ok, type Route, route } from '../http.ts';
import { badRequest, invalidInput, notAllowed, overQuota } from './faults.ts';

const DEFAULTS: Readonly<Record<string, number>> = {
  network: 100,
  subnet: 100,
  subnetpool: -1,
  port: 500,
  router: 10,
  floatingip: 50,
  rbac_policy: 10,
  security_group: 10,
  security_group_rule: 100,
  trunk: -1,
};

export function limitsOf(cloud: Cloud, projectId: string): Record<string, number> {
  return { ...DEFAULTS, ...cloud.quotas.get(`network:${projectId}`)?.limits };
}

function usedBy(cloud: Cloud, projectId: string, resource: string): number {
  switch (resource) {
    case 'network':
      return cloud.networks.count('project_id', projectId);
    case 'subnet':
      return cloud.subnets.count('project_id', projectId);
    case 'port':
      return cloud.ports.count('project_id', projectId);
    case 'router':
      return cloud.routers.count('project_id', projectId);
    case 'floatingip':
      return cloud.floatingIps.count('project_id', projectId);
    case 'security_group':
      return cloud.groups.count('project_id', projectId);
    case 'security_group_rule':
      return cloud.rules.count('project_id', projectId);
    default:
      return 0;
  }
}

/** Throws OverQuota unless every project has room for what is about to be made in it. */
export function reserve(cloud: Cloud, resource: string, projectIds: readonly string[]): void {
  for (const [projectId, items] of Map.groupBy(projectIds, (id) => id)) {
    const limit = limitsOf(cloud, projectId)[resource] ?? -1;
    if (limit >= 0 && usedBy(cloud, projectId, resource) + items.length > limit) throw overQuota(resource);
  }
}

export function quotaRoutes(cloud: Cloud): Route[] {
  const readable = ({ caller, params }: Call) => {
    const { project_id: projectId = '' } = params;
    if (!caller.isAdmin && projectId !== caller.projectId) throw notAllowed('rule:get_quota');
    return projectId;
  };
  const details = (call: Call) => {
    const projectId = readable(call);
    const limits = Object.entries(limitsOf(cloud, projectId));
    const shown = limits.map(([name, limit]) => [
      name,
      { limit, used: usedBy(cloud, projectId, name), reserved: 0 },
    ]);
    return ok({ quota: Object.fromEntries(shown) });
  };
  return [
    route('GET', '/quotas', ({ caller }) => {
      if (!caller.isAdmin) throw notAllowed('rule:get_quota');
      const projects = cloud.quotas.all().flatMap(({ id }) => (id.startsWith('network:') ? id.slice(8) : []));
      const quotas = projects.map((id) => ({ ...limitsOf(cloud, id), project_id: id, tenant_id: id }));
      return ok({ quotas });
    }),
    ...['tenant', 'project'].map((name) =>
      route('GET', `/quotas/${name}`, ({ caller }) => ok({ [name]: { [`${name}_id`]: caller.projectId } })),
    ),
    route('GET', '/quotas/{project_id}', (call) => ok({ quota: limitsOf(cloud, readable(call)) })),
    route('GET', '/quotas/{project_id}/details', details),
    route('GET', '/quotas/{project_id}/default', (call) => {
      readable(call);
      return ok({ quota: DEFAULTS });
    }),
    route('PUT', '/quotas/{project_id}', ({ caller, params, body }) => {
      const changes = checked(body.quota);
      if (!caller.isAdmin) throw notAllowed('rule:update_quota');
      const id = `network:${params.project_id}`;
      cloud.quotas.put({ id, limits: { ...cloud.quotas.get(id)?.limits, ...changes } });
      return ok({ quota: limitsOf(cloud, params.project_id ?? '') });
    }),
    route('DELETE', '/quotas/{project_id}', ({ caller, params }) => {
      if (!caller.isAdmin) throw notAllowed('rule:delete_quota');
      if (!cloud.quotas.remove(`network:${params.project_id}`)) {
        const message = `Quota for tenant ${params.project_id} could not be found.`;
        throw new Fault(404, message, 'TenantQuotaNotFound');
      }
      return noContent;
    }),
  ];
}

function checked(input: unknown): Record<string, number> {
  if (!isObject(input)) throw badRequest("Unable to find 'quota' in request body");
  const { tenant_id: _tenant, project_id: _project, ...limits } = input as Json;
  const changes: Record<string, number> = {};
  for (const [name, value] of Object.entries(limits)) {
    if (!(name in DEFAULTS)) throw badRequest(`Unrecognized attribute(s) '${name}'`);
    const number = Number(value);
    const refuse = (reason: string) => badRequest(`Invalid input for ${name}. Reason: ${reason}.`);
    if (!Number.isInteger(number)) throw invalidInput(`'${String(value)}' is not an integer.`);
    if (number < -1) throw refuse(`'${number}' is too small - must be at least '-1'`);
    changes[name] = number;
  }
  return changes;
}
