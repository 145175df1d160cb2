// Arithmetic on IP addresses, of both versions, as big integers.

import { isIP } from 'node:net';

export type Cidr = {
  readonly version: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
  readonly prefix: number;
};

/** A network from text such as 10.0.0.0/24; host bits are cleared. undefined if it is no CIDR. */
export function parseCidr(text: unknown): Cidr | undefined {
  if (typeof text !== 'string') return undefined;
  const [address = '', length, ...rest] = text.split('/');
  const version = isIP(address);
  if (rest.length > 0 || (version !== 4 && version !== 6)) return undefined;
  const bits = version === 4 ? 32 : 128;
  if (length === undefined || !/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined;
  const prefix = Number(length);
  const size = 1n << BigInt(bits - prefix);
  const first = (toNumber(address) / size) * size;
  return { version, first, last: first + size - 1n, prefix };
}

export function cidrText(cidr: Cidr): string {
  return `${toText(cidr.first, cidr.version)}/${cidr.prefix}`;
}

export function toNumber(address: string): bigint {
  if (isIP(address) === 4) return address.split('.').reduce((sum, part) => (sum << 8n) + BigInt(part), 0n);
  const [head = '', tail] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').flatMap(hexGroups));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n);
}

/** The last four bytes may be written as an IPv4 address. */
function hexGroups(group: string): string[] {
  if (!group.includes('.')) return [group];
  const number = toNumber(group);
  return [(number >> 16n).toString(16), (number & 0xffffn).toString(16)];
}

export function toText(number: bigint, version: number): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => (number >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((number >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
  );
  const zeros = [...groups.join(':').matchAll(/\b0(?::0)+\b/g)].sort((a, b) => b[0].length - a[0].length)[0];
  if (!zeros) return groups.join(':');
  const joined = groups.join(':');
  const before = joined.slice(0, zeros.index).replace(/:$/, '');
  const after = joined.slice(zeros.index + zeros[0].length).replace(/^:/, '');
  return `${before}::${after}`;
}

export function contains(cidr: Cidr, address: string): boolean {
  if (isIP(address) !== cidr.version) return false;
  const number = toNumber(address);
  return number >= cidr.first && number <= cidr.last;
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.version === b.version && a.first <= b.last && b.first <= a.last;
}

/** The addresses a host may have: without network and broadcast address, where there are such. */
export function hostRange(cidr: Cidr): { first: bigint; last: bigint } {
  if (cidr.first === cidr.last) return { first: cidr.first, last: cidr.last };
  if (cidr.version === 6) return { first: cidr.first + 1n, last: cidr.last };
  const isTiny = cidr.prefix > 30;
  return isTiny ? { first: cidr.first, last: cidr.last } : { first: cidr.first + 1n, last: cidr.last - 1n };
}
