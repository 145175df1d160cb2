// Nova's quotas and limits: /os-quota-sets, /limits, and the check that every build passes.

import type { Cloud } from '../cloud.ts';
import { type Call, type Json, ok, type Route, route } from '../http.ts';
import { badRequest, forbidden, invalidField, objectOf, requirePolicy } from './faults.ts';

const DEFAULTS: Readonly<Record<string, number>> = {
  cores: 20,
  fixed_ips: -1,
  floating_ips: -1,
  injected_file_content_bytes: 10_240,
  injected_file_path_bytes: 255,
  injected_files: 5,
  instances: 10,
  key_pairs: 100,
  metadata_items: 128,
  ram: 51_200,
  security_group_rules: -1,
  security_groups: -1,
  server_group_members: 10,
  server_groups: 10,
};
/** Proxies of Neutron's, gone with 2.36, and file injection, gone with 2.57. */
const NETWORK_NAMES = ['fixed_ips', 'floating_ips', 'security_group_rules', 'security_groups'];
const INJECTION_NAMES = ['injected_file_content_bytes', 'injected_file_path_bytes', 'injected_files'];

type Numbers = Record<string, number>;

export function computeLimits(cloud: Cloud, projectId: string): Numbers {
  return { ...DEFAULTS, ...cloud.quotas.get(`compute:${projectId}`)?.limits };
}

/** How many server groups a project may have; negative is unlimited. */
export function groupLimit(cloud: Cloud, projectId: string): number {
  return computeLimits(cloud, projectId).server_groups ?? -1;
}

function usedBy(cloud: Cloud, projectId: string): Numbers {
  const used = { instances: 0, cores: 0, ram: 0 };
  for (const { flavor } of cloud.servers.by('project_id', projectId)) {
    used.instances += 1;
    used.cores += flavor.vcpus;
    used.ram += flavor.ram;
  }
  return used;
}

/** How many of `wanted` servers fit, at least `least`; throws Nova's 403 if not even those do. */
export function reserveServers(
  cloud: Cloud,
  projectId: string,
  request: { vcpus: number; ram: number; least: number; wanted: number; servers?: number },
): number {
  const { vcpus, ram, least, wanted, servers = 1 } = request;
  const limits = computeLimits(cloud, projectId);
  const used = usedBy(cloud, projectId);
  const sizes: Numbers = { cores: vcpus, instances: servers, ram };
  const isOver = (name: string, count: number) => {
    const limit = limits[name] ?? -1;
    return limit >= 0 && (used[name] ?? 0) + count * (sizes[name] ?? 0) > limit;
  };
  for (let count = wanted; count >= least; count -= 1) {
    if (!Object.keys(sizes).some((name) => isOver(name, count))) return count;
  }
  const over = Object.keys(sizes).filter((name) => isOver(name, least));
  const join = (of: (name: string) => number | undefined) => over.map(of).join(', ');
  throw forbidden(
    `Quota exceeded for ${over.join(', ')}: Requested ${join((name) => least * (sizes[name] ?? 0))}, but already used ${join((name) => used[name])} of ${join((name) => limits[name])} ${over.join(', ')}`,
  );
}

function visible(limits: Numbers, minor: number): Numbers {
  const hidden = [...(minor >= 36 ? NETWORK_NAMES : []), ...(minor >= 57 ? INJECTION_NAMES : [])];
  return Object.fromEntries(Object.entries(limits).filter(([name]) => !hidden.includes(name)));
}

