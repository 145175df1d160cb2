// IPv4 networks as numbers, so that overlaps and sizes are comparisons. Parsing is ipaddr.js's; IPv6 is not served yet.

import ipaddr from 'ipaddr.js';

/** An IPv4 network; both ends are addresses as unsigned 32-bit numbers. */
export type Cidr = { readonly first: number; readonly last: number; readonly prefix: number };

/** An address in dotted decimal as a number; undefined if it is none (no shorthand, octal or hexadecimal). */
export function parseAddress(text: string): number | undefined {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
  return ipaddr.IPv4.parse(text).octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** A network whose host bits may be set: `first` and `last` are the ends of the network that holds the address. */
export function parseCidr(text: string): Cidr | undefined {
  const [, host = '', length = ''] = /^([0-9.]+)\/(0|[1-9][0-9]?)$/.exec(text) ?? [];
  const address = parseAddress(host);
  const prefix = Number(length);
  if (address === undefined || prefix > 32) return undefined;
  return cidrAt(address, prefix);
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.first)}/${cidr.prefix}`;
}

/** The network of that prefix that holds the address. */
export function cidrAt(address: number, prefix: number): Cidr {
  const size = 2 ** (32 - prefix);
  const first = address - (address % size);
  return { first, last: first + size - 1, prefix };
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function contains(cidr: Cidr, address: number): boolean {
  return cidr.first <= address && address <= cidr.last;
}

/** Addresses that hosts may use: all but the network's own and the broadcast address (RFC 1122 section 3.2.1.3). */
export function usableCount(cidr: Cidr): number {
  return Math.max(0, cidr.last - cidr.first - 1);
}

export function isUsable(cidr: Cidr, address: number): boolean {
  return cidr.first < address && address < cidr.last;
}
