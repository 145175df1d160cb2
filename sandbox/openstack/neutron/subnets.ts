// Subnets, their pools, and the DHCP ports that follow from them.

import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { Fault, isObject, type Json } from '../http.ts';
import { type Cidr, cidrText, overlaps, parseCidr, toText } from './addresses.ts';
import { type Attributes, STANDARD } from './attributes.ts';
import { choosesOwnAddress, giveAutoAddresses, isAutoAddressed } from './auto-addresses.ts';
import { badRequest, invalidInput, notFound } from './faults.ts';
import { isNetworkVisible } from './networks.ts';
import { deletePort, scheduleDhcp } from './port-life.ts';
import { bump, isOwn, type Resource, standardRow } from './resource.ts';
import type { PortRow, SubnetRow } from './rows.ts';
import { checkGateway, checkSubnet } from './subnet-check.ts';
import { poolsOf } from './subnet-pools.ts';

const IPV6_MODES = ['dhcpv6-stateful', 'dhcpv6-stateless', 'slaac'];

const ATTRIBUTES: Attributes = {
  ...STANDARD,
  network_id: { type: 'uuid', on: 'create', isRequired: true },
  ip_version: { type: 'integer', on: 'create', isRequired: true, oneOf: [4, 6, '4', '6'] },
  cidr: { type: 'any', on: 'create' },
  prefixlen: { type: 'any', on: 'create' },
  subnetpool_id: { type: 'any', on: 'create' },
  gateway_ip: { type: 'any', on: 'both' },
  enable_dhcp: { type: 'boolean', on: 'both', initial: true },
  allocation_pools: { type: 'any', on: 'both' },
  dns_nameservers: { type: 'list', on: 'both', initial: [] },
  host_routes: { type: 'list', on: 'both', initial: [] },
  ipv6_ra_mode: { type: 'any', on: 'create', initial: null, oneOf: IPV6_MODES },
  ipv6_address_mode: { type: 'any', on: 'create', initial: null, oneOf: IPV6_MODES },
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
    isNoFilter: ['allocation_pools', 'dns_nameservers', 'host_routes', 'prefixlen', 'service_types'],
    isNoSortKey: ['allocation_pools', 'dns_nameservers', 'host_routes', 'service_types'],
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
  const isCidrGiven = input.cidr !== undefined && input.cidr !== null;
  if (isCidrGiven && input.prefixlen !== undefined) {
    const message = 'Bad subnets request: cidr and prefixlen must not be supplied together.';
    throw new Fault(400, message, 'BadRequest');
  }
  if (typeof input.subnetpool_id === 'string') {
    throw new Fault(404, `Subnet pool ${input.subnetpool_id} could not be found.`, 'SubnetPoolNotFound');
  }
  if (!isCidrGiven) {
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
  checkSubnet(input, cidr);
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
    dns_nameservers: nameservers(input.dns_nameservers, 'new subnet', cidr.version),
    host_routes: hostRoutes(input.host_routes, cidr.version),
    ipv6_ra_mode: (input.ipv6_ra_mode as string | null) ?? null,
    ipv6_address_mode: (input.ipv6_address_mode as string | null) ?? null,
  };
  cloud.subnets.put(row);
  bump(cloud.networks, network, {});
  if (isAutoAddressed(row)) giveAutoAddresses(cloud, row);
  if (isDhcp) scheduleDhcp(cloud, network.id);
  return row;
}

/** The first address, which with IPv6 is the network's own, unless another, or none, was asked for. */
function gatewayOf(wish: unknown, cidr: Cidr): string | null {
  if (wish === null) return null;
  if (wish !== undefined) {
    checkGateway(wish, cidr);
    return String(wish);
  }
  const gateway = toText(cidr.version === 6 ? cidr.first : cidr.first + 1n, cidr.version);
  if (cidr.version === 4 && cidr.prefix === 31) {
    const message = `Gateway IP ${gateway} cannot be allocated in CIDR ${cidrText(cidr)}`;
    throw new Fault(409, message, 'IpamValueInvalid');
  }
  return gateway;
}

