// Floating IPs.

import { randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { Fault, type Json } from '../http.ts';
import { type Attributes, STANDARD } from './attributes.ts';
import { notFound } from './faults.ts';
import { isNetworkVisible } from './networks.ts';
import { agentDelayMs, deletePort, makePort } from './port-life.ts';
import { bump, isOwn, type Resource, standardRow } from './resource.ts';
import type { FloatingIpRow, PortRow } from './rows.ts';

const { name: _name, ...WITHOUT_NAME } = STANDARD;

const ATTRIBUTES: Attributes = {
  ...WITHOUT_NAME,
  floating_network_id: { type: 'uuid', on: 'create', isRequired: true },
  floating_ip_address: { type: 'text', on: 'create', isAdminOnly: true },
  port_id: { type: 'uuid or null', on: 'both' },
  fixed_ip_address: { type: 'any', on: 'both' },
  subnet_id: { type: 'uuid or null', on: 'create' },
  qos_policy_id: { type: 'uuid or null', on: 'both' },
  router_id: { type: 'any', on: 'never' },
  status: { type: 'any', on: 'never' },
  port_details: { type: 'any', on: 'never' },
  port_forwardings: { type: 'any', on: 'never' },
};

export function floatingIps(cloud: Cloud): Resource<FloatingIpRow> {
  return {
    singular: 'floatingip',
    plural: 'floatingips',
    className: 'FloatingIP',
    path: '/floatingips',
    quota: 'floatingip',
    table: cloud.floatingIps,
    attributes: ATTRIBUTES,
    isVisible: isOwn,
    candidates: (caller, query) => {
      const ports = query.getAll('port_id');
      if (ports.length > 0) {
        return ports.flatMap((id) => cloud.floatingIps.by('port_id', id)).filter((row) => isOwn(row, caller));
      }
      return caller.isAdmin ? cloud.floatingIps.all() : cloud.floatingIps.by('project_id', caller.projectId);
    },
    show: (row) => show(cloud, row),
    create: (input, caller) => create(cloud, input, caller),
    update: (row, changes, caller) => {
      const { description } = changes;
      const changed = bump(cloud.floatingIps, row, typeof description === 'string' ? { description } : {});
      return changes.port_id === undefined ? changed : associate(cloud, changed, changes, caller);
    },
    remove: (row) => {
      const holder = cloud.ports.get(row.holder_port_id);
      if (holder) deletePort(cloud, holder);
      cloud.tasks.cancel(row.id);
      cloud.floatingIps.remove(row.id);
    },
  };
}

export function registerFloatingIpTasks(cloud: Cloud): void {
  cloud.tasks.on('floating ip', (id, { status = 'DOWN' }) => {
    const row = cloud.floatingIps.get(id);
    if (row) cloud.floatingIps.update(id, { status });
  });
}

function show(cloud: Cloud, row: FloatingIpRow): Json {
  const port = cloud.ports.get(row.port_id);
  return {
    id: row.id,
    tenant_id: row.project_id,
    floating_ip_address: row.floating_ip_address,
    floating_network_id: row.floating_network_id,
    router_id: row.router_id,
    port_id: row.port_id || null,
    fixed_ip_address: row.fixed_ip_address,
    status: row.status,
    description: row.description,
    qos_policy_id: null,
    port_details: port ? detailsOf(port) : null,
    port_forwardings: [],
    tags: row.tags,
    created_at: row.created_at,
    updated_at: row.updated_at,
    revision_number: row.revision_number,
    project_id: row.project_id,
  };
}

function detailsOf(port: PortRow): Json {
  return {
    name: port.name,
    network_id: port.network_id,
    mac_address: port.mac_address,
    admin_state_up: port.admin_state_up,
    status: port.status,
    device_id: port.device_id,
    device_owner: port.device_owner,
  };
}

function create(cloud: Cloud, input: Json, caller: Caller): FloatingIpRow {
  const network = cloud.networks.get(String(input.floating_network_id));
  if (!network || !isNetworkVisible(network, caller)) throw notFound('Network', input.floating_network_id);
  if (!network.is_external) {
    const message = `Bad floatingip request: Network ${network.id} is not a valid external network.`;
    throw new Fault(400, message, 'BadRequest');
  }
  // Asked before the address is taken, so that a refusal takes none.
  if (typeof input.port_id === 'string') freePathTo(cloud, network.id, input, caller);
  const id = randomUUID();
  const address = input.floating_ip_address;
  const holder = makePort(cloud, {
    networkId: network.id,
    projectId: '',
    deviceId: id,
    deviceOwner: 'network:floatingip',
    status: 'N/A',
    fixedIps: typeof address === 'string' ? [{ ip_address: address }] : undefined,
  });
  const row = cloud.floatingIps.put({
    ...standardRow(input),
    id,
    floating_network_id: network.id,
    floating_ip_address: holder.fixed_ips[0]?.ip_address ?? '',
    holder_port_id: holder.id,
    port_id: '',
    fixed_ip_address: null,
    router_id: null,
    status: 'DOWN',
  });
  return typeof input.port_id === 'string' ? associate(cloud, row, input, caller) : row;
}

function associate(cloud: Cloud, row: FloatingIpRow, wish: Json, caller: Caller): FloatingIpRow {
  cloud.tasks.cancel(row.id);
  if (wish.port_id === null) {
    const hadPort = row.port_id !== '';
    if (hadPort) cloud.tasks.after(agentDelayMs(cloud), 'floating ip', row.id, { status: 'DOWN' });
    return bump(cloud.floatingIps, row, { port_id: '', fixed_ip_address: null, router_id: null });
  }
  const { port, address, routerId } = freePathTo(cloud, row.floating_network_id, wish, caller, row);
  cloud.tasks.after(agentDelayMs(cloud), 'floating ip', row.id, { status: 'ACTIVE' });
  return bump(cloud.floatingIps, row, { port_id: port.id, fixed_ip_address: address, router_id: routerId });
}

/** The path, unless another floating IP leads there already. */
function freePathTo(cloud: Cloud, externalId: string, wish: Json, caller: Caller, own?: FloatingIpRow) {
  const path = pathTo(cloud, externalId, wish, caller);
  const { port, address } = path;
  const other = cloud.floatingIps
    .by('port_id', port.id)
    .find((ip) => ip.fixed_ip_address === address && ip.id !== own?.id);
  if (!other) return path;
  const name = own ? `${own.floating_ip_address} (${own.id})` : `${other.floating_ip_address} (${other.id})`;
  const message = `Cannot associate floating IP ${name} with port ${port.id} using fixed IP ${address}, as that fixed IP already has a floating IP on external network ${externalId}.`;
  throw new Fault(409, message, 'FloatingIPPortAlreadyAssociated');
}

/** The port, its address and the router that leads from the external network to it. */
function pathTo(cloud: Cloud, externalId: string, wish: Json, caller: Caller) {
  const port = cloud.ports.get(String(wish.port_id));
  if (!port || !isOwn(port, caller)) throw notFound('Port', wish.port_id);
  // Only IPv4 is translated.
  const fixed = port.fixed_ips.filter((one) => one.ip_address.includes('.'));
  if (fixed.length > 1 && !wish.fixed_ip_address) {
    const text = `Port ${port.id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP.`;
    throw new Fault(400, `Bad floatingip request: ${text}`, 'BadRequest');
  }
  const ip = fixed.find((one) => (wish.fixed_ip_address ?? one.ip_address) === one.ip_address);
  if (!ip) {
    const text =
      fixed.length === 0
        ? `Cannot add floating IP to port ${port.id} that has no fixed IPv4 addresses.`
        : `Port ${port.id} does not have fixed ip ${String(wish.fixed_ip_address)}.`;
    throw new Fault(400, `Bad floatingip request: ${text}`, 'BadRequest');
  }
  const routerId = cloud.ports
    .by('network_id', port.network_id)
    .filter((row) => row.device_owner === 'network:router_interface')
    .filter((row) => row.fixed_ips.some((fixed) => fixed.subnet_id === ip.subnet_id))
    .map((row) => row.device_id)
    .find((id) => cloud.routers.get(id)?.gateway_network_id === externalId);
  if (routerId === undefined) {
    const message = `External network ${externalId} is not reachable from subnet ${ip.subnet_id}.  Therefore, cannot associate Port ${port.id} with a Floating IP.`;
    throw new Fault(404, message, 'ExternalGatewayForFloatingIPNotFound');
  }
  return { port, address: ip.ip_address, routerId };
}
