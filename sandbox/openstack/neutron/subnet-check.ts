// What a subnet's range, gateway and IPv6 modes must be, in the order in which Neutron looks at them.

import { isIP } from 'node:net';
import type { Json } from '../http.ts';
import { type Cidr, contains, parseCidr, toNumber } from './addresses.ts';
import { isAutoAddressed } from './auto-addresses.ts';
import { badRequest, invalidInput } from './faults.ts';

/** Throws Neutron's 400 for a new subnet that cannot be. */
export function checkSubnet(input: Json, cidr: Cidr): void {
  if (cidr.prefix === 0) throw invalidInput('0 is not allowed as CIDR prefix length.');
  if (input.enable_dhcp === true) checkDhcp(cidr);
  if (input.gateway_ip !== undefined && input.gateway_ip !== null) checkGateway(input.gateway_ip, cidr);
  checkModes(input, cidr);
}

/** Without DHCP a subnet may be of any kind of addresses. */
function checkDhcp(cidr: Cidr): void {
  if (cidr.last - cidr.first < 3n) {
    throw invalidInput('Subnet has a prefix length that is incompatible with DHCP service enabled.');
  }
  const isInside = (text: string) => {
    const range = parseCidr(text);
    return range?.version === cidr.version && cidr.first >= range.first && cidr.last <= range.last;
  };
  if (isInside('224.0.0.0/4') || isInside('ff00::/8')) {
    throw invalidInput('Multicast IP subnet is not supported if enable_dhcp is True.');
  }
  if (isInside('127.0.0.0/8') || isInside('::1/128')) {
    throw invalidInput('Loopback IP subnet is not supported if enable_dhcp is True.');
  }
  if (cidr.version === 4 && cidr.first === 0n) {
    throw invalidInput("First IP '0.0.0.0' of network is not supported if enable_dhcp is True..");
  }
}

export function checkGateway(wish: unknown, cidr: Cidr): void {
  const text = String(wish);
  if (typeof wish !== 'string' || isIP(text) === 0) {
    throw badRequest(`Invalid input for gateway_ip. Reason: '${text}' is not a valid IP address.`);
  }
  if (isIP(text) !== cidr.version) {
    throw invalidInput(`gateway_ip '${text}' does not match the ip_version '${cidr.version}'.`);
  }
  const isEdge = [cidr.first, cidr.last].includes(toNumber(text));
  if (cidr.version === 4 && contains(cidr, text) && isEdge) {
    throw invalidInput('Gateway is not valid on subnet.');
  }
}

function checkModes(input: Json, cidr: Cidr): void {
  const ra = (input.ipv6_ra_mode as string | null | undefined) ?? null;
  const address = (input.ipv6_address_mode as string | null | undefined) ?? null;
  if (ra === null && address === null) return;
  if (cidr.version === 4) {
    const name = ra === null ? 'ipv6_address_mode' : 'ipv6_ra_mode';
    throw invalidInput(`${name} is not valid when ip_version is 4.`);
  }
  if (input.enable_dhcp !== true) {
    throw invalidInput('ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False.');
  }
  if (ra !== null && address !== null && ra !== address) {
    throw invalidInput(
      `ipv6_ra_mode set to '${ra}' with ipv6_address_mode set to '${address}' is not valid. If both attributes are set, they must be the same value.`,
    );
  }
  if (isAutoAddressed({ ipv6_ra_mode: ra, ipv6_address_mode: address }) && cidr.prefix !== 64) {
    throw invalidInput(
      `Invalid CIDR ${String(input.cidr)} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64.`,
    );
  }
}
