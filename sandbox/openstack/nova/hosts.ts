// The hypervisors, the availability zone, the services, and where a new server fits.

import { createHash } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import { type Json, ok, type Route, route } from '../http.ts';
import { nowMicros, stableUuid } from '../ids.ts';
import { notFound, requirePolicy } from './faults.ts';
import type { FlavorRow } from './rows.ts';

export const ZONE = 'nova';

/** A worker of the original cluster. */
const CAPACITY = { vcpus: 12, ram: 24_576, disk: 150 } as const;
/** Nova's own defaults: vCPUs are shared by four (16 before Zed), memory and disk are not shared. */
const VCPU_RATIO = 4;

export function hostNames(cloud: Cloud): string[] {
  return Array.from({ length: cloud.hypervisorCount }, (_, index) => `worker${index + 1}`);
}

function usageOf(cloud: Cloud, host: string) {
  const usage = { vcpus: 0, ram: 0, disk: 0, servers: 0 };
  for (const { flavor, image_id: imageId } of cloud.servers.by('host', host)) {
    usage.vcpus += flavor.vcpus;
    usage.ram += flavor.ram;
    usage.disk += imageId === '' ? 0 : flavor.disk;
    usage.servers += 1;
  }
  return usage;
}

/** The emptiest host with room for the flavor, or undefined if none has. */
export function chooseHost(cloud: Cloud, flavor: FlavorRow, forced: string): string | undefined {
  const fitting = hostNames(cloud)
    .filter((host) => forced === '' || host === forced)
    .map((host) => ({ host, used: usageOf(cloud, host) }))
    .filter(
      ({ used }) =>
        used.vcpus + flavor.vcpus <= CAPACITY.vcpus * VCPU_RATIO &&
        used.ram + flavor.ram <= CAPACITY.ram &&
        used.disk + flavor.disk <= CAPACITY.disk,
    );
  return fitting.sort((a, b) => a.used.ram - b.used.ram)[0]?.host;
}

/** Nova shows members a hash instead of the host's name, different in each project. */
export function hostIdOf(projectId: string, host: string): string {
  if (host === '') return '';
  const words = `${projectId}${host}`;
  const known = hostIds.get(words);
  if (known !== undefined) return known;
  const id = createHash('sha224').update(words).digest('hex');
  if (hostIds.size >= MAX_HOST_IDS) hostIds.clear();
  hostIds.set(words, id);
  return id;
}

/** A list of a thousand servers asks for the same few again and again. */
const hostIds = new Map<string, string>();
const MAX_HOST_IDS = 1000;

