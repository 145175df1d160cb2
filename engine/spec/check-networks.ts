// Mistakes in networks: names, ranges, gateways, name servers, and whether everyone who attaches finds an address.

import type { FieldViolation } from '#common/errors.ts';
import type { NetworkSpec, SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { type Layout, LINK_POOLS } from './attach.ts';
import { duplicates } from './check-names.ts';
import { gatewayOf, outsideNetworks } from './compile.ts';
import {
  type Cidr,
  contains,
  formatCidr,
  isUsable,
  overlaps,
  parseAddress,
  parseCidr,
  usableCount,
} from './ipv4.ts';

// Letters of any script; no slashes or commas, which clouds give a meaning of their own.
const NETWORK_NAME = /^[\p{L}\p{N}]([\p{L}\p{N} ._-]{0,61}[\p{L}\p{N}])?$/u;
const MAX_VLAN = 4094;
const MAX_DNS_SERVERS = 5;
/** The cloud's DHCP server takes an address of each network. */
const DHCP_ADDRESSES = 1;
const LINK_ENDS = 2;

/** Ranges that no network of hosts can have. https://www.iana.org/assignments/iana-ipv4-special-registry */
const RESERVED = [
  { range: '0.0.0.0/8', what: '"this network"' },
  { range: '127.0.0.0/8', what: 'loopback' },
  { range: '169.254.0.0/16', what: 'link-local, where clouds serve metadata' },
  { range: '224.0.0.0/4', what: 'multicast' },
  { range: '240.0.0.0/4', what: 'reserved' },
].flatMap(({ range, what }) => {
  const cidr = parseCidr(range);
  return cidr ? [{ cidr, range, what }] : [];
});

export function* checkNetworks(spec: SliceSpec): Generator<FieldViolation> {
  const repeated = duplicates(spec.networks.map((network) => network.name));
  const earlier: { name: string; cidr: Cidr }[] = [];
  for (const [index, network] of spec.networks.entries()) {
    const at = `networks[${index}]`;
    const first = repeated.get(index);
    if (network.name === '') {
      yield { field: `${at}.name`, message: `network ${index + 1} is missing a name` };
    } else if (!NETWORK_NAME.test(network.name)) {
      yield { field: `${at}.name`, message: notAName(network.name) };
    }
    if (first !== undefined) {
      yield { field: `${at}.name`, message: `"${network.name}" is already the name of networks[${first}]` };
    }
    yield* checkCidr(network, `${at}.cidr`, index);
    const cidr = parseCidr(network.cidr);
    const other = cidr && earlier.find((one) => overlaps(one.cidr, cidr));
    if (cidr && other) {
      const message = `${network.cidr} overlaps the network "${other.name}" (${formatCidr(other.cidr)})`;
      yield { field: `${at}.cidr`, message };
    }
    if (cidr) earlier.push({ name: network.name, cidr });
    yield* checkGateway(network, cidr, `${at}.gateway`);
    yield* checkDns(network, at);
    if (network.vlanId < 0 || network.vlanId > MAX_VLAN) {
      yield { field: `${at}.vlan_id`, message: `${network.vlanId} is no VLAN; use 1 to ${MAX_VLAN}` };
    }
  }
}

function notAName(name: string): string {
  return `"${name}" is not a network name: letters, digits and inner dashes, dots, underscores or spaces, at most 63`;
}

function* checkCidr(network: NetworkSpec, field: string, index: number): Generator<FieldViolation> {
  const { name, cidr: text } = network;
  if (text === '') {
    const who = name ? `network "${name}"` : `network ${index + 1}`;
    yield { field, message: `${who} is missing a cidr, such as 192.168.100.0/24` };
    return;
  }
  yield* checkRange(text, field);
}

function* checkRange(text: string, field: string): Generator<FieldViolation> {
  const cidr = parseCidr(text);
  if (!cidr) {
    const message = text.includes(':')
      ? `"${text}" looks like IPv6, which is not served yet; use IPv4 such as 192.168.100.0/24`
      : `"${text}" is not an IPv4 network; write it like 192.168.100.0/24`;
    yield { field, message };
    return;
  }
  if (formatCidr(cidr) !== text) {
    yield { field, message: `${text} has host bits set; the network is ${formatCidr(cidr)}` };
  }
  const reserved = RESERVED.find((one) => overlaps(one.cidr, cidr));
  if (reserved) {
    yield { field, message: `${text} lies in ${reserved.range}, which is ${reserved.what}` };
  }
}

function* checkGateway(
  network: NetworkSpec,
  cidr: Cidr | undefined,
  field: string,
): Generator<FieldViolation> {
  const { gateway } = network;
  if (gateway === '') return;
  const address = parseAddress(gateway);
  if (address === undefined) yield { field, message: `"${gateway}" is not an IPv4 address` };
  else if (cidr && !contains(cidr, address)) {
    yield { field, message: `${gateway} is not in ${network.cidr}` };
  } else if (cidr && !isUsable(cidr, address)) {
    const what = address === cidr.first ? 'the address of the network itself' : 'the broadcast address';
    yield { field, message: `${gateway} is ${what} of ${network.cidr}` };
  }
}

function* checkDns(network: NetworkSpec, at: string): Generator<FieldViolation> {
  const { dnsServers } = network;
  if (dnsServers.length > MAX_DNS_SERVERS) {
    const message = `${dnsServers.length} are asked for, at most ${MAX_DNS_SERVERS} are allowed`;
    yield { field: `${at}.dns_servers`, message };
  }
  for (const [index, server] of dnsServers.entries()) {
    if (parseAddress(server) === undefined) {
      yield { field: `${at}.dns_servers[${index}]`, message: `"${server}" is not an IPv4 address` };
    }
  }
}

/** Names that links ask for: as those of networks, and beside them. */
export function* checkLinkNames(spec: SliceSpec): Generator<FieldViolation> {
  const owners = new Map(spec.networks.map(({ name }, index) => [name.toLowerCase(), `networks[${index}]`]));
  for (const [index, { name, network }] of spec.connections.entries()) {
    const at = `connections[${index}]`;
    const field = `${at}.name`;
    if (name === '') continue;
    if (network !== '') {
      yield { field, message: 'stands beside network, which has its own: leave one of the two out' };
      continue;
    }
    if (!NETWORK_NAME.test(name)) yield { field, message: notAName(name) };
    const owner = owners.get(name.toLowerCase());
    if (owner) yield { field, message: `"${name}" is already the name of ${owner}` };
    else owners.set(name.toLowerCase(), at);
  }
}

/** Ranges that links ask for: as those of networks, and beside them. */
export function* checkLinkRanges(spec: SliceSpec): Generator<FieldViolation> {
  const earlier = spec.networks.flatMap(({ name, cidr }) => {
    const range = parseCidr(cidr);
    return range ? [{ name: `the network "${name}"`, range }] : [];
  });
  for (const [index, connection] of spec.connections.entries()) {
    const { cidr: text, network } = connection;
    const field = `connections[${index}].cidr`;
    if (text === '') continue;
    if (network !== '') {
      yield { field, message: `stands beside network, whose range is its own: leave one of the two out` };
      continue;
    }
    const cidr = parseCidr(text);
    yield* checkRange(text, field);
    const other = cidr && earlier.find(({ range }) => overlaps(range, cidr));
    if (cidr && usableCount(cidr) < LINK_ENDS + DHCP_ADDRESSES) {
      yield { field, message: `${text} is too small for a link: use a /29 or larger` };
    }
    if (other) yield { field, message: `${text} overlaps ${other.name} (${formatCidr(other.range)})` };
    if (cidr) earlier.push({ name: `connections[${index}]`, range: cidr });
  }
}

/** Whether each network has an address for every node on it, its gateway and its DHCP server. */
export function* checkRoom(spec: SliceSpec, layout: Layout): Generator<FieldViolation> {
  const outside = outsideNetworks(spec, layout);
  const attached = new Map<string, number>();
  for (const name of [...layout.attachments.values()].flat())
    attached.set(name, (attached.get(name) ?? 0) + 1);
  for (const [index, planned] of layout.networks.entries()) {
    const { name, cidr: text } = planned.spec;
    const cidr = parseCidr(text);
    if (planned.isLink) {
      if (!cidr)
        yield {
          field: 'connections',
          message: `no range is left in ${LINK_POOLS.join(' and ')} for the link "${name}"`,
        };
      continue;
    }
    if (!cidr) continue;
    const nodes = attached.get(name) ?? 0;
    const gateways = gatewayOf(planned, outside.has(name)) === '' ? 0 : 1;
    const needed = nodes + gateways + DHCP_ADDRESSES;
    const usable = usableCount(cidr);
    if (needed > usable) {
      const message = `${text} is too small: ${count(usable, 'usable address')}, but ${needed} are needed (${count(nodes, 'node')}, ${count(gateways, 'gateway')}, ${count(DHCP_ADDRESSES, 'DHCP server')})`;
      yield { field: `networks[${index}].cidr`, message };
    }
  }
}

function count(number: number, what: string): string {
  const plural = what.endsWith('s') ? 'es' : 's';
  return `${number} ${what}${number === 1 ? '' : plural}`;
}
