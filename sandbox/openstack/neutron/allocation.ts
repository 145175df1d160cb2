// Which addresses a port gets. Like Neutron, ordinary ports get a random free address of the pool's first thousand (no
// client may rely on an order) and DHCP ports the next free one.

import { randomInt } from 'node:crypto';
import { isIP } from 'node:net';
import type { Cloud } from '../cloud.ts';
import { Fault, isObject } from '../http.ts';
import { isUuid, pythonText } from '../ids.ts';
import { contains, hostRange, parseCidr, toNumber, toText } from './addresses.ts';
import { autoAddresses, choosesOwnAddress, isAutoAddressed } from './auto-addresses.ts';
import { badRequest, invalidInput, notFound } from './faults.ts';
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

/** The lowest free address of a subnet, if there is one. */
export function nextFree(cloud: Cloud, subnet: SubnetRow): FixedIp[] {
  const address = takeFree(cloud, subnet, 'next', new Set());
  return address === undefined ? [] : [{ subnet_id: subnet.id, ip_address: address }];
}

type Request = {
  readonly networkId: string;
  /** What the caller asked for; undefined is "whatever is right". */
  readonly fixedIps: unknown;
  readonly order: Order;
  /** Of the port, for the addresses that it has by itself. */
  readonly mac: string;
  readonly deviceOwner: string;
  /** Addresses the port already has and may keep. */
  readonly own?: readonly FixedIp[];
};

/** The fixed IPs of a port. Throws Neutron's faults for addresses that are taken, foreign or exhausted. */
export function allocate(cloud: Cloud, request: Request): FixedIp[] {
  const { networkId, fixedIps, order } = request;
  const subnets = cloud.subnets.by('network_id', networkId);
  const auto = autoAddresses(subnets, request);
  if (fixedIps === undefined) {
    const others = subnets.filter((subnet) => !isAutoAddressed(subnet));
    return [...allocateAny(cloud, networkId, others, order), ...auto];
  }
  const chosen: FixedIp[] = [];
  for (const wish of wishesOf(fixedIps)) {
    const ip = allocateWish(cloud, subnets, wish, { ...request, chosen });
    if (ip) chosen.push(ip);
  }
  return [...chosen, ...auto];
}

/** Checks what can be checked without looking at the network. */
function wishesOf(value: unknown): Readonly<Record<string, unknown>>[] {
  const refuse = (reason: string) => badRequest(`Invalid input for fixed_ips. Reason: ${reason}`);
  if (!Array.isArray(value)) throw refuse(`Invalid data format for fixed IP: ${quoted(value)}.`);
  const seen = new Set<string>();
  return value.map((wish) => {
    if (!isObject(wish)) throw refuse('it is not a dictionary.');
    const { ip_address: address, subnet_id: subnetId } = wish;
    if (address !== undefined) {
      if (typeof address !== 'string' || isIP(address) === 0)
        throw refuse(`${quoted(address)} is not a valid IP address.`);
      if (seen.has(address)) throw refuse(`Duplicate IP address '${address}'.`);
      seen.add(address);
    }
    if (subnetId !== undefined && !isUuid(subnetId)) throw refuse(`${quoted(subnetId)} is not a valid UUID.`);
    return wish;
  });
}

const quoted = (value: unknown) => (typeof value === 'string' ? pythonText(value) : `'${pythonText(value)}'`);

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

type Wish = Readonly<Record<string, unknown>>;

/** The address for one wish; undefined if the port has one there by itself. */
function allocateWish(
  cloud: Cloud,
  subnets: SubnetRow[],
  wish: Wish,
  {
    networkId,
    order,
    deviceOwner,
    own = [],
    chosen,
  }: Omit<Request, 'fixedIps'> & { chosen: readonly FixedIp[] },
): FixedIp | undefined {
  const { subnet_id: subnetId, ip_address: address } = wish;
  if (subnetId === undefined && address === undefined) {
    throw invalidInput('IP allocation requires subnet_id or ip_address.');
  }
  let subnet: SubnetRow | undefined;
  if (subnetId !== undefined) {
    subnet = subnets.find((row) => row.id === subnetId);
    if (!subnet) {
      if (!cloud.subnets.get(String(subnetId))) throw notFound('Subnet', subnetId);
      throw invalidInput(
        `Failed to create port on network ${networkId}, because fixed_ips included invalid subnet ${subnetId}.`,
      );
    }
  }
  const isAuto = (row: SubnetRow) => isAutoAddressed(row) && !choosesOwnAddress(deviceOwner);
  if (address === undefined) {
    if (!subnet || isAuto(subnet)) return undefined;
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
  if (isAuto(subnet)) {
    // What a port has already it may name again.
    if (isOwn) return undefined;
    const message = `IPv6 address ${text} cannot be directly assigned to a port on subnet ${subnet.id} as the subnet is configured for automatic addresses`;
    throw new Fault(400, message, 'AllocationOnAutoAddressSubnet');
  }
  if ((!isOwn && usedOn(cloud, subnet).has(text)) || chosen.some((ip) => ip.ip_address === text)) {
    const message = `IP address ${text} already allocated in subnet ${subnet.id}`;
    throw new Fault(409, message, 'IpAddressAlreadyAllocated');
  }
  return { subnet_id: subnet.id, ip_address: text };
}

/** A port's address is none of IPv4's network and broadcast addresses. */
function isInside(subnet: SubnetRow, address: string): boolean {
  const cidr = parseCidr(subnet.cidr);
  if (cidr === undefined || !contains(cidr, address)) return false;
  if (cidr.version === 6) return true;
  const { first, last } = hostRange(cidr);
  const number = toNumber(address);
  return number >= first && number <= last;
}
