// Routers, their gateways and interfaces.

import { randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { type Call, Fault, isObject, type Json, ok, type Route, route } from '../http.ts';
import { isUuid, pythonText } from '../ids.ts';
import { contains, overlaps, parseCidr } from './addresses.ts';
import { type Attributes, STANDARD } from './attributes.ts';
import { badRequest, notAllowed, notFound } from './faults.ts';
import { isNetworkVisible } from './networks.ts';
import { agentDelayMs, deletePort, makePort, NETWORK_NODE } from './port-life.ts';
import { bump, isOwn, mustSee, type Resource, standardRow } from './resource.ts';
import type { PortRow, RouterRow, SubnetRow } from './rows.ts';

const ATTRIBUTES: Attributes = {
  ...STANDARD,
  admin_state_up: { type: 'boolean', on: 'both', initial: true },
  external_gateway_info: { type: 'any', on: 'both' },
  routes: { type: 'list', on: 'update' },
  availability_zone_hints: { type: 'list', on: 'create', initial: [] },
  distributed: { type: 'boolean', on: 'both', isAdminOnly: true },
  ha: { type: 'boolean', on: 'both', isAdminOnly: true },
  flavor_id: { type: 'uuid or null', on: 'create' },
  status: { type: 'any', on: 'never' },
  availability_zones: { type: 'any', on: 'never' },
};

const routerFault = (message: string) => new Fault(400, `Bad router request: ${message}`, 'BadRequest');

export function routers(cloud: Cloud): Resource<RouterRow> {
  return {
    singular: 'router',
    plural: 'routers',
    className: 'Router',
    path: '/routers',
    quota: 'router',
    table: cloud.routers,
    attributes: ATTRIBUTES,
    isVisible: isOwn,
    candidates: (caller, query) => {
      const project = query.get('project_id') ?? query.get('tenant_id');
      if (!caller.isAdmin) return cloud.routers.by('project_id', caller.projectId);
      return project === null ? cloud.routers.all() : cloud.routers.by('project_id', project);
    },
    show: (row, caller) => show(cloud, row, caller),
    create: (input, caller) => create(cloud, input, caller),
    update: (row, changes, caller) => update(cloud, row, changes, caller),
    remove: (row) => remove(cloud, row),
  };
}

export function registerRouterTasks(cloud: Cloud): void {
  cloud.tasks.on('router up', (id) => {
    const row = cloud.routers.get(id);
    if (row && !row.is_scheduled) bump(cloud.routers, row, { is_scheduled: true });
  });
}

export function interfaceRoutes(cloud: Cloud): Route[] {
  const resource = routers(cloud);
  return [
    route('PUT', '/routers/{id}/add_router_interface', (call) => {
      const row = mustSee(resource, call);
      return ok(addInterface(cloud, row, call));
    }),
    route('PUT', '/routers/{id}/remove_router_interface', (call) => {
      const row = mustSee(resource, call);
      return ok(removeInterface(cloud, row, call));
    }),
  ];
}

function show(cloud: Cloud, row: RouterRow, caller: Caller): Json {
  const gateway = cloud.ports.get(row.gateway_port_id);
  return {
    id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    admin_state_up: row.admin_state_up,
    status: 'ACTIVE',
    external_gateway_info: gateway
      ? {
          network_id: row.gateway_network_id,
          external_fixed_ips: gateway.fixed_ips,
          enable_snat: row.enable_snat,
        }
      : null,
    description: row.description,
    availability_zones: row.is_scheduled ? ['nova'] : [],
    availability_zone_hints: [],
    routes: row.routes,
    flavor_id: null,
    tags: row.tags,
    created_at: row.created_at,
    updated_at: row.updated_at,
    revision_number: row.revision_number,
    project_id: row.project_id,
    ...(caller.isAdmin ? { distributed: false, ha: false } : {}),
  };
}

function create(cloud: Cloud, input: Json, caller: Caller): RouterRow {
  const zone = (input.availability_zone_hints as unknown[]).find((name) => name !== 'nova');
  if (zone !== undefined) throw notFound('AvailabilityZone', zone);
  if (typeof input.flavor_id === 'string') throw notFound('Flavor', input.flavor_id);
  const row: RouterRow = {
    ...standardRow(input),
    id: randomUUID(),
    admin_state_up: input.admin_state_up === true,
    gateway_network_id: null,
    gateway_port_id: null,
    enable_snat: true,
    routes: [],
    is_scheduled: false,
    revision_number: 1,
  };
  // Checked before the row exists, so that a refused gateway leaves no router.
  const gateway = gatewayOf(cloud, input.external_gateway_info, caller);
  cloud.routers.put(row);
  try {
    return gateway ? setGateway(cloud, row, gateway) : row;
  } catch (error) {
    cloud.routers.remove(row.id);
    throw error;
  }
}

type Gateway = { readonly networkId: string; readonly fixedIps: unknown; readonly snat: boolean };

function gatewayOf(cloud: Cloud, info: unknown, caller: Caller): Gateway | undefined {
  if (info !== undefined && info !== null && !isObject(info)) {
    throw badRequest(
      `Invalid input for external_gateway_info. Reason: '${String(info)}' is not a dictionary.`,
    );
  }
  if (!isObject(info) || info.network_id === undefined || info.network_id === null) return undefined;
  const network = cloud.networks.get(String(info.network_id));
  if (!network || !isNetworkVisible(network, caller)) throw notFound('Network', info.network_id);
  const rule = 'rule:create_router:external_gateway_info';
  const special = ['enable_snat', 'external_fixed_ips'].find((name) => info[name] !== undefined);
  if (special !== undefined && !caller.isAdmin) {
    throw notAllowed(`(rule:create_router and (${rule} and (${rule}:network_id and ${rule}:${special})))`);
  }
  if (!network.is_external) throw routerFault(`Network ${network.id} is not an external network.`);
  return { networkId: network.id, fixedIps: info.external_fixed_ips, snat: info.enable_snat !== false };
}

function setGateway(cloud: Cloud, row: RouterRow, gateway: Gateway): RouterRow {
  const port = makePort(cloud, {
    networkId: gateway.networkId,
    projectId: '',
    deviceId: row.id,
    deviceOwner: 'network:router_gateway',
    host: NETWORK_NODE,
    fixedIps: gateway.fixedIps,
  });
  cloud.tasks.after(agentDelayMs(cloud), 'router up', row.id);
  return bump(cloud.routers, row, {
    gateway_network_id: gateway.networkId,
    gateway_port_id: port.id,
    enable_snat: gateway.snat,
  });
}

function clearGateway(cloud: Cloud, row: RouterRow): RouterRow {
  const port = cloud.ports.get(row.gateway_port_id);
  if (!port) return row;
  const isUsed = cloud.floatingIps.all().some((ip) => ip.router_id === row.id);
  if (isUsed) {
    const message = `Gateway cannot be updated for router ${row.id}, since a gateway to external network ${row.gateway_network_id} is required by one or more floating IPs.`;
    throw new Fault(409, message, 'RouterExternalGatewayInUseByFloatingIp');
  }
  deletePort(cloud, port);
  return bump(cloud.routers, row, { gateway_network_id: null, gateway_port_id: null });
}

function update(cloud: Cloud, row: RouterRow, changes: Json, caller: Caller): RouterRow {
  const { external_gateway_info: info, routes, ...rest } = changes;
  if (routes !== undefined) checkRoutes(cloud, row, routes as unknown[]);
  let updated = row;
  if (info !== undefined) {
    const gateway = gatewayOf(cloud, info, caller);
    const isSame = gateway?.networkId === row.gateway_network_id && gateway?.fixedIps === undefined;
    if (!gateway) updated = clearGateway(cloud, row);
    else if (!isSame) updated = setGateway(cloud, clearGateway(cloud, row), gateway);
    else updated = bump(cloud.routers, row, { enable_snat: gateway.snat });
  }
  return bump(cloud.routers, updated, {
    ...(rest as Partial<RouterRow>),
    ...(routes === undefined ? {} : { routes: routes as RouterRow['routes'] }),
  });
}

function checkRoutes(cloud: Cloud, row: RouterRow, routes: unknown[]): void {
  const ranges = interfacesOf(cloud, row.id)
    .flatMap((port) => port.fixed_ips)
    .flatMap((ip) => parseCidr(cloud.subnets.get(ip.subnet_id)?.cidr) ?? []);
  for (const entry of routes) {
    const isReachable = isObject(entry) && ranges.some((range) => contains(range, String(entry.nexthop)));
    if (isReachable) continue;
    const message = `Invalid format for routes: ${pythonText(routes)}, the nexthop is not connected with router`;
    throw new Fault(400, message, 'InvalidRoutes');
  }
}

/** Every port of a router that has addresses on a subnet, the gateway's included. */
function interfacesOf(cloud: Cloud, routerId: string): PortRow[] {
  return cloud.ports.by('device_id', routerId);
}

function innerInterfaces(cloud: Cloud, routerId: string): PortRow[] {
  return interfacesOf(cloud, routerId).filter((port) => port.device_owner === 'network:router_interface');
}

function addInterface(cloud: Cloud, row: RouterRow, call: Call): Json {
  const { subnet_id: subnetId, port_id: portId } = call.body;
  if (subnetId === undefined && portId === undefined) {
    throw routerFault('Either subnet_id or port_id must be specified.');
  }
  if (subnetId !== undefined && portId !== undefined) {
    throw routerFault('Cannot specify both subnet-id and port-id.');
  }
  const id = subnetId ?? portId;
  if (!isUuid(id)) throw routerFault(`${pythonText(id)} is not a valid UUID.`);
  const port =
    portId === undefined ? addBySubnet(cloud, row, id, call.caller) : addByPort(cloud, row, id, call.caller);
  bump(cloud.routers, row, {});
  cloud.tasks.after(agentDelayMs(cloud), 'router up', row.id);
  return interfaceReply(row, port, port.fixed_ips[0]?.subnet_id ?? '');
}

function addBySubnet(cloud: Cloud, row: RouterRow, subnetId: string, caller: Caller): PortRow {
  const subnet = cloud.subnets.get(subnetId);
  const network = cloud.networks.get(subnet?.network_id);
  if (!subnet || !network || !(isOwn(subnet, caller) || network.shared)) throw notFound('Subnet', subnetId);
  if (subnet.gateway_ip === null) throw routerFault('Subnet for router interface must have a gateway IP.');
  checkOverlap(cloud, row, subnet);
  return makePort(cloud, {
    networkId: subnet.network_id,
    projectId: row.project_id,
    deviceId: row.id,
    deviceOwner: 'network:router_interface',
    host: NETWORK_NODE,
    fixedIps: [{ subnet_id: subnet.id, ip_address: subnet.gateway_ip }],
  });
}

function addByPort(cloud: Cloud, row: RouterRow, portId: string, caller: Caller): PortRow {
  const port = cloud.ports.get(portId);
  if (!port || !isOwn(port, caller)) throw notFound('Port', portId);
  if (port.device_id !== '') {
    const message = `Unable to complete operation on port ${port.id} for network ${port.network_id}. Port already has an attached device ${port.device_id}.`;
    throw new Fault(409, message, 'PortInUse');
  }
  if (port.fixed_ips.length === 0) throw routerFault('Router port must have at least one fixed IP.');
  for (const ip of port.fixed_ips) {
    const subnet = cloud.subnets.get(ip.subnet_id);
    if (subnet) checkOverlap(cloud, row, subnet);
  }
  cloud.tasks.after(agentDelayMs(cloud), 'port up', port.id);
  return bump(cloud.ports, port, {
    device_id: row.id,
    device_owner: 'network:router_interface',
    host: NETWORK_NODE,
    security_groups: [],
    port_security_enabled: false,
  });
}

function checkOverlap(cloud: Cloud, row: RouterRow, subnet: SubnetRow): void {
  const wanted = parseCidr(subnet.cidr);
  for (const ip of interfacesOf(cloud, row.id).flatMap((port) => port.fixed_ips)) {
    const other = cloud.subnets.get(ip.subnet_id);
    if (other?.id === subnet.id) throw routerFault(`Router already has a port on subnet ${subnet.id}.`);
    const range = parseCidr(other?.cidr);
    if (wanted && range && overlaps(range, wanted)) {
      throw routerFault(
        `Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${other?.cidr} of subnet ${other?.id}.`,
      );
    }
  }
}

function removeInterface(cloud: Cloud, row: RouterRow, call: Call): Json {
  const { subnet_id: subnetId, port_id: portId } = call.body;
  if (subnetId === undefined && portId === undefined)
    throw routerFault('Either subnet_id or port_id must be specified.');
  const ports = innerInterfaces(cloud, row.id);
  const port = ports.find(
    ({ id, fixed_ips: ips }) =>
      (portId === undefined || id === portId) &&
      (subnetId === undefined || ips.some((ip) => ip.subnet_id === subnetId)),
  );
  if (!port && portId !== undefined) {
    const message = `Router ${row.id} does not have an interface with id ${String(portId)}`;
    throw new Fault(404, message, 'RouterInterfaceNotFound');
  }
  if (!port) {
    if (!cloud.subnets.get(String(subnetId))) throw notFound('Subnet', subnetId);
    const message = `Router ${row.id} has no interface on subnet ${String(subnetId)}`;
    throw new Fault(404, message, 'RouterInterfaceNotFoundForSubnet');
  }
  const subnet = port.fixed_ips[0]?.subnet_id ?? '';
  const isNeeded = cloud.floatingIps.all().some((floating) => {
    const target = floating.router_id === row.id ? cloud.ports.get(floating.port_id) : undefined;
    return target?.fixed_ips.some((ip) => ip.subnet_id === subnet) === true;
  });
  if (isNeeded) {
    const message = `Router interface for subnet ${subnet} on router ${row.id} cannot be deleted, as it is required by one or more floating IPs.`;
    throw new Fault(409, message, 'RouterInterfaceInUseByFloatingIP');
  }
  const range = parseCidr(cloud.subnets.get(subnet)?.cidr);
  if (range && row.routes.some((one) => contains(range, one.nexthop))) {
    const message = `Router interface for subnet ${subnet} on router ${row.id} cannot be deleted, as it is required by one or more routes.`;
    throw new Fault(409, message, 'RouterInterfaceInUseByRoute');
  }
  deletePort(cloud, port);
  bump(cloud.routers, row, {});
  return interfaceReply(row, port, subnet);
}

function interfaceReply(row: RouterRow, port: PortRow, subnetId: string): Json {
  return {
    id: row.id,
    tenant_id: row.project_id,
    port_id: port.id,
    network_id: port.network_id,
    subnet_id: subnetId,
    subnet_ids: [subnetId],
  };
}

function remove(cloud: Cloud, row: RouterRow): void {
  const attached = innerInterfaces(cloud, row.id);
  if (attached.length > 0) {
    const ids = attached.map((port) => port.id).join(',');
    throw new Fault(409, `Router ${row.id} has ports still attached: ${ids}`, 'RouterInUse');
  }
  clearGateway(cloud, row);
  cloud.tasks.cancel(row.id);
  cloud.routers.remove(row.id);
}
