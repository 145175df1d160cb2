// What can be wrong with a request for a network, without asking the cloud.

import ipaddr from 'ipaddr.js';
import type { FieldViolation } from '#common/errors.ts';
import type { CreateNetworkRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { isSliceId } from '../marks.ts';
import { checkDescription } from './networking-text.ts';

const TYPES = ['private', 'management', 'data', 'trunk', 'provider', 'external'];
/** Which of them there are is the cloud's choice. */
const WIRES = ['flat', 'geneve', 'gre', 'local', 'vlan', 'vxlan'];
const IPV6_MODES = ['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless'];
// Neutron's limits.
const MAX_NAME = 255;
const MAX_DNS_SERVERS = 5;
const MAX_VLAN = 4094;

export function* checkNetwork(request: CreateNetworkRequest, isAdmin: boolean): Generator<FieldViolation> {
  const { networkName, cidr, gatewayIp, dnsNameservers, networkType, sliceId, isExternal } = request;
  if (networkName.trim() === '' || networkName.length > MAX_NAME) {
    yield { field: 'network_name', message: `must have 1 to ${MAX_NAME} characters` };
  }
  if (cidr === '') yield* checkNoSubnet(request);
  else {
    yield* checkCidr(cidr);
    if (gatewayIp && !isInside(gatewayIp, cidr)) {
      yield { field: 'gateway_ip', message: `"${gatewayIp}" is not an address of ${cidr}` };
    }
    yield* checkDnsServers(dnsNameservers, parseCidr(cidr) && ipVersionOf(cidr));
    yield* checkIpv6Mode(request);
  }
  if (networkType !== '' && !TYPES.includes(networkType)) {
    yield { field: 'network_type', message: `must be one of ${TYPES.join(', ')}` };
  }
  if (sliceId !== '' && !isSliceId(sliceId)) {
    yield {
      field: 'slice_id',
      message: 'must have at most 40 letters, digits, dashes, dots and underscores',
    };
  }
  yield* checkDescription(request.description);
  if (isExternal && !isAdmin) {
    yield { field: 'is_external', message: 'only admins make networks that lead outside' };
  }
  yield* checkProvider(request, isAdmin);
}

/** What is about a subnet is a mistake where there is to be none. */
function* checkNoSubnet(request: CreateNetworkRequest): Generator<FieldViolation> {
  const message = 'is of a subnet: give its cidr, too';
  if (request.gatewayIp) yield { field: 'gateway_ip', message };
  if (request.dnsNameservers.length > 0) yield { field: 'dns_nameservers', message };
  if (request.ipv6Mode !== '') yield { field: 'ipv6_mode', message };
}

const PROVIDER_FIELDS = {
  shared: 'shared',
  provider_network_type: 'providerNetworkType',
  physical_network: 'physicalNetwork',
  segmentation_id: 'segmentationId',
} as const;

function* checkProvider(request: CreateNetworkRequest, isAdmin: boolean): Generator<FieldViolation> {
  for (const [field, name] of Object.entries(PROVIDER_FIELDS)) {
    if (request[name] && !isAdmin) yield { field, message: 'only admins may set it' };
  }
  const { providerNetworkType: type, physicalNetwork, segmentationId } = request;
  if (type === '' && (physicalNetwork !== '' || segmentationId !== 0)) {
    yield { field: 'provider_network_type', message: 'is missing: give the kind of wire, such as vlan' };
  }
  if (type !== '' && !WIRES.includes(type)) {
    yield { field: 'provider_network_type', message: `must be one of ${WIRES.join(', ')}` };
  }
  if (type === 'flat' && segmentationId !== 0) {
    yield { field: 'segmentation_id', message: 'a flat network has none' };
  }
  if (type === 'vlan' && (segmentationId < 0 || segmentationId > MAX_VLAN)) {
    yield { field: 'segmentation_id', message: `must be a VLAN from 1 to ${MAX_VLAN}` };
  }
}

/** `version` is the subnet's, if that is known. */
export function* checkDnsServers(servers: readonly string[], version?: 4 | 6): Generator<FieldViolation> {
  if (servers.length > MAX_DNS_SERVERS) {
    yield { field: 'dns_nameservers', message: `at most ${MAX_DNS_SERVERS} name servers are possible` };
  }
  for (const [index, server] of servers.entries()) {
    const field = `dns_nameservers[${index}]`;
    if (!isPlainAddress(server)) {
      yield { field, message: `"${server}" is not an IP address` };
    } else if (version !== undefined && ipVersionOf(server) !== version) {
      yield { field, message: `"${server}" is not of IPv${version} as the subnet is` };
    } else if (servers.indexOf(server) !== index) {
      yield { field, message: `"${server}" is there twice` };
    }
  }
}

export function* checkCidr(cidr: string): Generator<FieldViolation> {
  if (cidr === '') {
    yield { field: 'cidr', message: 'is missing: give the subnet, such as 192.168.100.0/24' };
    return;
  }
  const parsed = parseCidr(cidr);
  if (!parsed) {
    yield { field: 'cidr', message: `"${cidr}" is not a network such as 192.168.100.0/24` };
    return;
  }
  const [address, prefix] = parsed;
  const bits = address.kind() === 'ipv4' ? 32 : 128;
  const network =
    address.kind() === 'ipv4'
      ? ipaddr.IPv4.networkAddressFromCIDR(cidr)
      : ipaddr.IPv6.networkAddressFromCIDR(cidr);
  if (network.toNormalizedString() !== address.toNormalizedString()) {
    yield { field: 'cidr', message: `"${cidr}" has host bits: ${network.toString()}/${prefix} is meant` };
  }
  if (prefix < 8 || prefix > bits - 2) {
    yield { field: 'cidr', message: `must have a prefix from /8 to /${bits - 2}` };
  }
}

export function* checkIpv6Mode(request: {
  readonly cidr: string;
  readonly ipv6Mode: string;
  readonly enableDhcp?: boolean | undefined;
}): Generator<FieldViolation> {
  const { cidr, ipv6Mode, enableDhcp } = request;
  if (ipv6Mode === '') return;
  const field = 'ipv6_mode';
  if (!IPV6_MODES.includes(ipv6Mode)) yield { field, message: `must be one of ${IPV6_MODES.join(', ')}` };
  if (ipVersionOf(cidr) === 4) yield { field, message: 'is for IPv6 only' };
  else if (enableDhcp === false) yield { field, message: 'needs enable_dhcp' };
  else if (ipv6Mode !== 'dhcpv6-stateful' && !cidr.endsWith('/64')) {
    yield { field, message: `${ipv6Mode} needs a prefix of /64` };
  }
}

export function isInside(address: string, cidr: string): boolean {
  const parsed = parseCidr(cidr);
  if (!parsed || !isPlainAddress(address)) return false;
  const inner = ipaddr.parse(address);
  return inner.kind() === parsed[0].kind() && inner.match(parsed);
}

export function parseCidr(cidr: string): [ipaddr.IPv4 | ipaddr.IPv6, number] | undefined {
  const [address = '', length = ''] = cidr.split('/', 2);
  const isPlain = isPlainAddress(address) && /^\d+$/.test(length) && cidr === `${address}/${length}`;
  return isPlain && ipaddr.isValidCIDR(cidr) ? ipaddr.parseCIDR(cidr) : undefined;
}

export function ipVersionOf(cidr: string): 4 | 6 {
  return cidr.includes(':') ? 6 : 4;
}

/** ipaddr.js also takes addresses of fewer than four parts, as C's inet_aton does, and zones. */
function isPlainAddress(text: string): boolean {
  return /^(\d+\.\d+\.\d+\.\d+|[0-9a-f:.]*:[0-9a-f:.]*)$/i.test(text) && ipaddr.isValid(text);
}
