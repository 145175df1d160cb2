// What of a project's quotas a plan takes, beside what is used of them at this moment.

import type { QuotaUse } from '#proto/pucp/slice/v1/plan.ts';
import type { Cloud } from './api/cloud.ts';
import type { CallContext } from './api/settings.ts';
import { isForbidden } from './capacity.ts';
import type { Amounts } from './needs.ts';
import { type AllUses, readUses, type Use } from './quota-change.ts';
import type { ProjectQuotas } from './tables.ts';

export type QuotaRoomDeps = {
  readonly cloud: Cloud;
  readonly config: { readonly quotas: ProjectQuotas };
};

/**
 * The quotas that something is needed of. Without a project they are those of the one that would be made; what the
 * credentials may not read is left out. Never from a cache: what was promised to others is held against these numbers.
 */
export async function quotasFor(
  { cloud, config }: QuotaRoomDeps,
  { projectId, needed }: { readonly projectId: string | undefined; readonly needed: Amounts },
  context: CallContext,
): Promise<QuotaUse[]> {
  const names = Object.keys(needed).filter((name) => (needed[name] ?? 0) > 0);
  if (names.length === 0) return [];
  const uses =
    projectId === undefined
      ? usesOfNew(config.quotas)
      : byAmount(await readUses(cloud, projectId, context, untold));
  return names.sort().flatMap((name) => {
    const use = uses[name];
    if (!use) return [];
    const { limit, inUse, reserved } = use;
    return [{ name, needed: needed[name] ?? 0, used: inUse + reserved, limit, reserved: 0 }];
  });
}

/** What a service keeps to its administrators bounds nothing here; it will refuse by itself. */
function untold(error: unknown): object {
  if (isForbidden(error)) return {};
  throw error;
}

/** By the names of Amount. */
type Rooms = Readonly<Record<string, Use | undefined>>;

function byAmount({ compute, network, volume }: AllUses): Rooms {
  // Neutron makes it with the first thing in a project, and takes the room for it whatever the limit is (seen on Zed).
  const isWithoutDefaultGroup = network.security_group?.inUse === 0;
  const and = (use: Use | undefined, more: number): Use | undefined =>
    use && isWithoutDefaultGroup ? { ...use, inUse: use.inUse + more } : use;
  return {
    instances: compute.instances,
    vcpus: compute.cores,
    ram: compute.ram,
    networks: network.network,
    subnets: network.subnet,
    routers: network.router,
    ports: network.port,
    floating_ips: network.floatingip,
    security_groups: and(network.security_group, DEFAULT_GROUP.groups),
    security_group_rules: and(network.security_group_rule, DEFAULT_GROUP.rules),
    volumes: volume?.volumes,
    volume_gigabytes: volume?.gigabytes,
  };
}

/** The group called default, which every project has. */
const DEFAULT_GROUP = { groups: 1, rules: 4 };

function usesOfNew(quotas: ProjectQuotas): Rooms {
  const of = (limit: number, inUse = 0): Use => ({ limit, inUse, reserved: 0 });
  return {
    instances: of(quotas.instances),
    vcpus: of(quotas.cores),
    ram: of(quotas.ram),
    networks: of(quotas.networks),
    subnets: of(quotas.subnets),
    routers: of(quotas.routers),
    ports: of(quotas.ports),
    floating_ips: of(quotas.floating_ips),
    security_groups: of(quotas.security_groups, DEFAULT_GROUP.groups),
    security_group_rules: of(quotas.security_group_rules, DEFAULT_GROUP.rules),
    volumes: of(quotas.volumes),
    volume_gigabytes: of(quotas.gigabytes),
  };
}
