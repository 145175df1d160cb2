// What happens to ports besides the port API: binding to a host, becoming ACTIVE, DHCP ports that agents make, and what
// else goes when a port goes. Nova and routers use it too.

import { randomUUID } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import { randomMac } from '../ids.ts';
import { allocate, nextFree, type Order } from './allocation.ts';
import { isAutoAddressed } from './auto-addresses.ts';
import { bump, standardRow } from './resource.ts';
import type { FixedIp, PortRow } from './rows.ts';

const DHCP = 'network:dhcp';
export const NETWORK_NODE = 'controller';

/** Agents answer within a fifth of a server's build time. */
export function agentDelayMs(cloud: Cloud): number {
  return Math.round(cloud.buildDelayMs / 5);
}

export function registerPortTasks(cloud: Cloud): void {
  cloud.tasks.on('port up', (portId) => {
    const port = cloud.ports.get(portId);
    if (port && port.host !== '') bump(cloud.ports, port, { status: 'ACTIVE' });
  });
  cloud.tasks.on('dhcp', (networkId) => serveDhcp(cloud, networkId));
}

export type NewPort = {
  readonly networkId: string;
  readonly projectId: string;
  readonly deviceId: string;
  readonly deviceOwner: string;
  readonly host?: string;
  readonly fixedIps?: unknown;
  readonly securityGroups?: readonly string[];
  readonly status?: string;
  readonly order?: Order;
};

/** A port made by the cloud itself: for a router, a floating IP, DHCP, or a server. */
export function makePort(cloud: Cloud, wish: NewPort): PortRow {
  const isForServer = wish.deviceOwner.startsWith('compute:');
  const mac = randomMac();
  const row: PortRow = {
    ...standardRow({ project_id: wish.projectId }),
    id: randomUUID(),
    network_id: wish.networkId,
    mac_address: mac,
    admin_state_up: true,
    status: wish.status ?? 'DOWN',
    device_id: wish.deviceId,
    device_owner: wish.deviceOwner,
    fixed_ips: allocate(cloud, {
      networkId: wish.networkId,
      fixedIps: wish.fixedIps,
      order: wish.order ?? 'random',
      mac,
      deviceOwner: wish.deviceOwner,
    }),
    security_groups: wish.securityGroups ?? [],
    allowed_address_pairs: [],
    port_security_enabled: isForServer && (cloud.networks.get(wish.networkId)?.port_security_enabled ?? true),
    host: wish.host ?? '',
    revision_number: 1,
  };
  cloud.ports.put(row);
  if (row.host !== '') cloud.tasks.after(agentDelayMs(cloud), 'port up', row.id);
  return row;
}

/** Deletes a port and frees what pointed at it. */
export function deletePort(cloud: Cloud, port: PortRow): void {
  for (const floating of cloud.floatingIps.by('port_id', port.id)) {
    bump(cloud.floatingIps, floating, {
      port_id: '',
      fixed_ip_address: null,
      router_id: null,
      status: 'DOWN',
    });
  }
  cloud.tasks.cancel(port.id);
  cloud.ports.remove(port.id);
}

export function scheduleDhcp(cloud: Cloud, networkId: string): void {
  cloud.tasks.cancel(networkId, 'dhcp');
  cloud.tasks.after(agentDelayMs(cloud), 'dhcp', networkId);
}

/** One DHCP port per network, with an address on each subnet that has DHCP; none if no subnet has. */
function serveDhcp(cloud: Cloud, networkId: string): void {
  const network = cloud.networks.get(networkId);
  if (!network) return;
  const wanted = cloud.subnets.by('network_id', networkId).filter((subnet) => subnet.enable_dhcp);
  const port = cloud.ports
    .by('network_id', networkId)
    .find((row) => row.device_owner === DHCP && row.host !== '');
  if (wanted.length === 0) {
    if (port) deletePort(cloud, port);
    return;
  }
  const fixedIps: FixedIp[] = [];
  for (const subnet of wanted) {
    const kept = port?.fixed_ips.find((ip) => ip.subnet_id === subnet.id);
    if (kept) fixedIps.push(kept);
    // A full subnet goes without DHCP, as it does in Neutron.
    else if (!isAutoAddressed(subnet)) fixedIps.push(...nextFree(cloud, subnet));
  }
  if (port) {
    bump(cloud.ports, port, { fixed_ips: fixedIps });
    return;
  }
  makePort(cloud, {
    networkId,
    projectId: network.project_id,
    deviceId: `dhcp${randomUUID()}-${networkId}`,
    deviceOwner: DHCP,
    host: NETWORK_NODE,
    fixedIps: fixedIps.map((ip) => ({ ...ip })),
    status: 'ACTIVE',
  });
}
