// What the clouds have: every configured driver is asked, and one that does not answer is named instead of failing all.

import type { Caller } from '#common/caller.ts';
import { Failure } from '#common/errors.ts';
import type { Capacity } from '#proto/pucp/driver/v1/driver_service.ts';
import { type Host, type ResourceStatistics, Resources } from '#proto/pucp/slice/v1/capacity.ts';
import { Infrastructure } from '#proto/pucp/slice/v1/slice.ts';
import type { GetResourcesRequest } from '#proto/pucp/slice/v1/slice_service.ts';
import { type DriverName, type Drivers, SINGLE } from './drivers.ts';

const TIMEOUT_MS = 10_000;

export type ResourcesOptions = {
  readonly caller: Caller;
  readonly requestId: string;
  readonly signal: AbortSignal;
};

export async function collectResources(
  { infrastructure, zone }: GetResourcesRequest,
  drivers: Drivers,
  { caller, requestId, signal }: ResourcesOptions,
): Promise<Resources> {
  const wanted = (name: DriverName) =>
    infrastructure === Infrastructure.UNSPECIFIED ||
    infrastructure === Infrastructure.HYBRID ||
    infrastructure === SINGLE[name];
  const asked = drivers.configured.filter(({ name }) => wanted(name));
  const resources = Resources.create();
  if (infrastructure !== Infrastructure.UNSPECIFIED) {
    for (const name of Object.keys(SINGLE) as DriverName[]) {
      const isConfigured = drivers.configured.some((one) => one.name === name);
      if (wanted(name) && !isConfigured) resources.unreachable[name] = `no ${name} driver is configured`;
    }
  }
  const token = await drivers.token(caller);
  await Promise.all(
    asked.map(async ({ name, driver }) => {
      const options = { token, requestId, signal, timeoutMs: TIMEOUT_MS };
      const answer = await driver.getCapacity({}, options).catch((error: unknown) => {
        resources.unreachable[name] = error instanceof Failure ? error.message : 'it does not answer';
        return undefined;
      });
      if (answer) add(resources, { name, zone, capacity: answer });
    }),
  );
  resources.servers.sort((a, b) => a.hostname.localeCompare(b.hostname));
  resources.availabilityZones.sort((a, b) => a.name.localeCompare(b.name));
  return resources;
}

function add(
  resources: Resources,
  { name, zone, capacity }: { name: DriverName; zone: string; capacity: Capacity },
): void {
  const hosts = capacity.hosts.filter((host) => zone === '' || host.zoneName === zone);
  resources.servers.push(...hosts);
  resources.availabilityZones.push(...capacity.zones.filter((one) => zone === '' || one.name === zone));
  resources.statistics[name] = statisticsOf(hosts);
  Object.assign(resources.vmFlavors, capacity.flavors);
}

function statisticsOf(hosts: readonly Host[]): ResourceStatistics {
  const sum = (pick: (host: Host) => number) => hosts.reduce((total, host) => total + pick(host), 0);
  const totals = {
    totalVcpus: sum((host) => host.totalVcpus),
    usedVcpus: sum((host) => host.usedVcpus),
    totalRam: sum((host) => host.totalRam),
    usedRam: sum((host) => host.usedRam),
    totalDisk: sum((host) => host.totalDisk),
    usedDisk: sum((host) => host.usedDisk),
  };
  return {
    totalServers: hosts.length,
    activeServers: hosts.filter((host) => host.status === 'up').length,
    ...totals,
    cpuUtilization: percent(totals.usedVcpus, totals.totalVcpus),
    ramUtilization: percent(totals.usedRam, totals.totalRam),
    diskUtilization: percent(totals.usedDisk, totals.totalDisk),
  };
}

/** To two decimals; 0 of nothing. */
function percent(used: number, total: number): number {
  return total === 0 ? 0 : Math.round((used / total) * 10_000) / 100;
}
