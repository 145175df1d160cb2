// A Neutron network with its subnets as clients of the orchestrator see it.

import { Network } from '#proto/pucp/openstack/v1/openstack.ts';
import type { NeutronNetwork, NeutronSubnet } from '../api/neutron-types.ts';
import { sliceOf } from '../marks.ts';

export function networkView(
  network: NeutronNetwork,
  { subnets, projectName }: { subnets: readonly NeutronSubnet[]; projectName: string },
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
    cidr: first?.cidr ?? '',
    subnetId: first?.id ?? '',
    gatewayIp: first?.gateway_ip ?? '',
    subnets: own.map((subnet) => ({
      id: subnet.id,
      name: subnet.name,
      cidr: subnet.cidr,
      gatewayIp: subnet.gateway_ip ?? '',
      enableDhcp: subnet.enable_dhcp,
      dnsNameservers: [...subnet.dns_nameservers],
      ipVersion: subnet.ip_version,
    })),
    status: network.status.toLowerCase(),
    isExternal: network['router:external'],
    shared: network.shared,
  });
}
