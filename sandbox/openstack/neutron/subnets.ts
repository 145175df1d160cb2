// Subnets, their pools, and the DHCP ports that follow from them.

import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { Fault, isObject, type Json } from '../http.ts';
import {
  type Cidr,
  cidrText,
  contains,
  hostRange,
  overlaps,
  parseCidr,
  toNumber,
  toText,
} from './addresses.ts';
import { type Attributes, STANDARD } from './attributes.ts';
import { badRequest, invalidInput, notFound } from './faults.ts';
import { isNetworkVisible } from './networks.ts';
import { deletePort, scheduleDhcp } from './port-life.ts';
import { bump, isOwn, type Resource, standardRow } from './resource.ts';
import type { SubnetRow } from './rows.ts';

const ATTRIBUTES: Attributes = {
  ...STANDARD,
  network_id: { type: 'uuid', on: 'create', isRequired: true },
  ip_version: { type: 'integer', on: 'create', isRequired: true, oneOf: [4, 6, '4', '6'] },
  cidr: { type: 'any', on: 'create' },
  prefixlen: { type: 'any', on: 'create' },
  subnetpool_id: { type: 'any', on: 'create' },
  gateway_ip: { type: 'any', on: 'both' },
  enable_dhcp: { type: 'boolean', on: 'both', initial: true },
  allocation_pools: { type: 'list', on: 'both' },
  dns_nameservers: { type: 'list', on: 'both', initial: [] },
  host_routes: { type: 'list', on: 'both', initial: [] },
  ipv6_ra_mode: { type: 'any', on: 'create', initial: null },
  ipv6_address_mode: { type: 'any', on: 'create', initial: null },
  service_types: { type: 'list', on: 'both', initial: [] },
  segment_id: { type: 'any', on: 'both' },
};

export function subnets(cloud: Cloud): Resource<SubnetRow> {
  const isVisible = (row: SubnetRow, caller: Caller) => {
    if (isOwn(row, caller)) return true;
    const network = cloud.networks.get(row.network_id);
    // A subnet is shown with a shared network, but not with one that is only external.
    return network?.shared === true;
  };
  return {
    singular: 'subnet',
    plural: 'subnets',
    className: 'Subnet',
    path: '/subnets',
    quota: 'subnet',
    table: cloud.subnets,
    attributes: ATTRIBUTES,
    filters: ['shared'],
    isVisible,
    candidates: (caller, query) => {
      const ids = query.getAll('network_id');
      const rows = ids.length === 1 ? cloud.subnets.by('network_id', ids[0] ?? '') : cloud.subnets.all();
      return rows.filter((row) => isVisible(row, caller));
    },
    show,
    create: (input, caller) => create(cloud, input, caller),
    update: (row, changes) => update(cloud, row, changes),
    remove: (row) => remove(cloud, row),
  };
}

function show(row: SubnetRow): Json {
  return {
    id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    network_id: row.network_id,
    ip_version: row.ip_version,
    subnetpool_id: null,
    enable_dhcp: row.enable_dhcp,
    ipv6_ra_mode: row.ipv6_ra_mode,
    ipv6_address_mode: row.ipv6_address_mode,
    gateway_ip: row.gateway_ip,
    cidr: row.cidr,
    allocation_pools: row.allocation_pools,
    host_routes: row.host_routes,
    dns_nameservers: row.dns_nameservers,
    description: row.description,
    service_types: [],
    tags: row.tags,
    created_at: row.created_at,
    updated_at: row.updated_at,
    revision_number: row.revision_number,
    project_id: row.project_id,
  };
}

