// A subnet's allocation pools: the ranges that ports get their addresses from.

import { isIP } from 'node:net';
import { Fault, isObject } from '../http.ts';
import { pythonText } from '../ids.ts';
import { type Cidr, cidrText, hostRange, toNumber, toText } from './addresses.ts';
import { badRequest } from './faults.ts';

/** First and last address. */
type Pool = { readonly start: string; readonly end: string };

/** The pools that were asked for, checked, or everything around the gateway. */
export function poolsOf(wish: unknown, cidr: Cidr, gateway: string | null): Pool[] {
  if (wish === undefined) return poolsAround(gateway, cidr);
  if (!Array.isArray(wish)) {
    const text = typeof wish === 'string' ? wish : pythonText(wish);
    throw badRequest(
      `Invalid input for allocation_pools. Reason: Invalid data format for IP pool: '${text}'.`,
    );
  }
  if (wish.length === 0) return poolsAround(gateway, cidr);
  const pools = wish.map(checkedPool);
  const { first, last } = hostRange(cidr);
  for (const { start, end } of pools) {
    const name = `${start}-${end}`;
    if (isIP(start) !== cidr.version || isIP(end) !== cidr.version) {
      throw new Fault(400, `The allocation pool ${name} is not valid.`, 'InvalidAllocationPool');
    }
    if (toNumber(start) < first || toNumber(end) > last) {
      const message = `The allocation pool ${name} spans beyond the subnet cidr ${cidrText(cidr)}.`;
      throw new Fault(400, message, 'OutOfBoundsAllocationPool');
    }
  }
  for (const [index, pool] of pools.entries()) {
    const twin = pools.slice(index + 1).find((other) => overlap(pool, other));
    if (!twin) continue;
    const [a, b] = [pool, twin].map(({ start, end }) => `${start}-${end}`);
    const message = `Found overlapping allocation pools: ${a} ${b} for subnet ${cidrText(cidr)}.`;
    throw new Fault(409, message, 'OverlappingAllocationPools');
  }
  const holder = pools.find((pool) => gateway !== null && overlap(pool, { start: gateway, end: gateway }));
  if (holder) {
    const message = `Gateway ip ${gateway} conflicts with allocation pool ${holder.start}-${holder.end}.`;
    throw new Fault(409, message, 'GatewayConflictWithAllocationPools');
  }
  return pools;
}

/** All addresses that hosts may have but the gateway's. */
function poolsAround(gateway: string | null, cidr: Cidr): Pool[] {
  const range = hostRange(cidr);
  const text = (number: bigint) => toText(number, cidr.version);
  const hole = gateway !== null && isIP(gateway) === cidr.version ? toNumber(gateway) : undefined;
  if (hole === undefined || cidr.first === cidr.last || hole < range.first || hole > range.last) {
    return [{ start: text(range.first), end: text(range.last) }];
  }
  const pools: Pool[] = [];
  if (hole > range.first) pools.push({ start: text(range.first), end: text(hole - 1n) });
  if (hole < range.last) pools.push({ start: text(hole + 1n), end: text(range.last) });
  return pools;
}

function checkedPool(pool: unknown): Pool {
  const refuse = (reason: string) => badRequest(`Invalid input for allocation_pools. Reason: ${reason}`);
  const given = isObject(pool) ? pool : {};
  const { start, end } = given;
  if (start === undefined || end === undefined) {
    const provided = Object.keys(given).map((key) => `'${key}'`);
    const keys = `Expected keys: {'start', 'end'} Provided keys: {${provided.join(', ')}}.`;
    throw refuse(`Validation of dictionary's keys failed. ${keys}`);
  }
  const wrong = [start, end].find((address) => isIP(String(address)) === 0);
  if (wrong !== undefined) throw refuse(`'${String(wrong)}' is not a valid IP address.`);
  const [first, last] = [String(start), String(end)];
  if (isIP(first) === isIP(last) && toNumber(first) > toNumber(last)) {
    const message = `The allocation pool ${pythonText({ start: first, end: last })} is not valid.`;
    throw new Fault(400, message, 'InvalidAllocationPool');
  }
  return { start: first, end: last };
}

function overlap(a: Pool, b: Pool): boolean {
  return toNumber(a.start) <= toNumber(b.end) && toNumber(b.start) <= toNumber(a.end);
}
