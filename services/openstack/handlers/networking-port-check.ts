// What can be wrong with a request for a port, given the network that it is on.

import type { FieldViolation } from '#common/errors.ts';
import type { AddressPair, FixedIp } from '#proto/pucp/openstack/v1/networking.ts';
import type { CreatePortRequest, UpdatePortRequest } from '#proto/pucp/openstack/v1/networking_service.ts';
import type { NeutronNetwork, NeutronPort, NeutronSubnet } from '../api/neutron-types.ts';
import { isInside } from './network-check.ts';
import { isAddress, networkOf } from './networking-subnet-check.ts';
import { checkDescription, checkOptionalName, isGiven } from './networking-text.ts';

// Neutron's default (max_fixed_ips_per_port, max_allowed_address_pair).
const MAX_FIXED_IPS = 5;
const MAX_PAIRS = 10;
/** IPv6 modes in which a port's address follows from its MAC address. */
const AUTOMATIC = ['slaac', 'dhcpv6-stateless'];

type Place = {
  readonly network: NeutronNetwork;
  readonly subnets: readonly NeutronSubnet[];
  readonly isOwn: boolean;
};

export function* checkNewPort(request: CreatePortRequest, place: Place): Generator<FieldViolation> {
  const { network, subnets, isOwn } = place;
  if (!isOwn && !network.shared) {
    const message = `"${network.name}" is not shared: lead a router or a floating IP there instead`;
    yield { field: 'network_id', message };
  }
  yield* checkOptionalName(request.name);
  yield* checkDescription(request.description);
  yield* checkFixedIps(request.fixedIps, subnets);
  if (request.macAddress !== '') yield* checkMac(request.macAddress, 'mac_address');
  yield* checkPairs(request.allowedAddressPairs);
  const isSecure = request.portSecurityEnabled ?? network.port_security_enabled;
  if (!isSecure) yield* checkOff(request);
}

export function* checkPortChange(
  request: UpdatePortRequest,
  { port, subnets, isAdmin }: { port: NeutronPort; subnets: readonly NeutronSubnet[]; isAdmin: boolean },
): Generator<FieldViolation> {
  yield* checkOptionalName(request.name);
  yield* checkDescription(request.description);
  const own = port.fixed_ips.map((ip) => ip.ip_address);
  yield* checkFixedIps(request.fixedIps, subnets, own);
  const { macAddress: mac } = request;
  if (mac !== undefined) {
    yield* checkMac(mac, 'mac_address');
    if (!isAdmin && mac.toLowerCase() !== port.mac_address.toLowerCase()) {
      const message = 'only admins change it: make a new port with this address instead';
      yield { field: 'mac_address', message };
    }
  }
  yield* checkPairs(request.allowedAddressPairs);
  if (!(request.portSecurityEnabled ?? port.port_security_enabled)) yield* checkOff(request);
}

type Secured = Pick<UpdatePortRequest, 'securityGroups' | 'allowedAddressPairs'>;

function* checkOff({ securityGroups, allowedAddressPairs }: Secured): Generator<FieldViolation> {
  const message = 'needs port security, which is off';
  if (isGiven(securityGroups, '', [])) yield { field: 'security_groups', message };
  if (isGiven(allowedAddressPairs, '', [])) yield { field: 'allowed_address_pairs', message };
}

function* checkFixedIps(
  fixedIps: readonly FixedIp[],
  subnets: readonly NeutronSubnet[],
  own: readonly string[] = [],
): Generator<FieldViolation> {
  if (fixedIps.length > MAX_FIXED_IPS) {
    yield { field: 'fixed_ips', message: `at most ${MAX_FIXED_IPS} addresses are possible` };
  }
  const known = subnets.map(({ id, cidr }) => `${id} (${cidr})`).join(', ') || 'none';
  for (const [index, { subnetId, ipAddress }] of fixedIps.entries()) {
    const field = `fixed_ips[${index}]`;
    if (subnetId === '' && ipAddress === '') {
      yield { field, message: 'is empty: give subnet_id, ip_address or both' };
      continue;
    }
    const subnet = subnets.find(({ id }) => id === subnetId);
    if (subnetId !== '' && !subnet) {
      yield {
        field: `${field}.subnet_id`,
        message: `"${subnetId}" is not on the network; there are: ${known}`,
      };
    }
    if (ipAddress === '') continue;
    const isThere = (subnet ? [subnet] : subnets).some(({ cidr }) => isInside(ipAddress, cidr));
    if (!isThere) {
      const where = subnet?.cidr ?? `the network's subnets: ${known}`;
      yield { field: `${field}.ip_address`, message: `"${ipAddress}" is not an address of ${where}` };
    }
    const automatic = subnets.find(
      ({ cidr, ipv6_address_mode: mode }) => isInside(ipAddress, cidr) && AUTOMATIC.includes(mode ?? ''),
    );
    if (automatic && !own.includes(ipAddress)) {
      const message = `ports make their own addresses of ${automatic.cidr}: leave it out`;
      yield { field: `${field}.ip_address`, message };
    }
  }
}

function* checkPairs(pairs: readonly AddressPair[]): Generator<FieldViolation> {
  const list = 'allowed_address_pairs';
  if (pairs.length > MAX_PAIRS) yield { field: list, message: `at most ${MAX_PAIRS} pairs are possible` };
  const seen = new Set<string>();
  for (const [index, { ipAddress, macAddress }] of pairs.entries()) {
    const field = `${list}[${index}]`;
    if (!isAddress(ipAddress) && networkOf(ipAddress) === undefined) {
      yield { field: `${field}.ip_address`, message: `"${ipAddress}" is neither an address nor a network` };
    }
    if (macAddress !== '') yield* checkMac(macAddress, `${field}.mac_address`);
    const key = `${ipAddress} ${macAddress.toLowerCase()}`;
    if (seen.has(key)) yield { field, message: 'is there twice' };
    seen.add(key);
  }
}

function* checkMac(text: string, field: string): Generator<FieldViolation> {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) {
    yield { field, message: `"${text}" is not a MAC address such as fa:16:3e:01:02:03` };
  } else if (/^.[13579bdf]/i.test(text)) {
    yield { field, message: `"${text}" is a multicast address: its second digit must be even` };
  }
}
