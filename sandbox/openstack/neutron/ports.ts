// The port API.

import { randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { Fault, type Json } from '../http.ts';
import { randomMac } from '../ids.ts';
import { allocate } from './allocation.ts';
import { type Attributes, STANDARD } from './attributes.ts';
import { badRequest, notFound } from './faults.ts';
import { isNetworkVisible } from './networks.ts';
import { pairsOf, refusePairsWithoutSecurity, refuseQos, refuseRouterAddress } from './port-check.ts';
import { agentDelayMs, deletePort } from './port-life.ts';
import { bump, isOwn, type Resource, standardRow } from './resource.ts';
import type { PortRow } from './rows.ts';
import { ensureDefaultGroup } from './security-groups.ts';

const VNIC_TYPES = [
  ...['normal', 'direct', 'macvtap', 'baremetal', 'direct-physical', 'virtio-forwarder', 'smart-nic', 'vdpa'],
  ...['accelerator-direct', 'accelerator-direct-physical', 'remote-managed'],
];

const ATTRIBUTES: Attributes = {
  ...STANDARD,
  network_id: { type: 'uuid', on: 'create', isRequired: true },
  admin_state_up: { type: 'boolean', on: 'both', initial: true },
  mac_address: { type: 'text', on: 'both', isAdminOnlyToChange: true },
  fixed_ips: { type: 'any', on: 'both' },
  device_id: { type: 'text', on: 'both', initial: '' },
  device_owner: { type: 'text', on: 'both', initial: '' },
  security_groups: { type: 'uuids', on: 'both' },
  allowed_address_pairs: { type: 'any', on: 'both', initial: [] },
  extra_dhcp_opts: { type: 'list', on: 'both', initial: [] },
  port_security_enabled: { type: 'boolean', on: 'both' },
  qos_policy_id: { type: 'uuid or null', on: 'both' },
  'binding:host_id': { type: 'any', on: 'both', isAdminOnly: true },
  'binding:profile': { type: 'any', on: 'both', isAdminOnly: true },
  'binding:vnic_type': { type: 'text', on: 'both', initial: 'normal', oneOf: VNIC_TYPES },
  'binding:vif_type': { type: 'any', on: 'never' },
  'binding:vif_details': { type: 'any', on: 'never' },
  qos_network_policy_id: { type: 'any', on: 'never' },
  resource_request: { type: 'any', on: 'never' },
  status: { type: 'any', on: 'never' },
  // Accepted and not kept, as Zed does: tags are set by the tags call.
  tags: { type: 'list', on: 'create' },
};

export function ports(cloud: Cloud): Resource<PortRow> {
  const isVisible = (row: PortRow, caller: Caller) => {
    if (isOwn(row, caller)) return true;
    const network = cloud.networks.get(row.network_id);
    return caller.projectId !== '' && network?.project_id === caller.projectId;
  };
  return {
    singular: 'port',
    plural: 'ports',
    className: 'Port',
    path: '/ports',
    quota: 'port',
    table: cloud.ports,
    attributes: ATTRIBUTES,
    isNoFilter: [
      'binding:vnic_type',
      'binding:profile',
      'binding:vif_type',
      'binding:vif_details',
      'port_security_enabled',
      'allowed_address_pairs',
      'extra_dhcp_opts',
      'resource_request',
      'qos_policy_id',
      'qos_network_policy_id',
    ],
    isNoSortKey: [
      'fixed_ips',
      'security_groups',
      'allowed_address_pairs',
      'extra_dhcp_opts',
      'binding:vif_details',
    ],
    isVisible,
    candidates: (caller, query) => candidates(cloud, query, caller).filter((row) => isVisible(row, caller)),
    show: showPort,
    create: (input, caller) => create(cloud, input, caller),
    update: (row, changes) => update(cloud, row, changes),
    remove: (row) => {
      const isRouters = ['network:router_interface', 'network:router_gateway', 'network:floatingip'];
      if (isRouters.includes(row.device_owner)) {
        const message = `Port ${row.id} cannot be deleted directly via the port API: has device owner ${row.device_owner}.`;
        throw new Fault(409, message, 'ServicePortInUse');
      }
      deletePort(cloud, row);
    },
  };
}

/** The smallest indexed set that holds every match. */
function candidates(cloud: Cloud, query: URLSearchParams, caller: Caller): PortRow[] {
  const ids = query.getAll('id');
  if (ids.length > 0) return [...new Set(ids)].flatMap((id) => cloud.ports.get(id) ?? []);
  for (const field of ['device_id', 'network_id'] as const) {
    const values = [...new Set(query.getAll(field))];
    if (values.length > 0) return values.flatMap((value) => cloud.ports.by(field, value));
  }
  const project = query.get('project_id') ?? query.get('tenant_id');
  if (project !== null) return cloud.ports.by('project_id', project);
  if (caller.isAdmin) return cloud.ports.all();
  const own = cloud.ports.by('project_id', caller.projectId);
  const networks = cloud.networks.by('project_id', caller.projectId);
  const foreign = networks
    .flatMap((network) => cloud.ports.by('network_id', network.id))
    .filter((port) => port.project_id !== caller.projectId);
  return [...own, ...foreign];
}

export function showPort(row: PortRow, caller: Caller): Json {
  const isBound = row.host !== '';
  return {
    id: row.id,
    name: row.name,
    network_id: row.network_id,
    tenant_id: row.project_id,
    mac_address: row.mac_address,
    admin_state_up: row.admin_state_up,
    status: row.status,
    device_id: row.device_id,
    device_owner: row.device_owner,
    fixed_ips: row.fixed_ips,
    allowed_address_pairs: row.allowed_address_pairs,
    extra_dhcp_opts: [],
    security_groups: row.security_groups,
    description: row.description,
    'binding:vnic_type': 'normal',
    ...(caller.isAdmin
      ? {
          'binding:profile': {},
          'binding:host_id': row.host,
          'binding:vif_type': isBound ? 'ovs' : 'unbound',
          'binding:vif_details': isBound ? VIF_DETAILS : {},
        }
      : {}),
    port_security_enabled: row.port_security_enabled,
    qos_policy_id: null,
    qos_network_policy_id: null,
    ...(caller.isAdmin ? { resource_request: null } : {}),
    tags: row.tags,
    created_at: row.created_at,
    updated_at: row.updated_at,
    revision_number: row.revision_number,
    project_id: row.project_id,
  };
}

const VIF_DETAILS = {
  connectivity: 'l2',
  port_filter: true,
  ovs_hybrid_plug: false,
  datapath_type: 'system',
  bridge_name: 'br-int',
  bound_drivers: { '0': 'openvswitch' },
};

function create(cloud: Cloud, input: Json, caller: Caller): PortRow {
  const network = cloud.networks.get(String(input.network_id));
  if (!network || !isNetworkVisible(network, caller)) throw notFound('Network', input.network_id);
  if (!isOwn(network, caller) && !network.shared) {
    throw new Fault(
      403,
      `Tenant ${caller.projectId} not allowed to create port on this network`,
      'HTTPForbidden',
    );
  }
  refuseQos(input);
  const projectId = String(input.project_id);
  const defaultGroup = ensureDefaultGroup(cloud, projectId);
  const owner = String(input.device_owner);
  const isNetworks = owner.startsWith('network:');
  const isSecure = !isNetworks && (input.port_security_enabled ?? network.port_security_enabled) === true;
  const mac = macOf(cloud, network.id, input.mac_address) ?? randomMac();
  const host = String(input['binding:host_id'] ?? '');
  refusePairsWithoutSecurity(isSecure, input.allowed_address_pairs);
  const row: PortRow = {
    ...standardRow(input),
    id: randomUUID(),
    network_id: network.id,
    mac_address: mac,
    admin_state_up: input.admin_state_up === true,
    status: 'DOWN',
    device_id: String(input.device_id),
    device_owner: owner,
    security_groups:
      groupsOf(cloud, input.security_groups, isSecure, caller) ?? (isSecure ? [defaultGroup.id] : []),
    allowed_address_pairs: pairsOf(input.allowed_address_pairs, mac),
    port_security_enabled: isSecure,
    fixed_ips: allocate(cloud, {
      networkId: network.id,
      fixedIps: input.fixed_ips,
      order: owner === 'network:dhcp' ? 'next' : 'random',
      mac,
      deviceOwner: owner,
    }),
    host,
    revision_number: 1,
  };
  cloud.ports.put(row);
  if (host !== '') cloud.tasks.after(agentDelayMs(cloud), 'port up', row.id);
  return row;
}

function macOf(cloud: Cloud, networkId: string, wish: unknown, except?: string): string | undefined {
  if (wish === undefined) return undefined;
  const mac = String(wish).toLowerCase();
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) || mac === '00:00:00:00:00:00') {
    throw badRequest(`Invalid input for mac_address. Reason: '${String(wish)}' is not a valid MAC address.`);
  }
  if (
    cloud.ports.by('network_id', networkId).some((port) => port.mac_address === mac && port.id !== except)
  ) {
    const message = `Unable to complete operation for network ${networkId}. The mac address ${mac} is in use.`;
    throw new Fault(409, message, 'MacAddressInUse');
  }
  return mac;
}