export function quotaRoutes(cloud: Cloud): Route[] {
  const path = '/os-quota-sets/{project_id}';
  const readable = ({ caller, params }: Call, rule: string) => {
    const { project_id: projectId = '' } = params;
    requirePolicy(
      caller,
      `os_compute_api:os-quota-sets:${rule}`,
      caller.isAdmin || caller.projectId === projectId,
    );
    mustProject(cloud, projectId);
    return projectId;
  };
  return [
    route('GET', path, (call) => {
      const id = readable(call, 'show');
      return ok({ quota_set: { id, ...visible(computeLimits(cloud, id), call.minor) } });
    }),
    route('GET', `${path}/detail`, (call) => {
      const id = readable(call, 'detail');
      const used = usedBy(cloud, id);
      const limits = Object.entries(visible(computeLimits(cloud, id), call.minor));
      const shown = limits.map(([name, limit]) => [name, { limit, in_use: used[name] ?? 0, reserved: 0 }]);
      return ok({ quota_set: { id, ...Object.fromEntries(shown) } });
    }),
    route('GET', `${path}/defaults`, (call) => {
      const { project_id: id = '' } = call.params;
      mustProject(cloud, id);
      return ok({ quota_set: { id, ...visible(DEFAULTS, call.minor) } });
    }),
    route('PUT', path, (call) => ok({ quota_set: update(cloud, call) })),
    route('DELETE', path, ({ caller, params }) => {
      requirePolicy(caller, 'os_compute_api:os-quota-sets:delete');
      cloud.quotas.remove(`compute:${params.project_id}`);
      return { status: 202 };
    }),
    route('GET', '/limits', ({ caller, minor, query }) => {
      const asked = query.get('tenant_id') ?? caller.projectId;
      requirePolicy(
        caller,
        'os_compute_api:limits:other_project',
        caller.isAdmin || asked === caller.projectId,
      );
      return ok({ limits: { rate: [], absolute: absolute(cloud, asked, minor) } });
    }),
  ];
}

function mustProject(cloud: Cloud, id: string): void {
  if (!cloud.projects.get(id)) throw badRequest(`Project ID ${id} is not a valid project.`);
}

function update(cloud: Cloud, { caller, params, body, minor }: Call): Json {
  requirePolicy(caller, 'os_compute_api:os-quota-sets:update');
  const { project_id: projectId = '' } = params;
  const allowed = [...Object.keys(visible(DEFAULTS, minor)), 'force', 'tenant_id'];
  const input = objectOf(body, 'quota_set', { allowed });
  mustProject(cloud, projectId);
  const used = usedBy(cloud, projectId);
  const changes: Numbers = {};
  for (const [name, value] of Object.entries(input)) {
    if (name === 'force' || name === 'tenant_id') continue;
    const limit = Number(value);
    if (!Number.isInteger(limit) || limit < -1) {
      throw invalidField(name, value, `${String(value)} is less than the minimum of -1`);
    }
    const inUse = used[name] ?? 0;
    if (limit >= 0 && limit < inUse && input.force !== true) {
      throw badRequest(
        `Quota limit ${limit} for ${name} must be greater than or equal to already used and reserved ${inUse}.`,
      );
    }
    changes[name] = limit;
  }
  const id = `compute:${projectId}`;
  cloud.quotas.put({ id, limits: { ...cloud.quotas.get(id)?.limits, ...changes } });
  return visible(computeLimits(cloud, projectId), minor);
}

function absolute(cloud: Cloud, projectId: string, minor: number): Json {
  const limits = computeLimits(cloud, projectId);
  const used = usedBy(cloud, projectId);
  const hasImageMeta = minor < 39;
  const hasInjection = minor < 57;
  const hasNetwork = minor < 36;
  return {
    maxTotalInstances: limits.instances,
    maxTotalCores: limits.cores,
    maxTotalRAMSize: limits.ram,
    maxServerMeta: limits.metadata_items,
    ...(hasImageMeta ? { maxImageMeta: limits.metadata_items } : {}),
    ...(hasInjection ? { maxPersonality: 5, maxPersonalitySize: 10_240 } : {}),
    maxTotalKeypairs: limits.key_pairs,
    maxServerGroups: limits.server_groups,
    maxServerGroupMembers: limits.server_group_members,
    ...(hasNetwork ? { maxTotalFloatingIps: -1, maxSecurityGroups: -1, maxSecurityGroupRules: -1 } : {}),
    totalRAMUsed: used.ram,
    totalCoresUsed: used.cores,
    totalInstancesUsed: used.instances,
    ...(hasNetwork ? { totalFloatingIpsUsed: 0, totalSecurityGroupsUsed: 0 } : {}),
    totalServerGroupsUsed: 0,
  };
}
