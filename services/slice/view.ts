// A slice as its users see it: what they asked for, joined with what the clouds hold.

import { layoutOf, type PlannedNetwork } from '#engine/spec/attach.ts';
import { gatewayOf, outsideNetworks, portNames } from '#engine/spec/compile.ts';
import { volumesOf } from '#engine/spec/volumes.ts';
import { Power, type Resource, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import {
  Infrastructure,
  type Interface,
  type Network,
  NetworkType,
  type Node,
  type NodeSpec,
  type NodeVolume,
  type ResourceTotals,
  type Slice,
  type VolumeSpec,
} from '#proto/pucp/slice/v1/slice.ts';
import type { SliceChange } from '#proto/pucp/slice/v1/slice_service.ts';
import { driftView } from './drift.ts';
import { hasNetworkFailed, nodeFailure } from './failures.ts';
import { powerWord } from './power.ts';
import type { SliceRow } from './rows.ts';

type Kind = NonNullable<Resource['kind']>['$case'];
type Held = { find(kind: Kind, name: string): Resource | undefined };

const NODE_STATES = ['pending', 'build', 'active', 'shutoff', 'error', 'deleting'];

/** The whole of a slice. */
export function sliceView(row: SliceRow, resources: readonly Resource[]): Slice {
  const { spec } = row;
  const layout = layoutOf(spec);
  const held = index(resources);
  const outside = outsideNetworks(spec, layout);
  const networks = layout.networks.map((planned) =>
    networkView(planned, { row, held, gateway: gatewayOf(planned, outside.has(planned.spec.name)) }),
  );
  const nodes = nodeViews(row, resources);
  return {
    id: row.id,
    userId: row.user_id,
    username: row.username,
    name: spec.name,
    description: spec.description,
    infrastructure: spec.infrastructure,
    status: row.status,
    errorMessage: row.error_message,
    nodes,
    networks,
    connections: layout.links.map(({ source, target, network }) => ({
      sourceName: source,
      targetName: target,
      networkName: network,
      source,
      target,
      network,
    })),
    nodeCount: nodes.length,
    networkCount: networks.length,
    ...totalsOf(row),
    openstackProjectId: spec.infrastructure === Infrastructure.LINUX ? '' : row.project_id,
    availabilityZone: spec.availabilityZone,
    placementPolicy: spec.placementPolicy || 'balanced',
    templateId: spec.templateId,
    percent: row.percent,
    generation: row.generation,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    deployedAt: row.deployed_at?.toISOString(),
    deletedAt: row.deleted_at?.toISOString(),
    securityGroups: spec.securityGroups,
    startAt: row.start_at?.toISOString(),
    expiresAt: row.expires_at?.toISOString(),
    renewals: row.renewals,
    drift: driftView(row),
  };
}

/** What a request to change a slice answers. */
export function changeView(row: SliceRow, message: string): SliceChange {
  return {
    id: row.id,
    sliceId: row.id,
    name: row.name,
    message,
    status: row.status,
    infrastructure: row.spec.infrastructure,
    resources: totalsOf(row),
    generation: row.generation,
    openstackProjectId: row.spec.infrastructure === Infrastructure.LINUX ? '' : row.project_id,
    plan: undefined,
  };
}

/** The nodes in the order of the spec. */
export function nodeViews(row: SliceRow, resources: readonly Resource[]): Node[] {
  const { spec } = row;
  const layout = layoutOf(spec);
  const ports = portNames(spec, layout);
  const held = index(resources);
  return spec.nodes.map((node) => {
    const attached = (layout.attachments.get(node.name) ?? []).map((network) => ({
      network,
      port: ports.get(`${node.name}/${network}`) ?? '',
    }));
    const interfaces = attached.map(({ network, port }) => interfaceView(network, held.find('port', port)));
    const failure = nodeFailure(row.failures, { node, ports: attached.map(({ port }) => port) });
    return nodeView(node, { row, interfaces, held, failure });
  });
}

function nodeView(
  node: NodeSpec,
  { row, interfaces, held, failure }: { row: SliceRow; interfaces: Interface[]; held: Held; failure: string },
): Node {
  const server = held.find('server', node.name);
  const address = held.find('floatingIp', node.name);
  const isPlaced = node.infrastructure !== Infrastructure.UNSPECIFIED;
  const infrastructure = isPlaced ? node.infrastructure : row.spec.infrastructure;
  const vmId = server?.cloudId ?? '';
  const status = server?.kind?.$case === 'server' ? server.kind.value.status : undefined;
  return {
    id: node.name,
    name: node.name,
    image: node.image,
    flavor: node.flavor,
    status: server || failure === '' ? nodeStatus(server) : 'error',
    power: powerWord(row, node.name),
    ipAddress: interfaces[0]?.ipAddress ?? '',
    vmId,
    openstackInstanceId: infrastructure === Infrastructure.OPENSTACK ? vmId : '',
    assignedHost: status?.host ?? '',
    interfaces,
    internetAccess: node.internetAccess,
    managementIp: node.managementIp,
    errorMessage: (server?.state === ResourceState.BROKEN && server.message) || failure,
    infrastructure,
    networks: node.networks,
    availabilityZone: node.availabilityZone,
    floatingIp: address?.kind?.$case === 'floatingIp' ? (address.kind.value.status?.ipAddress ?? '') : '',
    forwarding: node.forwarding,
    securityGroups: node.securityGroups,
    keyPair: node.keyPair,
    volumes: volumesOf(node).map((volume) => volumeView(volume, held.find('volume', volume.name))),
  };
}

function volumeView({ name, size, type }: VolumeSpec, volume: Resource | undefined): NodeVolume {
  const status = volume?.kind?.$case === 'volume' ? volume.kind.value.status?.status : undefined;
  return { name, size, type, status: status || 'pending', volumeId: volume?.cloudId ?? '' };
}

function nodeStatus(server: Resource | undefined): string {
  if (server?.kind?.$case !== 'server') return 'pending';
  const { spec, status } = server.kind.value;
  const word = status?.status ?? '';
  switch (server.state) {
    case ResourceState.BROKEN:
      return 'error';
    case ResourceState.DELETING:
    case ResourceState.DELETED:
      return 'deleting';
    case ResourceState.UNSPECIFIED:
    case ResourceState.PENDING:
      return 'pending';
    case ResourceState.CREATING:
    case ResourceState.UPDATING:
      if (word === '') return 'build';
      break;
    case ResourceState.READY:
      if (word === '') return spec?.power === Power.OFF ? 'shutoff' : 'active';
      break;
  }
  return NODE_STATES.includes(word) ? word : 'unknown';
}

function interfaceView(network: string, port: Resource | undefined): Interface {
  const status = port?.kind?.$case === 'port' ? port.kind.value.status : undefined;
  return { network, ipAddress: status?.ipAddress ?? '', macAddress: status?.macAddress ?? '' };
}

function networkView(
  { spec }: PlannedNetwork,
  { row, held, gateway }: { row: SliceRow; held: Held; gateway: string },
): Network {
  const network = held.find('network', spec.name);
  const subnet = held.find('subnet', spec.name);
  const segment = network?.kind?.$case === 'network' ? network.kind.value.status?.segmentationId : 0;
  const isOpenstack = row.spec.infrastructure === Infrastructure.OPENSTACK;
  return {
    id: spec.name,
    name: spec.name,
    cidr: spec.cidr,
    gateway,
    dnsServers: spec.dnsServers,
    vlanId: segment || spec.vlanId,
    networkType: spec.networkType === NetworkType.UNSPECIFIED ? NetworkType.PRIVATE : spec.networkType,
    internetAccess: spec.internetAccess,
    status: !network && hasNetworkFailed(row.failures, spec.name) ? 'error' : networkStatus(network, subnet),
    openstackNetworkId: isOpenstack ? (network?.cloudId ?? '') : '',
    openstackSubnetId: isOpenstack ? (subnet?.cloudId ?? '') : '',
  };
}

function networkStatus(network: Resource | undefined, subnet: Resource | undefined): string {
  const states = [network?.state, subnet?.state];
  if (states.includes(ResourceState.BROKEN)) return 'error';
  if (states.includes(ResourceState.DELETING)) return 'deleting';
  return states.every((state) => state === ResourceState.READY || state === ResourceState.UPDATING)
    ? 'active'
    : 'pending';
}

function totalsOf(row: SliceRow): ResourceTotals {
  return { totalVcpus: row.total_vcpus, totalRam: row.total_ram, totalDisk: row.total_disk };
}

function index(resources: readonly Resource[]): Held {
  const byKey = new Map(resources.map((resource) => [`${resource.kind?.$case} ${resource.name}`, resource]));
  return { find: (kind, name) => byKey.get(`${kind} ${name}`) };
}