const MAX_NAMESERVERS = 5;

function nameservers(value: unknown, subnetId: string, version: number): string[] {
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
  const other = list.find((text) => isIP(text) !== 0 && isIP(text) !== version);
  if (wrong === undefined && other !== undefined) {
    throw invalidInput(`dns_nameserver '${other}' does not match the ip_version '${version}'.`);
  }
  if (wrong === undefined) return list;
  throw badRequest(
    `Invalid input for dns_nameservers. Reason: '${wrong}' is not a valid nameserver. '${wrong}' is not a valid IP address.`,
  );
}

function hostRoutes(value: unknown, version: number): unknown[] {
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
    for (const [name, address] of Object.entries({ destination: cidrText(cidr).split('/')[0], nexthop })) {
      if (isIP(String(address)) !== version) {
        const shown = name === 'nexthop' ? nexthop : destination;
        throw invalidInput(`${name} '${String(shown)}' does not match the ip_version '${version}'.`);
      }
    }
    return { destination, nexthop };
  });
}

function update(cloud: Cloud, row: SubnetRow, changes: Json): SubnetRow {
  const cidr = parseCidr(row.cidr);
  if (!cidr) return row;
  if (changes.enable_dhcp === false && (row.ipv6_ra_mode ?? row.ipv6_address_mode) !== null) {
    throw invalidInput('Cannot disable enable_dhcp with ipv6 attributes set.');
  }
  const gateway = changes.gateway_ip === undefined ? row.gateway_ip : gatewayOf(changes.gateway_ip, cidr);
  if (gateway !== null && gateway !== row.gateway_ip) refuseIfGatewayUsed(cloud, row);
  const updated = bump(cloud.subnets, row, {
    ...(changes as Partial<SubnetRow>),
    gateway_ip: gateway,
    allocation_pools: poolsOf(changes.allocation_pools ?? row.allocation_pools, cidr, gateway),
    ...(changes.host_routes ? { host_routes: hostRoutes(changes.host_routes, cidr.version) } : {}),
    ...(changes.dns_nameservers
      ? { dns_nameservers: nameservers(changes.dns_nameservers, row.id, cidr.version) }
      : {}),
  });
  if (changes.enable_dhcp !== undefined) scheduleDhcp(cloud, row.network_id);
  return updated;
}

/** The gateway that a router answers at stays. */
function refuseIfGatewayUsed(cloud: Cloud, row: SubnetRow): void {
  const holder = cloud.ports
    .by('network_id', row.network_id)
    .filter((port) => choosesOwnAddress(port.device_owner))
    .find((port) => port.fixed_ips.some((ip) => ip.subnet_id === row.id && ip.ip_address === row.gateway_ip));
  if (!holder) return;
  const message = `Current gateway ip ${row.gateway_ip} already in use by port ${holder.id}. Unable to update.`;
  throw new Fault(409, message, 'GatewayIpInUse');
}

function remove(cloud: Cloud, row: SubnetRow): void {
  const ports = cloud.ports
    .by('network_id', row.network_id)
    .filter((port) => port.fixed_ips.some((ip) => ip.subnet_id === row.id));
  // Addresses that nobody allocated go with their subnet; only a router's keep it.
  const keeps = (port: PortRow) =>
    isAutoAddressed(row) ? choosesOwnAddress(port.device_owner) : port.device_owner !== 'network:dhcp';
  if (ports.some(keeps)) {
    const message = `Unable to complete operation on subnet ${row.id}: One or more ports have an IP allocation from this subnet.`;
    throw new Fault(409, message, 'SubnetInUse');
  }
  for (const port of ports) {
    const rest = port.fixed_ips.filter((ip) => ip.subnet_id !== row.id);
    if (rest.length === 0 && port.device_owner === 'network:dhcp') deletePort(cloud, port);
    else bump(cloud.ports, port, { fixed_ips: rest });
  }
  cloud.subnets.remove(row.id);
}
