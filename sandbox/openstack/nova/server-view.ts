// How a server looks, at every microversion.

import type { Cloud } from '../cloud.ts';
import type { Call, Json } from '../http.ts';
import type { PortRow } from '../neutron/rows.ts';
import { hostIdOf } from './hosts.ts';
import type { ServerRow } from './rows.ts';

/** Nova's states and tasks as the one word that users see. */
export function statusOf({ vm_state: state, task_state: task }: ServerRow): string {
  switch (state) {
    case 'active':
      if (task === 'rebooting') return 'REBOOT';
      if (task === 'rebooting_hard') return 'HARD_REBOOT';
      if (task?.startsWith('resize') === true) return 'RESIZE';
      if (task?.startsWith('rebuil') === true) return 'REBUILD';
      return 'ACTIVE';
    case 'building':
      return 'BUILD';
    case 'stopped':
      if (task?.startsWith('resize') === true) return 'RESIZE';
      if (task?.startsWith('rebuil') === true) return 'REBUILD';
      return 'SHUTOFF';
    case 'resized':
      return task === 'resize_reverting' ? 'REVERT_RESIZE' : 'VERIFY_RESIZE';
    case 'rescued':
      return 'RESCUE';
    case 'shelved_offloaded':
      return 'SHELVED_OFFLOADED';
    default:
      return state.toUpperCase();
  }
}

export function portsOf(cloud: Cloud, server: ServerRow): PortRow[] {
  return server.requested_networks.flatMap(({ port_id: id }) => {
    const port = cloud.ports.get(id);
    return port && port.device_id === server.id ? [port] : [];
  });
}

export function linksOf(cloud: Cloud, id: string) {
  return [
    { rel: 'self', href: `${cloud.url}/compute/v2.1/servers/${id}` },
    { rel: 'bookmark', href: `${cloud.url}/compute/servers/${id}` },
  ];
}

export function briefServer(cloud: Cloud, row: ServerRow): Json {
  return { id: row.id, name: row.name, links: linksOf(cloud, row.id) };
}

const WITH_PROGRESS = ['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING'];

export function showServer(cloud: Cloud, row: ServerRow, { caller, minor }: Call, isAlone: boolean): Json {
  const status = statusOf(row);
  const ports = portsOf(cloud, row);
  const groups = groupNames(cloud, ports);
  return {
    id: row.id,
    name: row.name,
    status,
    tenant_id: row.project_id,
    user_id: row.user_id,
    metadata: row.metadata,
    hostId: hostIdOf(row.project_id, row.host),
    image: row.image_id === '' ? '' : imageOf(cloud, row.image_id),
    flavor: flavorOf(cloud, row, minor),
    created: row.created_at,
    updated: row.updated_at,
    addresses: addressesOf(cloud, ports, true),
    accessIPv4: row.access_ip_v4,
    accessIPv6: row.access_ip_v6,
    links: linksOf(cloud, row.id),
    'OS-DCF:diskConfig': row.disk_config ?? 'MANUAL',
    ...(WITH_PROGRESS.includes(status) ? { progress: 0 } : {}),
    ...(status === 'ERROR' && row.fault ? { fault: faultOf(row.fault, caller.isAdmin) } : {}),
    'OS-EXT-AZ:availability_zone': row.availability_zone,
    config_drive: row.config_drive ? 'True' : '',
    key_name: row.key_name,
    'OS-SRV-USG:launched_at': row.launched_at,
    'OS-SRV-USG:terminated_at': null,
    ...(groups.length > 0 ? { security_groups: groups.map((name) => ({ name })) } : {}),
    ...(caller.isAdmin ? adminFields(row, minor) : {}),
    ...(minor >= 90 && !caller.isAdmin ? { 'OS-EXT-SRV-ATTR:hostname': row.hostname } : {}),
    'OS-EXT-STS:task_state': row.task_state,
    'OS-EXT-STS:vm_state': row.vm_state,
    'OS-EXT-STS:power_state': row.power_state,
    'os-extended-volumes:volumes_attached': row.volumes.map((volume) => ({
      id: volume.volume_id,
      ...(minor >= 3 ? { delete_on_termination: volume.delete_on_termination } : {}),
    })),
    ...(minor >= 16 && caller.isAdmin ? { host_status: row.host === '' ? '' : 'UP' } : {}),
    ...(minor >= 9 ? { locked: row.locked } : {}),
    ...(minor >= 73 ? { locked_reason: row.locked_reason } : {}),
    ...(minor >= 19 ? { description: row.description } : {}),
    ...(minor >= 26 ? { tags: row.tags } : {}),
    ...(minor >= 63 ? { trusted_image_certificates: null } : {}),
    ...(minor >= 71 && isAlone ? { server_groups: row.server_group_id ? [row.server_group_id] : [] } : {}),
  };
}

