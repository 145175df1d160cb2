// What can be wrong with a subnet, without asking the cloud: ranges, gateways, routes, ways to give out IPv6 addresses.

import ipaddr from 'ipaddr.js';
import type { FieldViolation } from '#common/errors.ts';
import type { AllocationPool, HostRoute } from '#proto/pucp/openstack/v1/openstack.ts';
import { checkDnsServers, ipVersionOf, isInside, parseCidr } from './network-check.ts';

// Neutron's default (max_subnet_host_routes).
const MAX_ROUTES = 20;

export type SubnetPlan = {
  readonly cidr: string;
  /** null for none; undefined leaves the choice to the cloud. */
  readonly gatewayIp: string | null | undefined;
  readonly dnsNameservers: readonly string[];
  readonly allocationPools: readonly AllocationPool[];
  readonly hostRoutes: readonly HostRoute[];
};

/** The CIDR is taken to be right. */
export function* checkSubnet(plan: SubnetPlan): Generator<FieldViolation> {
  const { cidr, gatewayIp, dnsNameservers, allocationPools, hostRoutes } = plan;
  if (gatewayIp && !isInside(gatewayIp, cidr)) {
    yield { field: 'gateway_ip', message: `"${gatewayIp}" is not an address of ${cidr}` };
  }
  yield* checkDnsServers(dnsNameservers, ipVersionOf(cidr));
  yield* checkPools(allocationPools, cidr, gatewayIp ?? undefined);
  yield* checkRoutes(hostRoutes, 'host_routes', ipVersionOf(cidr));
}

function* checkPools(
  pools: readonly AllocationPool[],
  cidr: string,
  gatewayIp: string | undefined,
): Generator<FieldViolation> {
  const ranges: { first: bigint; last: bigint; text: string }[] = [];
  for (const [index, { start, end }] of pools.entries()) {
    const field = `allocation_pools[${index}]`;
    const wrong = [start, end].filter((address) => !isInside(address, cidr));
    if (wrong.length > 0) {
      yield { field, message: `"${wrong.join('", "')}" is not an address of ${cidr}` };
      continue;
    }
    const range = { first: numberOf(start), last: numberOf(end), text: `${start} to ${end}` };
    if (range.first > range.last) yield { field, message: `ends before it starts: ${range.text}` };
    const other = ranges.find(({ first, last }) => first <= range.last && range.first <= last);
    if (other) yield { field, message: `overlaps with ${other.text}` };
    if (gatewayIp && isInside(gatewayIp, cidr)) {
      const gateway = numberOf(gatewayIp);
      if (range.first <= gateway && gateway <= range.last) {
        yield { field, message: `contains the gateway ${gatewayIp}: leave that address out` };
      }
    }
    ranges.push(range);
  }
}

/** Routes of a subnet or a router. */
export function* checkRoutes(
  routes: readonly HostRoute[],
  list: string,
  version?: 4 | 6,
): Generator<FieldViolation> {
  if (routes.length > MAX_ROUTES) yield { field: list, message: `at most ${MAX_ROUTES} routes are possible` };
  const seen = new Set<string>();
  for (const [index, { destination, nexthop }] of routes.entries()) {
    const field = `${list}[${index}]`;
    const network = networkOf(destination);
    if (network === undefined) {
      yield {
        field: `${field}.destination`,
        message: `"${destination}" is not a network such as 10.1.0.0/16`,
      };
    } else if (network !== destination) {
      yield { field: `${field}.destination`, message: `"${destination}" has host bits: ${network} is meant` };
    } else if (version !== undefined && ipVersionOf(destination) !== version) {
      yield { field: `${field}.destination`, message: `"${destination}" is not of IPv${version}` };
    }
    if (!isAddress(nexthop)) {
      yield { field: `${field}.nexthop`, message: `"${nexthop}" is not an IP address` };
    } else if (network !== undefined && ipVersionOf(nexthop) !== ipVersionOf(destination)) {
      yield {
        field: `${field}.nexthop`,
        message: `"${nexthop}" is of another IP version than ${destination}`,
      };
    }
    const key = `${destination} ${nexthop}`;
    if (seen.has(key)) yield { field, message: 'is there twice' };
    seen.add(key);
  }
}

/** A network's address and prefix as Neutron writes them; undefined for what is none. */
export function networkOf(text: string): string | undefined {
  const parsed = parseCidr(text);
  if (!parsed) return undefined;
  const kind = parsed[0].kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${kind.networkAddressFromCIDR(text).toString()}/${parsed[1]}`;
}

export function isAddress(text: string): boolean {
  return isInside(text, text.includes(':') ? '::/0' : '0.0.0.0/0');
}

function numberOf(address: string): bigint {
  return ipaddr
    .parse(address)
    .toByteArray()
    .reduce((sum, byte) => (sum << 8n) + BigInt(byte), 0n);
}