function create(cloud: Cloud, input: Json, caller: Caller): SubnetRow {
  const network = cloud.networks.get(String(input.network_id));
  if (!network || !isNetworkVisible(network, caller)) throw notFound('Network', input.network_id);
  if (!isOwn(network, caller)) {
    throw new Fault(
      403,
      `Tenant ${caller.projectId} not allowed to create subnet on this network`,
      'HTTPForbidden',
    );
  }
  if (input.cidr === undefined || input.cidr === null) {
    throw new Fault(
      400,
      'Bad subnets request: a subnetpool must be specified in the absence of a cidr.',
      'BadRequest',
    );
  }
  const cidr =
    parseCidr(input.cidr) ?? parseCidr(`${String(input.cidr)}/${input.ip_version === 6 ? 128 : 32}`);
  if (!cidr) throw invalidInput(`${String(input.cidr)} is not in a CIDR format.`);
  if (cidr.version !== Number(input.ip_version)) {
    throw invalidInput(
      `cidr '${String(input.cidr)}' does not match the ip_version '${String(input.ip_version)}'.`,
    );
  }
  const isDhcp = input.enable_dhcp === true;
  if (isDhcp && cidr.last - cidr.first < 3n) {
    throw invalidInput('Subnet has a prefix length that is incompatible with DHCP service enabled.');
  }
  const gateway = gatewayOf(input.gateway_ip, cidr);
  const pools = poolsOf(input.allocation_pools, cidr, gateway);
  for (const other of cloud.subnets.by('network_id', network.id)) {
    const range = parseCidr(other.cidr);
    if (range && overlaps(range, cidr)) {
      const text = `Requested subnet with cidr: ${cidrText(cidr)} for network: ${network.id} overlaps with another subnet.`;
      throw invalidInput(text);
    }
  }
  const row: SubnetRow = {
    ...standardRow(input),
    id: randomUUID(),
    network_id: network.id,
    ip_version: cidr.version,
    cidr: cidrText(cidr),
    gateway_ip: gateway,
    enable_dhcp: isDhcp,
    allocation_pools: pools,
    dns_nameservers: nameservers(input.dns_nameservers, 'new subnet'),
    host_routes: hostRoutes(input.host_routes),
    ipv6_ra_mode: (input.ipv6_ra_mode as string | null) ?? null,
    ipv6_address_mode: (input.ipv6_address_mode as string | null) ?? null,
  };
  cloud.subnets.put(row);
  bump(cloud.networks, network, {});
  if (isDhcp) scheduleDhcp(cloud, network.id);
  return row;
}

/** The first address, which with IPv6 is the network's own, unless another, or none, was asked for. */
function gatewayOf(wish: unknown, cidr: Cidr): string | null {
  if (wish === null) return null;
  if (wish === undefined) {
    return toText(cidr.version === 6 ? cidr.first : hostRange(cidr).first, cidr.version);
  }
  if (typeof wish !== 'string' || parseCidr(`${wish}/${cidr.version === 4 ? 32 : 128}`) === undefined) {
    throw badRequest(`Invalid input for gateway_ip. Reason: '${String(wish)}' is not a valid IP address.`);
  }
  return wish;
}

type Pool = { readonly start: string; readonly end: string };

function poolsOf(wish: unknown, cidr: Cidr, gateway: string | null): Pool[] {
  const range = hostRange(cidr);
  const text = (number: bigint) => toText(number, cidr.version);
  if (!Array.isArray(wish)) {
    const hole = gateway !== null && contains(cidr, gateway) ? toNumber(gateway) : undefined;
    if (hole === undefined) return [{ start: text(range.first), end: text(range.last) }];
    const pools: Pool[] = [];
    if (hole > range.first) pools.push({ start: text(range.first), end: text(hole - 1n) });
    if (hole < range.last) pools.push({ start: text(hole + 1n), end: text(range.last) });
    return pools;
  }
  const pools = wish.map((pool): Pool => {
    if (!isObject(pool) || typeof pool.start !== 'string' || typeof pool.end !== 'string') {
      throw badRequest('Invalid input for allocation_pools. Reason: a pool needs start and end.');
    }
    return { start: pool.start, end: pool.end };
  });
  for (const { start, end } of pools) {
    const name = `${start}-${end}`;
    if (!contains(cidr, start) || !contains(cidr, end)) {
      const message = `The allocation pool ${name} spans beyond the subnet cidr ${cidrText(cidr)}.`;
      throw new Fault(400, message, 'OutOfBoundsAllocationPool');
    }
    if (toNumber(start) > toNumber(end)) {
      throw new Fault(400, `The allocation pool ${name} is not valid.`, 'InvalidAllocationPool');
    }
    if (
      gateway !== null &&
      contains(cidr, gateway) &&
      toNumber(gateway) >= toNumber(start) &&
      toNumber(gateway) <= toNumber(end)
    ) {
      const message = `Gateway ip ${gateway} conflicts with allocation pool ${name}.`;
      throw new Fault(409, message, 'GatewayConflictWithAllocationPools');
    }
  }
  for (const [index, pool] of pools.entries()) {
    const twin = pools.slice(index + 1).find((other) => overlap(pool, other));
    if (!twin) continue;
    const [a, b] = [pool, twin].map(({ start, end }) => `${start}-${end}`);
    const message = `Found overlapping allocation pools: ${a} ${b} for subnet ${cidrText(cidr)}.`;
    throw new Fault(409, message, 'OverlappingAllocationPools');
  }
  return pools;
}

