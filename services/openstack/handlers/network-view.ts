// A Neutron network with its subnets as clients of the orchestrator see it.

import { Network, Subnet } from '#proto/pucp/openstack/v1/openstack.ts';
import type { NeutronNetwork, NeutronSubnet } from '../api/neutron-types.ts';
import { sliceOf } from '../marks.ts';
import { descriptionOf } from './networking-text.ts';

export function networkView(
  network: NeutronNetwork,
  {
    subnets,
    projectName,
    isAdmin,
  }: { subnets: readonly NeutronSubnet[]; projectName: string; isAdmin: boolean },
): Network {
  // In the order in which Neutron names them; those of another project's network are not told to everyone.
  const own = network.subnets.flatMap((id) => subnets.filter((subnet) => subnet.id === id));
  const [first] = own;
  return Network.fromPartial({
    id: network.id,
    networkName: network.name,
    openstackNetworkId: network.id,
    projectId: network.project_id,
    projectName,
    sliceId: sliceOf(network),
    createdAt: network.created_at,
    cidr: first?.cidr ?? '',
    subnetId: first?.id ?? '',
    gatewayIp: first?.gateway_ip ?? '',
    subnets: own.map(subnetView),
    status: network.status.toLowerCase(),
    isExternal: network['router:external'],
    shared: network.shared,
    description: descriptionOf(network),
    adminStateUp: network.admin_state_up,
    portSecurityEnabled: network.port_security_enabled,
    mtu: network.mtu,
    ...(isAdmin
      ? {
          providerNetworkType: network['provider:network_type'] ?? '',
          physicalNetwork: network['provider:physical_network'] ?? '',
          segmentationId: network['provider:segmentation_id'] ?? 0,
        }
      : {}),
  });
}

export function subnetView(subnet: NeutronSubnet): Subnet {
  return Subnet.fromPartial({
    id: subnet.id,
    name: subnet.name,
    cidr: subnet.cidr,
    gatewayIp: subnet.gateway_ip ?? '',
    enableDhcp: subnet.enable_dhcp,
    dnsNameservers: [...subnet.dns_nameservers],
    ipVersion: subnet.ip_version,
    networkId: subnet.network_id,
    projectId: subnet.project_id,
    description: descriptionOf(subnet),
    allocationPools: [...subnet.allocation_pools],
    hostRoutes: [...subnet.host_routes],
    ipv6Mode: subnet.ipv6_address_mode ?? subnet.ipv6_ra_mode ?? '',
    sliceId: sliceOf(subnet),
    createdAt: subnet.created_at,
  });
}
