// Neutron's allocation pools and what they leave out: a reserved address is one that no pool holds, so that DHCP and ports
// that name no address keep off it. A port that names it may take it all the same.

import { formatAddress, parseAddress, parseCidr } from '#engine/spec/ipv4.ts';
import type { AllocationPool } from '../api/neutron-types.ts';

type Range = { readonly start: number; readonly end: number };

/** More than a slice ever asks for; a foreign subnet may leave out far more. */
const MAX_RESERVED = 256;

/** Pools of all addresses that hosts may use but the gateway's and the reserved ones. */
export function poolsWithout(
  cidr: string,
  gatewayIp: string,
  reservedIps: readonly string[],
): AllocationPool[] {
  const network = parseCidr(cidr);
  if (!network) return [];
  const left = [gatewayIp, ...reservedIps].flatMap((ip) => parseAddress(ip) ?? []).sort((a, b) => a - b);
  const pools: Range[] = [];
  let start = network.first + 1;
  for (const address of [...left, network.last]) {
    if (address > start) pools.push({ start, end: address - 1 });
    start = Math.max(start, address + 1);
  }
  return pools.map((pool) => ({ start: formatAddress(pool.start), end: formatAddress(pool.end) }));
}

/** The addresses that hosts may use and that neither a pool nor the gateway holds, in ascending order. */
export function reservedBy(cidr: string, gatewayIp: string, pools: readonly AllocationPool[]): string[] {
  const network = parseCidr(cidr);
  if (!network) return [];
  const ranges = pools
    .map(({ start, end }) => ({ start: parseAddress(start) ?? 0, end: parseAddress(end) ?? 0 }))
    .sort((a, b) => a.start - b.start);
  const gateway = parseAddress(gatewayIp);
  const reserved: string[] = [];
  let address = network.first + 1;
  for (const { start, end } of [...ranges, { start: network.last, end: network.last }]) {
    for (; address < start && reserved.length < MAX_RESERVED; address += 1) {
      if (address !== gateway) reserved.push(formatAddress(address));
    }
    address = Math.max(address, end + 1);
  }
  return reserved;
}