function groupsOf(
  cloud: Cloud,
  wish: unknown,
  isSecure: boolean,
  caller?: Caller,
): readonly string[] | undefined {
  if (!Array.isArray(wish)) return undefined;
  if (wish.length > 0 && !isSecure) {
    const message =
      'Port security must be enabled and port must have an IP address in order to use security groups.';
    throw new Fault(400, message, 'PortSecurityAndIPRequiredForSecurityGroups');
  }
  for (const id of wish as string[]) {
    const group = cloud.groups.get(id);
    if (!group || (caller && !isOwn(group, caller))) throw notFound('SecurityGroup', id);
  }
  return wish as string[];
}

function update(cloud: Cloud, row: PortRow, changes: Json): PortRow {
  refuseRouterAddress(row, changes.fixed_ips);
  refuseQos(changes);
  const isSecure = (changes.port_security_enabled as boolean | undefined) ?? row.port_security_enabled;
  const groups = groupsOf(cloud, changes.security_groups, isSecure);
  if (!isSecure && groups === undefined && row.security_groups.length > 0) {
    const message =
      'Port has security group associated. Cannot disable port security or IP address until security group is removed.';
    throw new Fault(409, message, 'PortSecurityPortHasSecurityGroup');
  }
  const pairs = changes.allowed_address_pairs ?? row.allowed_address_pairs;
  refusePairsWithoutSecurity(isSecure, pairs);
  const host = changes['binding:host_id'];
  const mac = macOf(cloud, row.network_id, changes.mac_address, row.id) ?? row.mac_address;
  if (mac !== row.mac_address && row.host !== '') {
    const message = `Unable to complete operation on port ${row.id}, port is already bound, port type: ovs, old_mac ${row.mac_address}, new_mac ${mac}.`;
    throw new Fault(409, message, 'PortBound');
  }
  // Addresses that a port makes of its MAC address change with that.
  const fixedIps = changes.fixed_ips ?? (mac === row.mac_address ? undefined : row.fixed_ips);
  const text = (name: 'name' | 'description' | 'device_id' | 'device_owner') =>
    typeof changes[name] === 'string' ? { [name]: changes[name] } : {};
  const updated = bump(cloud.ports, row, {
    ...text('name'),
    ...text('description'),
    ...text('device_id'),
    ...text('device_owner'),
    admin_state_up: (changes.admin_state_up as boolean | undefined) ?? row.admin_state_up,
    mac_address: mac,
    port_security_enabled: isSecure,
    security_groups: groups ?? row.security_groups,
    ...(changes.allowed_address_pairs
      ? { allowed_address_pairs: pairsOf(changes.allowed_address_pairs, mac) }
      : {}),
    ...(fixedIps
      ? {
          fixed_ips: allocate(cloud, {
            networkId: row.network_id,
            fixedIps,
            order: 'random',
            mac,
            deviceOwner: row.device_owner,
            own: row.fixed_ips,
          }),
        }
      : {}),
    ...(host === undefined ? {} : { host: String(host ?? ''), ...(host ? {} : { status: 'DOWN' }) }),
  });
  if (typeof host === 'string' && host !== '') cloud.tasks.after(agentDelayMs(cloud), 'port up', row.id);
  return updated;
}
