// From what a user asks for to what a driver makes: resources with slice-local names, in an order in which each comes
// after what it names. The spec has passed its check; nothing is judged here.

import {
  NetworkSpec as DriverNetworkSpec,
  PortSpec,
  Power,
  Resource,
  RouterInterfaceSpec,
  ServerSpec,
  SubnetSpec,
} from '#proto/pucp/driver/v1/resource.ts';
import { NetworkType, type NodeSpec, type SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { type Layout, layoutOf, type PlannedNetwork } from './attach.ts';
import { formatAddress, isUsable, parseAddress, parseCidr } from './ipv4.ts';
import { securityResources } from './security.ts';
import { volumeResources, volumesOf } from './volumes.ts';

/** The one router of a slice that leads outside. */
export const ROUTER = 'router';

/** All resources of a slice whose servers are to run, or to be shut down, as those of the nodes named in `off` are. */
export function compileSpec(
  spec: SliceSpec,
  { power, off = new Set() }: { power: Power; off?: ReadonlySet<string> },
): Resource[] {
  const layout = layoutOf(spec);
  const outside = outsideNetworks(spec, layout);
  const ports = portNames(spec, layout);
  const portList = spec.nodes.flatMap((node) => portResources(layout, node, ports));
  const portsOf = (node: NodeSpec) =>
    networksOf(layout, node.name).map((network) => ports.get(`${node.name}/${network}`) ?? '');
  return [
    ...layout.networks.map((network) => networkResource(network)),
    ...layout.networks.map((network) =>
      subnetResource(network, outside.has(network.spec.name), addressesAsked(portList, network.spec.name)),
    ),
    ...routerResources(outside),
    ...securityResources(spec),
    ...volumeResources(spec),
    ...portList,
    ...spec.nodes
      .filter(({ floatingIp }) => floatingIp)
      .map((node) => {
        const [port = ''] = portsOf(node);
        const [routerInterface = ''] = networksOf(layout, node.name);
        return resource(node.name, {
          $case: 'floatingIp',
          value: { spec: { port, routerInterface }, status: undefined },
        });
      }),
    ...spec.nodes.map((node) => {
      const server = ServerSpec.fromPartial({
        image: node.image,
        flavor: node.flavor,
        ports: portsOf(node),
        availabilityZone: node.availabilityZone || spec.availabilityZone,
        power: off.has(node.name) ? Power.OFF : power,
        keyPair: node.keyPair,
        userData: node.userData,
        volumes: volumesOf(node).map(({ name }) => name),
      });
      return resource(node.name, { $case: 'server', value: { spec: server, status: undefined } });
    }),
  ];
}

/** The names of the networks that a router connects to the outside, in the order of the layout. */
export function outsideNetworks(spec: SliceSpec, layout: Layout): ReadonlySet<string> {
  const asked = new Set(
    spec.nodes
      .filter((node) => node.internetAccess || node.floatingIp)
      .map((node) => networksOf(layout, node.name)[0])
      .filter((name) => name !== undefined),
  );
  return new Set(
    layout.networks
      .filter(
        ({ spec: { name, internetAccess, networkType } }) =>
          internetAccess || networkType === NetworkType.EXTERNAL || asked.has(name),
      )
      .map((network) => network.spec.name),
  );
}

/** A network's gateway as it will be: the one asked for, else the first address; none on a link of its own. */
export function gatewayOf({ spec, isLink }: PlannedNetwork, leadsOutside: boolean): string {
  if (spec.gateway) return spec.gateway;
  const cidr = parseCidr(spec.cidr);
  if (!cidr || (isLink && !leadsOutside)) return '';
  return formatAddress(cidr.first + 1);
}

/** The name of a node's port on each of its networks, by `node/network`. */
export function portNames(spec: SliceSpec, layout: Layout): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const node of spec.nodes) {
    for (const network of networksOf(layout, node.name)) {
      // Dashes are allowed in both names, so that `a-b` on `c` and `a` on `b-c` would be one port.
      const wanted = `${node.name}-${network}`;
      let name = wanted;
      for (let count = 2; taken.has(name); count += 1) name = `${wanted}-${count}`;
      taken.add(name);
      names.set(`${node.name}/${network}`, name);
    }
  }
  return names;
}

