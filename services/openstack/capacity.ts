// What the cloud has and what of it is used, as far as the configured credentials are told.

import { Failure } from '#common/errors.ts';
import type { Capacity } from '#proto/pucp/driver/v1/driver_service.ts';
import type { ZoneCapacity } from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { Host } from '#proto/pucp/slice/v1/capacity.ts';
import { Infrastructure } from '#proto/pucp/slice/v1/slice.ts';
import type { ProjectClients } from './api/cloud.ts';
import type { AvailabilityZone, Hypervisor } from './api/nova.ts';
import type { NovaFlavor } from './api/nova-flavors.ts';
import type { CallContext } from './api/settings.ts';
import type { Catalog } from './catalog.ts';
import type { OpenstackConfig } from './config.ts';
import { knownNames, resolve } from './names.ts';

export type CapacityDeps = {
  readonly catalog: Catalog;
  readonly home: ProjectClients;
  readonly config: Pick<OpenstackConfig, 'flavors'>;
};

export async function capacityOf(
  { catalog, home, config }: CapacityDeps,
  context: CallContext,
): Promise<Capacity> {
  const [hypervisors, zones, flavors] = await Promise.all([
    forAdmins(home.nova.listHypervisors(context), async () => []),
    forAdmins(catalog.zonesWithHosts(context), () => catalog.zones(context)),
    // What a project may use besides is between the two.
    catalog.flavors([], context),
  ]);
  return {
    hosts: hypervisors.map((hypervisor) => hostOf(hypervisor, zones)),
    zones: zones.map(({ zoneName, zoneState }) => ({
      name: zoneName,
      infrastructure: Infrastructure.OPENSTACK,
      isActive: zoneState.available,
    })),
    flavors: Object.fromEntries(
      knownNames(flavors, config.flavors).flatMap((name) => {
        const flavor = resolve(name, flavors, config.flavors);
        return flavor ? [[name, sizeOf(flavor)]] : [];
      }),
    ),
  };
}

/** The hosts of each zone, summed up; hosts whose zone is not known are left out. */
export function capacityByZone(hosts: readonly Host[]): Record<string, ZoneCapacity> {
  const zones = Map.groupBy(
    hosts.filter(({ zoneName }) => zoneName !== ''),
    ({ zoneName }) => zoneName,
  );
  return Object.fromEntries([...zones].sort().map(([name, those]) => [name, sumOf(those)]));
}

function sumOf(hosts: readonly Host[]): ZoneCapacity {
  const sum = (of: (host: Host) => number) => hosts.reduce((total, host) => total + of(host), 0);
  return {
    hosts: hosts.length,
    totalVcpus: sum((host) => host.totalVcpus),
    usedVcpus: sum((host) => host.usedVcpus),
    availableVcpus: sum((host) => host.availableVcpus),
    totalRam: sum((host) => host.totalRam),
    usedRam: sum((host) => host.usedRam),
    availableRam: sum((host) => host.availableRam),
    totalDisk: sum((host) => host.totalDisk),
    usedDisk: sum((host) => host.usedDisk),
    availableDisk: sum((host) => host.availableDisk),
  };
}

/** Credentials of a mere member are not told about hosts, which is no reason to tell nothing. */
export async function forAdmins<T>(asking: Promise<T>, otherwise: () => Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    if (isForbidden(error)) return await otherwise();
    throw error;
  }
}

/** Whether the cloud keeps something to its administrators. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Failure && error.reason === 'CLOUD_FORBIDDEN';
}

function hostOf(hypervisor: Hypervisor, zones: readonly AvailabilityZone[]): Host {
  const { hypervisor_hostname: hostname } = hypervisor;
  // A hypervisor may be known by its full name where Nova's service goes by the short one.
  const zone = zones.find(({ hosts }) =>
    Object.keys(hosts ?? {}).some((host) => hostname === host || hostname.startsWith(`${host}.`)),
  );
  const { vcpus, vcpus_used, memory_mb, memory_mb_used, local_gb, local_gb_used } = hypervisor;
  return {
    hostname,
    infrastructure: Infrastructure.OPENSTACK,
    zoneName: zone?.zoneName ?? '',
    status: hypervisor.state === 'up' && hypervisor.status === 'enabled' ? 'up' : 'down',
    totalVcpus: vcpus,
    totalRam: memory_mb,
    totalDisk: local_gb,
    usedVcpus: vcpus_used,
    usedRam: memory_mb_used,
    usedDisk: local_gb_used,
    availableVcpus: Math.max(0, vcpus - vcpus_used),
    availableRam: Math.max(0, memory_mb - memory_mb_used),
    availableDisk: Math.max(0, local_gb - local_gb_used),
  };
}

function sizeOf({ vcpus, ram, disk }: NovaFlavor) {
  return { vcpus, ram, disk };
}