function overlap(a: Pool, b: Pool): boolean {
  return toNumber(a.start) <= toNumber(b.end) && toNumber(b.start) <= toNumber(a.end);
}

const MAX_NAMESERVERS = 5;

function nameservers(value: unknown, subnetId: string): string[] {
  const list = (value as unknown[]).map(String);
  const twice = list.find((text, index) => list.indexOf(text) !== index);
  if (twice !== undefined) {
    throw badRequest(`Invalid input for dns_nameservers. Reason: Duplicate nameserver '${twice}'.`);
  }
  if (list.length > MAX_NAMESERVERS) {
    const message = `Unable to complete operation for ${subnetId}. The number of DNS nameservers exceeds the limit ${MAX_NAMESERVERS}.`;
    throw new Fault(400, message, 'DNSNameServersExhausted');
  }
  const wrong = list.find(
    (text) => parseCidr(`${text}/32`) === undefined && parseCidr(`${text}/128`) === undefined,
  );
  if (wrong === undefined) return list;
  throw badRequest(
    `Invalid input for dns_nameservers. Reason: '${wrong}' is not a valid nameserver. '${wrong}' is not a valid IP address.`,
  );
}

function hostRoutes(value: unknown): unknown[] {
  const refuse = (reason: string) => badRequest(`Invalid input for host_routes. Reason: ${reason}`);
  const seen = new Set<string>();
  return (value as unknown[]).map((route) => {
    const { destination, nexthop } = isObject(route) ? route : {};
    const cidr = parseCidr(destination);
    if (!cidr) throw refuse(`'${String(destination)}' is not a valid CIDR.`);
    if (cidrText(cidr) !== destination) {
      throw refuse(`'${String(destination)}' is not a recognized CIDR, '${cidrText(cidr)}' is recommended.`);
    }
    if (isIP(String(nexthop)) === 0) throw refuse(`'${String(nexthop)}' is not a valid IP address.`);
    const text = `{'destination': '${destination}', 'nexthop': '${String(nexthop)}'}`;
    if (seen.has(text)) throw refuse(`Duplicate hostroute '${text}'.`);
    seen.add(text);
    return { destination, nexthop };
  });
}

function update(cloud: Cloud, row: SubnetRow, changes: Json): SubnetRow {
  const cidr = parseCidr(row.cidr);
  if (!cidr) return row;
  const gateway = changes.gateway_ip === undefined ? row.gateway_ip : gatewayOf(changes.gateway_ip, cidr);
  const updated = bump(cloud.subnets, row, {
    ...(changes as Partial<SubnetRow>),
    gateway_ip: gateway,
    allocation_pools: poolsOf(changes.allocation_pools ?? row.allocation_pools, cidr, gateway),
    ...(changes.host_routes ? { host_routes: hostRoutes(changes.host_routes) } : {}),
    ...(changes.dns_nameservers ? { dns_nameservers: nameservers(changes.dns_nameservers, row.id) } : {}),
  });
  if (changes.enable_dhcp !== undefined) scheduleDhcp(cloud, row.network_id);
  return updated;
}

function remove(cloud: Cloud, row: SubnetRow): void {
  const ports = cloud.ports
    .by('network_id', row.network_id)
    .filter((port) => port.fixed_ips.some((ip) => ip.subnet_id === row.id));
  if (ports.some((port) => port.device_owner !== 'network:dhcp')) {
    const message = `Unable to complete operation on subnet ${row.id}: One or more ports have an IP allocation from this subnet.`;
    throw new Fault(409, message, 'SubnetInUse');
  }
  for (const port of ports) {
    const rest = port.fixed_ips.filter((ip) => ip.subnet_id !== row.id);
    if (rest.length === 0) deletePort(cloud, port);
    else bump(cloud.ports, port, { fixed_ips: rest });
  }
  cloud.subnets.remove(row.id);
}
