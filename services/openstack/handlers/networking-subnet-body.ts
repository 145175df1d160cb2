// What a new subnet is made with, whether its network is made with it or was there before.

import type { SubnetCreate } from '../api/neutron-types.ts';
import { ipVersionOf } from './network-check.ts';

type SubnetWish = {
  readonly cidr: string;
  /** Set and empty means none; not set leaves the choice to Neutron, which takes the first address. */
  readonly gatewayIp?: string | undefined;
  readonly enableDhcp?: boolean | undefined;
  readonly dnsNameservers: readonly string[];
  readonly ipv6Mode: string;
};

/** `dnsServers` are the usual ones: those of the subnet's IP version are taken where the wish names none. */
export function newSubnet(
  { cidr, gatewayIp, enableDhcp = true, dnsNameservers, ipv6Mode }: SubnetWish,
  dnsServers: readonly string[],
): Pick<SubnetCreate, 'ip_version' | 'cidr'> & Partial<SubnetCreate> {
  const version = ipVersionOf(cidr);
  const usual = dnsServers.filter((server) => ipVersionOf(server) === version);
  // Both say the same: Neutron's router announces what DHCP does.
  const mode = version === 6 && enableDhcp ? ipv6Mode || 'dhcpv6-stateful' : undefined;
  return {
    ip_version: version,
    cidr,
    enable_dhcp: enableDhcp,
    dns_nameservers: dnsNameservers.length > 0 ? dnsNameservers : usual,
    ...(gatewayIp === undefined ? {} : { gateway_ip: gatewayIp === '' ? null : gatewayIp }),
    ...(mode === undefined ? {} : { ipv6_address_mode: mode, ipv6_ra_mode: mode }),
  };
}