/** Since 2.75 the answers to a change and a rebuild show everything; before, they lack these. */
const NOT_AFTER_CHANGE = [
  ...[
    'OS-EXT-AZ:availability_zone',
    'OS-EXT-STS:power_state',
    'OS-EXT-STS:task_state',
    'OS-EXT-STS:vm_state',
  ],
  ...['OS-SRV-USG:launched_at', 'OS-SRV-USG:terminated_at', 'config_drive', 'key_name', 'security_groups'],
  ...['os-extended-volumes:volumes_attached', 'host_status'],
];

export function showChanged(cloud: Cloud, row: ServerRow, call: Call): Json {
  const whole = showServer(cloud, row, call, true);
  if (call.minor >= 75) return whole;
  const kept = Object.entries(whole).filter(
    ([name]) => !NOT_AFTER_CHANGE.includes(name) && !name.startsWith('OS-EXT-SRV-ATTR:'),
  );
  return { ...Object.fromEntries(kept), addresses: addressesOf(cloud, portsOf(cloud, row), false) };
}

function adminFields(row: ServerRow, minor: number): Json {
  return {
    'OS-EXT-SRV-ATTR:host': row.host || null,
    'OS-EXT-SRV-ATTR:instance_name': `instance-${row.number.toString(16).padStart(8, '0')}`,
    'OS-EXT-SRV-ATTR:hypervisor_hostname': row.host || null,
    ...(minor >= 3
      ? {
          'OS-EXT-SRV-ATTR:reservation_id': row.reservation_id,
          'OS-EXT-SRV-ATTR:launch_index': row.launch_index,
          'OS-EXT-SRV-ATTR:hostname': row.hostname,
          'OS-EXT-SRV-ATTR:kernel_id': '',
          'OS-EXT-SRV-ATTR:ramdisk_id': '',
          'OS-EXT-SRV-ATTR:root_device_name': row.host === '' ? null : '/dev/sda',
          'OS-EXT-SRV-ATTR:user_data': row.user_data,
        }
      : {}),
  };
}

function imageOf(cloud: Cloud, id: string): Json {
  return { id, links: [{ rel: 'bookmark', href: `${cloud.url}/compute/images/${id}` }] };
}

function flavorOf(cloud: Cloud, { flavor }: ServerRow, minor: number): Json {
  if (minor < 47) {
    return { id: flavor.id, links: [{ rel: 'bookmark', href: `${cloud.url}/compute/flavors/${flavor.id}` }] };
  }
  return {
    vcpus: flavor.vcpus,
    ram: flavor.ram,
    disk: flavor.disk,
    ephemeral: flavor.ephemeral,
    swap: flavor.swap,
    original_name: flavor.name,
    extra_specs: flavor.extra_specs,
  };
}

function faultOf(fault: NonNullable<ServerRow['fault']>, isAdmin: boolean): Json {
  const { code, created, message } = fault;
  // Members see no traceback, except of faults that are not the cloud's (code below 500).
  return { code, created, message, ...(isAdmin ? { details: `nova.exception: ${message}\n` } : {}) };
}

export function addressesOf(cloud: Cloud, ports: readonly PortRow[], isDetailed: boolean): Json {
  const addresses: Record<string, Json[]> = {};
  for (const port of ports) {
    const name = cloud.networks.get(port.network_id)?.name ?? port.network_id;
    const list = addresses[name] ?? [];
    const add = (addr: string, type: string) =>
      list.push({
        version: addr.includes(':') ? 6 : 4,
        addr,
        ...(isDetailed ? { 'OS-EXT-IPS:type': type, 'OS-EXT-IPS-MAC:mac_addr': port.mac_address } : {}),
      });
    for (const ip of port.fixed_ips) add(ip.ip_address, 'fixed');
    for (const floating of cloud.floatingIps.by('port_id', port.id))
      add(floating.floating_ip_address, 'floating');
    if (list.length > 0) addresses[name] = list;
  }
  return addresses;
}

function groupNames(cloud: Cloud, ports: readonly PortRow[]): string[] {
  const ids = new Set(ports.flatMap((port) => port.security_groups));
  return [...new Set([...ids].flatMap((id) => cloud.groups.get(id)?.name ?? []))];
}
