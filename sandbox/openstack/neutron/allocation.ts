// Which addresses a port gets. Like Neutron, ordinary ports get a random free address of the pool's first thousand (no
// client may rely on an order) and DHCP ports the next free one.

import { randomInt } from 'node:crypto';
import { isIP } from 'node:net';
import type { Cloud } from '../cloud.ts';
import { Fault, isObject } from '../http.ts';
import { contains, parseCidr, toNumber, toText } from './addresses.ts';
import { badRequest, notFound } from './faults.ts';
import type { FixedIp, SubnetRow } from './rows.ts';

const WINDOW = 1000;
const GUESSES = 8;

export type Order = 'random' | 'next';

/** Addresses in use on a subnet. */
function usedOn(cloud: Cloud, subnet: SubnetRow): Set<string> {
  const used = new Set<string>();
  for (const port of cloud.ports.by('network_id', subnet.network_id)) {
    for (const ip of port.fixed_ips) if (ip.subnet_id === subnet.id) used.add(ip.ip_address);
  }
  return used;
}

function takeFree(
  cloud: Cloud,
  subnet: SubnetRow,
  order: Order,
  alsoUsed: ReadonlySet<string>,
): string | undefined {
  const used = usedOn(cloud, subnet);
  const isFree = (text: string) => !used.has(text) && !alsoUsed.has(text);
  const guess = order === 'random' ? guessFree(subnet, isFree) : undefined;
  if (guess !== undefined) return guess;
  const free: bigint[] = [];
  for (const pool of subnet.allocation_pools) {
    const last = toNumber(pool.end);
    for (let number = toNumber(pool.start); number <= last && free.length < WINDOW; number += 1n) {
      const text = toText(number, subnet.ip_version);
      if (!isFree(text)) continue;
      if (order === 'next') return text;
      free.push(number);
    }
  }
  const chosen = free.length === 0 ? undefined : free[randomInt(free.length)];
  return chosen === undefined ? undefined : toText(chosen, subnet.ip_version);
}

/** A few random tries, which nearly always do in a pool that is not nearly full. */
function guessFree(subnet: SubnetRow, isFree: (text: string) => boolean): string | undefined {
  const pool = subnet.allocation_pools[0];
  if (!pool) return undefined;
  const first = toNumber(pool.start);
  const size = Math.min(Number(toNumber(pool.end) - first) + 1, WINDOW);
  for (let attempt = 0; attempt < GUESSES; attempt += 1) {
    const text = toText(first + BigInt(randomInt(size)), subnet.ip_version);
    if (isFree(text)) return text;
  }
  return undefined;
}

type Request = {
  readonly networkId: string;
  /** What the caller asked for; undefined is "whatever is right". */
  readonly fixedIps: unknown;
  readonly order: Order;
  /** Addresses the port already has and may keep. */
  readonly own?: readonly FixedIp[];
};

/** The fixed IPs of a port. Throws Neutron's faults for addresses that are taken, foreign or exhausted. */
export function allocate(cloud: Cloud, { networkId, fixedIps, order, own = [] }: Request): FixedIp[] {
  const subnets = cloud.subnets.by('network_id', networkId);
  if (fixedIps === undefined) return allocateAny(cloud, networkId, subnets, order);
  if (!Array.isArray(fixedIps))
    throw badRequest(
      `Invalid input for fixed_ips. Reason: Invalid data format for fixed IP: '${String(fixedIps)}'.`,
    );
  const chosen: FixedIp[] = [];
  for (const wish of fixedIps) {
    if (!isObject(wish)) throw badRequest('Invalid input for fixed_ips. Reason: it is not a dictionary.');
    chosen.push(allocateWish(cloud, networkId, subnets, wish, { order, own, chosen }));
  }
  return chosen;
}

function allocateAny(cloud: Cloud, networkId: string, subnets: SubnetRow[], order: Order): FixedIp[] {
  const chosen: FixedIp[] = [];
  for (const version of [4, 6]) {
    const candidates = subnets.filter((subnet) => subnet.ip_version === version);
    if (candidates.length === 0) continue;
    const found = candidates
      .values()
      .map((subnet) => ({ subnet_id: subnet.id, ip_address: takeFree(cloud, subnet, order, new Set()) }))
      .find((ip) => ip.ip_address !== undefined);
    if (!found?.ip_address) {
      const message = `No more IP addresses available on network ${networkId}.`;
      throw new Fault(409, message, 'IpAddressGenerationFailure');
    }
    chosen.push({ subnet_id: found.subnet_id, ip_address: found.ip_address });
  }
  return chosen;
}

function allocateWish(
  cloud: Cloud,
  networkId: string,
  subnets: SubnetRow[],
  wish: Readonly<Record<string, unknown>>,
  { order, own, chosen }: { order: Order; own: readonly FixedIp[]; chosen: readonly FixedIp[] },
): FixedIp {
  const { subnet_id: subnetId, ip_address: address } = wish;
  if (address !== undefined && (typeof address !== 'string' || isIP(address) === 0)) {
    throw badRequest(`Invalid input for fixed_ips. Reason: '${String(address)}' is not a valid IP address.`);
  }
  let subnet: SubnetRow | undefined;
  if (subnetId !== undefined) {
    subnet = subnets.find((row) => row.id === subnetId);
    if (!subnet) {
      if (!cloud.subnets.get(String(subnetId))) throw notFound('Subnet', subnetId);
      const message = `Failed to create port on network ${networkId}, because fixed_ips included invalid subnet ${subnetId}.`;
      throw new Fault(400, message, 'InvalidInput');
    }
  }
  if (address === undefined) {
    if (!subnet)
      throw badRequest('Invalid input for fixed_ips. Reason: subnet_id or ip_address is required.');
    const taken = new Set([...own, ...chosen].map((ip) => ip.ip_address));
    const { id } = subnet;
    const kept = own.find((ip) => ip.subnet_id === id && !chosen.includes(ip));
    const free = kept?.ip_address ?? takeFree(cloud, subnet, order, taken);
    if (free === undefined) {
      const message = `No more IP addresses available on network ${networkId}.`;
      throw new Fault(409, message, 'IpAddressGenerationFailure');
    }
    return { subnet_id: subnet.id, ip_address: free };
  }
  const text = String(address);
  subnet ??= subnets.find((row) => isInside(row, text));
  if (!subnet) {
    const message = `IP address ${text} is not a valid IP for any of the subnets on the specified network.`;
    throw new Fault(400, message, 'InvalidIpForNetwork');
  }
  if (!isInside(subnet, text)) {
    throw new Fault(
      400,
      `IP address ${text} is not a valid IP for the specified subnet.`,
      'InvalidIpForSubnet',
    );
  }
  const isOwn = own.some((ip) => ip.ip_address === text);
  if ((!isOwn && usedOn(cloud, subnet).has(text)) || chosen.some((ip) => ip.ip_address === text)) {
    const message = `IP address ${text} already allocated in subnet ${subnet.id}`;
    throw new Fault(409, message, 'IpAddressAlreadyAllocated');
  }
  return { subnet_id: subnet.id, ip_address: text };
}

function isInside(subnet: SubnetRow, address: string): boolean {
  const cidr = parseCidr(subnet.cidr);
  return cidr !== undefined && contains(cidr, address);
}
