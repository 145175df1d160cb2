// Networks.

import { randomInt, randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { Fault, type Json } from '../http.ts';
import { type Attributes, STANDARD } from './attributes.ts';
import { invalidInput, notFound } from './faults.ts';
import { deletePort } from './port-life.ts';
import { bump, isOwn, type Resource, standardRow } from './resource.ts';
import type { NetworkRow } from './rows.ts';
import { ensureDefaultGroup } from './security-groups.ts';

/** Physical networks and the VLANs they offer to tenants. */
const PHYSICAL_NETWORKS = ['public', 'physnet1', 'physnet2'];

const ATTRIBUTES: Attributes = {
  ...STANDARD,
  admin_state_up: { type: 'boolean', on: 'both', initial: true },
  shared: { type: 'boolean', on: 'both', initial: false, isAdminOnly: true },
  'router:external': { type: 'boolean', on: 'both', initial: false, isAdminOnly: true },
  is_default: { type: 'boolean', on: 'both', initial: false, isAdminOnly: true },
  port_security_enabled: { type: 'boolean', on: 'both', initial: true },
  mtu: { type: 'integer', on: 'both' },
  'provider:network_type': { type: 'text', on: 'both', isAdminOnly: true },
  'provider:physical_network': { type: 'text', on: 'both', isAdminOnly: true },
  'provider:segmentation_id': { type: 'integer', on: 'both', isAdminOnly: true },
  availability_zone_hints: { type: 'list', on: 'create', initial: [] },
  qos_policy_id: { type: 'uuid or null', on: 'both' },
  status: { type: 'any', on: 'never' },
  subnets: { type: 'any', on: 'never' },
  availability_zones: { type: 'any', on: 'never' },
  ipv4_address_scope: { type: 'any', on: 'never' },
  ipv6_address_scope: { type: 'any', on: 'never' },
};

export function isNetworkVisible(row: NetworkRow, caller: Caller): boolean {
  return isOwn(row, caller) || row.shared || row.is_external;
}

export function networks(cloud: Cloud): Resource<NetworkRow> {
  return {
    singular: 'network',
    plural: 'networks',
    className: 'Network',
    path: '/networks',
    quota: 'network',
    table: cloud.networks,
    attributes: ATTRIBUTES,
    isNoFilter: [
      'subnets',
      'availability_zones',
      'ipv4_address_scope',
      'ipv6_address_scope',
      'port_security_enabled',
      'qos_policy_id',
    ],
    isNoSortKey: [
      'subnets',
      'availability_zones',
      'ipv4_address_scope',
      'ipv6_address_scope',
      'port_security_enabled',
      'qos_policy_id',
    ],
    isVisible: isNetworkVisible,
    candidates: (caller, query) => {
      const id = query.get('id');
      const rows =
        id !== null && query.getAll('id').length === 1 ? [cloud.networks.get(id)] : cloud.networks.all();
      return rows.filter((row) => row !== undefined && isNetworkVisible(row, caller)) as NetworkRow[];
    },
    show: (row, caller) => show(cloud, row, caller),
    showCreated: (row, caller) => ({ is_default: row.is_default, ...show(cloud, row, caller) }),
    create: (input) => create(cloud, input),
    update: (row, changes) => {
      const external = changes['router:external'];
      checkMtu(changes.mtu, row.network_type);
      return bump(cloud.networks, row, {
        ...(changes as Partial<NetworkRow>),
        ...(external === undefined ? {} : { is_external: external === true }),
      });
    },
    remove: (row) => remove(cloud, row),
  };
}

function show(cloud: Cloud, row: NetworkRow, caller: Caller): Json {
  const ports = cloud.ports.by('network_id', row.id);
  const hasAgent = row.is_external || ports.some((port) => port.device_owner === 'network:dhcp');
  return {
    id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    admin_state_up: row.admin_state_up,
    mtu: row.mtu,
    status: 'ACTIVE',
    subnets: cloud.subnets.by('network_id', row.id).map((subnet) => subnet.id),
    shared: row.shared,
    availability_zone_hints: [],
    availability_zones: hasAgent ? ['nova'] : [],
    ipv4_address_scope: null,
    ipv6_address_scope: null,
    'router:external': row.is_external,
    description: row.description,
    port_security_enabled: row.port_security_enabled,
    qos_policy_id: null,
    ...(row.is_external ? { is_default: row.is_default } : {}),
    tags: row.tags,
    created_at: row.created_at,
    updated_at: row.updated_at,
    revision_number: row.revision_number,
    project_id: row.project_id,
    ...(caller.isAdmin
      ? {
          'provider:network_type': row.network_type,
          'provider:physical_network': row.physical_network,
          'provider:segmentation_id': row.segmentation_id,
        }
      : {}),
  };
}

function create(cloud: Cloud, input: Json): NetworkRow {
  ensureDefaultGroup(cloud, String(input.project_id));
  const provider = providerOf(cloud, input);
  checkMtu(input.mtu, provider.network_type);
  const zone = (input.availability_zone_hints as unknown[]).find((name) => name !== 'nova');
  if (zone !== undefined) throw notFound('AvailabilityZone', zone);
  const row: NetworkRow = {
    ...standardRow(input),
    id: randomUUID(),
    admin_state_up: input.admin_state_up === true,
    shared: input.shared === true,
    is_external: input['router:external'] === true,
    is_default: input.is_default === true,
    port_security_enabled: input.port_security_enabled === true,
    mtu: typeof input.mtu === 'number' && input.mtu > 0 ? input.mtu : largestMtu(provider.network_type),
    ...provider,
    revision_number: 1,
  };
  return cloud.networks.put(row);
}

/** A tunnel takes 50 bytes of each packet. */
function largestMtu(type: NetworkRow['network_type']): number {
  return type === 'vxlan' ? 1450 : 1500;
}

function checkMtu(mtu: unknown, type: NetworkRow['network_type']): void {
  const largest = largestMtu(type);
  if (typeof mtu === 'number' && mtu > largest) {
    throw invalidInput(`Requested MTU is too big, maximum is ${largest}.`);
  }
}

type Provider = Pick<NetworkRow, 'network_type' | 'physical_network' | 'segmentation_id'>;

function providerOf(cloud: Cloud, input: Json): Provider {
  const type = input['provider:network_type'];
  const physical = input['provider:physical_network'];
  const segment = input['provider:segmentation_id'];
  if (type === undefined) {
    if (physical !== undefined || segment !== undefined) throw invalidInput('network_type required.');
    return { network_type: 'vxlan', physical_network: null, segmentation_id: randomInt(1, 65_536) };
  }
  switch (type) {
    case 'vxlan':
      if (physical !== undefined)
        throw invalidInput('provider:physical_network specified for vxlan network.');
      return {
        network_type: 'vxlan',
        physical_network: null,
        segmentation_id: typeof segment === 'number' ? segment : randomInt(1, 65_536),
      };
    case 'flat':
    case 'vlan':
      return providerOnWire(cloud, type as 'flat' | 'vlan', physical, segment);
    default:
      throw invalidInput(`network_type value '${String(type)}' not supported.`);
  }
}

function providerOnWire(cloud: Cloud, type: 'flat' | 'vlan', physical: unknown, segment: unknown): Provider {
  const label = type === 'vlan' ? 'VLAN provider network' : 'flat provider network';
  if (typeof physical !== 'string') {
    if (type === 'flat') throw invalidInput('physical_network required for flat provider network.');
    return { network_type: 'vlan', physical_network: 'physnet1', segmentation_id: freeVlan(cloud) };
  }
  if (!PHYSICAL_NETWORKS.includes(physical)) {
    throw invalidInput(`physical_network '${physical}' unknown for ${label}.`);
  }
  const others = cloud.networks
    .all()
    .filter((row) => row.physical_network === physical && row.network_type === type);
  if (type === 'flat') {
    if (others.length > 0) {
      const message = `Unable to create the flat network. Physical network ${physical} is in use.`;
      throw new Fault(409, message, 'FlatNetworkInUse');
    }
    return { network_type: 'flat', physical_network: physical, segmentation_id: null };
  }
  if (typeof segment !== 'number') {
    return { network_type: 'vlan', physical_network: physical, segmentation_id: freeVlan(cloud) };
  }
  if (segment < 1 || segment > 4094) {
    throw invalidInput(`segmentation_id out of range (1 through 4094).`);
  }
  if (others.some((row) => row.segmentation_id === segment)) {
    const message = `Unable to create the network. The VLAN ${segment} on physical network ${physical} is in use.`;
    throw new Fault(409, message, 'VlanIdInUse');
  }
  return { network_type: 'vlan', physical_network: physical, segmentation_id: segment };
}

function freeVlan(cloud: Cloud): number {
  const used = new Set(cloud.networks.all().map((row) => row.segmentation_id));
  for (let id = 100; id < 3000; id += 1) if (!used.has(id)) return id;
  throw new Fault(
    503,
    'Unable to create the network. No tenant network is available for allocation.',
    'NoNetworkAvailable',
  );
}

function remove(cloud: Cloud, row: NetworkRow): void {
  const ports = cloud.ports.by('network_id', row.id);
  const busy = ports.filter((port) => port.device_owner !== 'network:dhcp');
  if (busy.length > 0) {
    const ids = busy.map((port) => port.id).join(',');
    const message = `Unable to complete operation on network ${row.id}. There are one or more ports still in use on the network, id for these ports is: ${ids}.`;
    throw new Fault(409, message, 'NetworkInUse');
  }
  for (const port of ports) deletePort(cloud, port);
  for (const subnet of cloud.subnets.by('network_id', row.id)) cloud.subnets.remove(subnet.id);
  cloud.tasks.cancel(row.id);
  cloud.networks.remove(row.id);
}