function networksOf(layout: Layout, node: string): readonly string[] {
  return layout.attachments.get(node) ?? [];
}

function networkResource({ spec }: PlannedNetwork): Resource {
  const network = DriverNetworkSpec.fromPartial({ vlanId: spec.vlanId });
  return resource(spec.name, { $case: 'network', value: { spec: network, status: undefined } });
}

/** Addresses that ports of a network ask for by name, in ascending order. */
function addressesAsked(ports: readonly Resource[], network: string): string[] {
  return ports
    .flatMap(({ kind }) => (kind?.$case === 'port' && kind.value.spec ? [kind.value.spec] : []))
    .filter((port) => port.network === network && port.ipAddress !== '')
    .map((port) => parseAddress(port.ipAddress) ?? 0)
    .sort((a, b) => a - b)
    .map(formatAddress);
}

function subnetResource(network: PlannedNetwork, leadsOutside: boolean, asked: readonly string[]): Resource {
  const { name, cidr, dnsServers } = network.spec;
  const gatewayIp = gatewayOf(network, leadsOutside);
  // A link may come to lead outside while it lives: the address of its gateway is kept free for that.
  const kept = gatewayIp === '' ? gatewayOf(network, true) : '';
  const reservedIps = kept === '' || asked.includes(kept) ? [...asked] : [kept, ...asked];
  const subnet = SubnetSpec.fromPartial({
    network: name,
    cidr,
    gatewayIp,
    dnsServers,
    dhcp: true,
    reservedIps,
  });
  return resource(name, { $case: 'subnet', value: { spec: subnet, status: undefined } });
}

function routerResources(outside: ReadonlySet<string>): Resource[] {
  if (outside.size === 0) return [];
  const feet = [...outside].map((subnet) => {
    const spec = RouterInterfaceSpec.fromPartial({ router: ROUTER, subnet });
    return resource(subnet, { $case: 'routerInterface', value: { spec, status: undefined } });
  });
  const router = { spec: { external: true }, status: undefined };
  return [resource(ROUTER, { $case: 'router', value: router }), ...feet];
}

function portResources(layout: Layout, node: NodeSpec, names: ReadonlyMap<string, string>): Resource[] {
  const networks = networksOf(layout, node.name);
  const management = managementNetwork(layout, networks, node.managementIp);
  return networks.map((network) => {
    const asked = node.interfaces.find((one) => one.network === network);
    const port = PortSpec.fromPartial({
      network,
      subnet: network,
      ipAddress: asked?.ipAddress || (network === management ? node.managementIp : ''),
      macAddress: asked?.macAddress.toLowerCase() ?? '',
      forwarding: node.forwarding,
      securityGroups: [...node.securityGroups].sort(),
    });
    const name = names.get(`${node.name}/${network}`) ?? '';
    return resource(name, { $case: 'port', value: { spec: port, status: undefined } });
  });
}

/** Of these networks the one whose range holds the management address; undefined if none does. */
export function managementNetwork(
  layout: Layout,
  networks: readonly string[],
  managementIp: string,
): string | undefined {
  const address = parseAddress(managementIp);
  if (address === undefined) return undefined;
  return networks.find((name) => {
    const planned = layout.networks.find((network) => network.spec.name === name);
    const cidr = parseCidr(planned?.spec.cidr ?? '');
    return cidr !== undefined && isUsable(cidr, address);
  });
}

function resource(name: string, kind: NonNullable<Resource['kind']>): Resource {
  return Resource.fromPartial({ name, kind });
}