export function hostRoutes(cloud: Cloud): Route[] {
  const zone = (hosts: unknown) => ({ zoneName: ZONE, zoneState: { available: true }, hosts });
  const detailed = (minor: number) =>
    hostNames(cloud).map((host, index) => hypervisor(cloud, host, index, minor));
  const hypervisorRule = (action: string) => `os_compute_api:os-hypervisors:${action}`;
  return [
    route('GET', '/os-availability-zone', () => ok({ availabilityZoneInfo: [zone(null)] })),
    route('GET', '/os-availability-zone/detail', ({ caller }) => {
      requirePolicy(caller, 'os_compute_api:os-availability-zone:detail');
      const state = { available: true, active: true, updated_at: nowMicros() };
      const hosts = Object.fromEntries(hostNames(cloud).map((host) => [host, { 'nova-compute': state }]));
      const controller = { controller: { 'nova-scheduler': state, 'nova-conductor': state } };
      const internal = { zoneName: 'internal', zoneState: { available: true }, hosts: controller };
      return ok({ availabilityZoneInfo: [internal, zone(hosts)] });
    }),
    route('GET', '/os-hypervisors', ({ caller, minor, query }) => {
      requirePolicy(caller, hypervisorRule('list'));
      const pattern = query.get('hypervisor_hostname_pattern') ?? '';
      const rows = detailed(minor).filter((row) => String(row.hypervisor_hostname).includes(pattern));
      return ok({
        hypervisors: rows.map(({ id, hypervisor_hostname, state, status }) => ({
          id,
          hypervisor_hostname,
          state,
          status,
        })),
      });
    }),
    route('GET', '/os-hypervisors/detail', ({ caller, minor }) => {
      requirePolicy(caller, hypervisorRule('list-detail'));
      return ok({ hypervisors: detailed(minor) });
    }),
    route('GET', '/os-hypervisors/statistics', ({ caller, minor }) => {
      requirePolicy(caller, hypervisorRule('statistics'));
      if (minor >= 88) throw notFound('The resource could not be found.');
      const rows = detailed(1);
      const sum = (name: string) => rows.reduce((total, row) => total + Number(row[name]), 0);
      const names = [
        ...['vcpus', 'memory_mb', 'local_gb', 'vcpus_used', 'memory_mb_used', 'local_gb_used', 'free_ram_mb'],
        ...['free_disk_gb', 'current_workload', 'running_vms', 'disk_available_least'],
      ];
      const sums = Object.fromEntries(names.map((name) => [name, sum(name)]));
      return ok({ hypervisor_statistics: { count: rows.length, ...sums } });
    }),
    route('GET', '/os-hypervisors/{id}', ({ caller, minor, params }) => {
      requirePolicy(caller, hypervisorRule('show'));
      const row = detailed(minor).find(({ id }) => String(id) === params.id);
      if (!row) throw notFound(`Compute host ${params.id} could not be found.`);
      return ok({ hypervisor: row });
    }),
    route('GET', '/os-services', ({ caller, minor }) => {
      requirePolicy(caller, 'os_compute_api:os-services:list');
      return ok({ services: services(cloud, minor) });
    }),
  ];
}

function hypervisor(cloud: Cloud, host: string, index: number, minor: number): Json {
  const used = usageOf(cloud, host);
  const hasUuid = minor >= 53;
  return {
    id: hasUuid ? stableUuid(`hypervisor ${host}`) : index + 1,
    hypervisor_hostname: host,
    state: 'up',
    status: 'enabled',
    hypervisor_type: 'fake',
    hypervisor_version: 1000,
    host_ip: '127.0.0.1',
    service: {
      id: hasUuid ? stableUuid(`service nova-compute ${host}`) : index + 3,
      host,
      disabled_reason: null,
    },
    ...(minor < 88
      ? {
          vcpus: CAPACITY.vcpus,
          memory_mb: CAPACITY.ram,
          local_gb: CAPACITY.disk,
          vcpus_used: used.vcpus,
          memory_mb_used: used.ram,
          local_gb_used: used.disk,
          free_ram_mb: CAPACITY.ram - used.ram,
          free_disk_gb: CAPACITY.disk - used.disk,
          current_workload: 0,
          running_vms: used.servers,
          disk_available_least: CAPACITY.disk - used.disk,
          cpu_info: minor >= 28 ? CPU_INFO : JSON.stringify(CPU_INFO),
        }
      : { uptime: ' 12:00:00 up 1 day,  0 users,  load average: 0.00, 0.00, 0.00' }),
  };
}

const CPU_INFO = {
  arch: 'x86_64',
  model: 'Nehalem',
  vendor: 'Intel',
  features: [],
  topology: { cores: 1, threads: 1, sockets: 4 },
};

function services(cloud: Cloud, minor: number): Json[] {
  const list = [
    { binary: 'nova-scheduler', host: 'controller', zone: 'internal' },
    { binary: 'nova-conductor', host: 'controller', zone: 'internal' },
    ...hostNames(cloud).map((host) => ({ binary: 'nova-compute', host, zone: ZONE })),
  ];
  return list.map(({ binary, host, zone }, index) => ({
    binary,
    host,
    id: minor >= 53 ? stableUuid(`service ${binary} ${host}`) : index + 1,
    zone,
    status: 'enabled',
    state: 'up',
    updated_at: nowMicros(),
    disabled_reason: null,
    ...(minor >= 11 ? { forced_down: false } : {}),
  }));
}
