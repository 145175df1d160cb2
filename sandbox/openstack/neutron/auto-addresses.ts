// Addresses that nobody allocates: on a subnet with SLAAC or stateless DHCPv6 a port has the one that its MAC makes, and
// has it without asking. Neutron gives them to every port of the network but those of routers.

import type { Cloud } from '../cloud.ts';
import { parseCidr, toText } from './addresses.ts';
import { bump } from './resource.ts';
import type { FixedIp, SubnetRow } from './rows.ts';

const AUTO_MODES = ['slaac', 'dhcpv6-stateless'];
const ROUTER_INTERFACE = 'network:router_interface';

type Modes = Pick<SubnetRow, 'ipv6_ra_mode' | 'ipv6_address_mode'>;

export function isAutoAddressed({ ipv6_ra_mode: ra, ipv6_address_mode: address }: Modes): boolean {
  return AUTO_MODES.includes(ra ?? '') || AUTO_MODES.includes(address ?? '');
}

export function choosesOwnAddress(deviceOwner: string): boolean {
  return deviceOwner === ROUTER_INTERFACE;
}

/** RFC 4291, appendix A: the MAC with ff:fe in its middle and the universal bit turned. */
export function eui64(cidr: string, mac: string): string {
  const bytes = mac.split(':').map((byte) => Number.parseInt(byte, 16));
  const [first = 0, ...rest] = bytes;
  const whole = [first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  const suffix = whole.reduce((sum, byte) => (sum << 8n) + BigInt(byte), 0n);
  return toText((parseCidr(cidr)?.first ?? 0n) + suffix, 6);
}

type Holder = { readonly mac: string; readonly deviceOwner: string };

/** What a port has by itself on these subnets. */
export function autoAddresses(subnets: readonly SubnetRow[], { mac, deviceOwner }: Holder): FixedIp[] {
  if (choosesOwnAddress(deviceOwner)) return [];
  return subnets
    .filter(isAutoAddressed)
    .map((subnet) => ({ subnet_id: subnet.id, ip_address: eui64(subnet.cidr, mac) }));
}

/** A new subnet of this kind reaches the ports that were there before it. */
export function giveAutoAddresses(cloud: Cloud, subnet: SubnetRow): void {
  for (const port of cloud.ports.by('network_id', subnet.network_id)) {
    const added = autoAddresses([subnet], { mac: port.mac_address, deviceOwner: port.device_owner });
    if (added.length > 0) bump(cloud.ports, port, { fixed_ips: [...port.fixed_ips, ...added] });
  }
}
