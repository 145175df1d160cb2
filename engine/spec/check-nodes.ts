// Mistakes in nodes and in the connections between them.

import type { FieldViolation } from '#common/errors.ts';
import { Infrastructure, type NodeSpec, type SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { endsOf, type Layout } from './attach.ts';
import { duplicates, listed } from './check-names.ts';
import { gatewayOf, managementNetwork, outsideNetworks } from './compile.ts';
import { parseAddress } from './ipv4.ts';

// RFC 1123 section 2.1: letters, digits and dashes, neither first nor last a dash, at most 63.
const HOST_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/** Nova takes 65,535 characters of Base64: https://docs.openstack.org/api-ref/compute/#create-server */
const MAX_USER_DATA = 48 * 1024;

export function* checkNodes(spec: SliceSpec, layout: Layout): Generator<FieldViolation> {
  const repeated = duplicates(spec.nodes.map((node) => node.name));
  const networks = new Set(spec.networks.map((network) => network.name));
  for (const [index, node] of spec.nodes.entries()) {
    const at = `nodes[${index}]`;
    yield* checkRequired(node, at, index);
    if (node.name !== '' && !HOST_NAME.test(node.name)) {
      const message = `"${node.name}" is not a host name: letters, digits and inner dashes, at most 63`;
      yield { field: `${at}.name`, message };
    }
    const first = repeated.get(index);
    if (first !== undefined) {
      yield { field: `${at}.name`, message: `"${node.name}" is already the name of nodes[${first}]` };
    }
    const again = duplicates(node.networks);
    for (const [position, name] of node.networks.entries()) {
      const field = `${at}.networks[${position}]`;
      if (!networks.has(name)) {
        yield { field, message: `there is no network "${name}"; ${listed(networks, 'network')}` };
      } else if (again.has(position)) {
        yield { field, message: `"${name}" is named twice; a node has one interface on a network` };
      }
    }
    if (spec.networks.length === 0 && spec.connections.length > 0 && !isAttached(layout, node)) {
      yield { field: `${at}.networks`, message: 'the node is on no network and in no connection' };
    }
    yield* checkPlace(spec, node, at);
    if (Buffer.byteLength(node.userData) > MAX_USER_DATA) {
      const message = `has ${Buffer.byteLength(node.userData)} bytes, at most ${MAX_USER_DATA} are allowed`;
      yield { field: `${at}.user_data`, message };
    }
  }
  yield* checkManagement(spec, layout);
}

function* checkRequired(node: NodeSpec, at: string, index: number): Generator<FieldViolation> {
  const who = node.name ? `node "${node.name}"` : `node ${index + 1}`;
  if (node.name === '') yield { field: `${at}.name`, message: `${who} is missing a name` };
  if (node.image === '') yield { field: `${at}.image`, message: `${who} is missing an image` };
  if (node.flavor === '') yield { field: `${at}.flavor`, message: `${who} is missing a flavor` };
}

function* checkPlace(spec: SliceSpec, node: NodeSpec, at: string): Generator<FieldViolation> {
  const field = `${at}.infrastructure`;
  const { infrastructure } = node;
  if (spec.infrastructure === Infrastructure.HYBRID) {
    if (infrastructure !== Infrastructure.LINUX && infrastructure !== Infrastructure.OPENSTACK) {
      yield { field, message: 'must be "linux" or "openstack" for each node of a hybrid slice' };
    }
  } else if (infrastructure !== Infrastructure.UNSPECIFIED && infrastructure !== spec.infrastructure) {
    yield {
      field,
      message: 'differs from the slice; only the nodes of a hybrid slice choose for themselves',
    };
  }
}

function isAttached(layout: Layout, node: NodeSpec): boolean {
  return (layout.attachments.get(node.name) ?? []).length > 0;
}

function* checkManagement(spec: SliceSpec, layout: Layout): Generator<FieldViolation> {
  const outside = outsideNetworks(spec, layout);
  const gateways = new Map(
    layout.networks.map((network) => [network.spec.name, gatewayOf(network, outside.has(network.spec.name))]),
  );
  const owners = new Map<string, number>();
  for (const [index, node] of spec.nodes.entries()) {
    const { managementIp } = node;
    if (managementIp === '') continue;
    const field = `nodes[${index}].management_ip`;
    const attached = layout.attachments.get(node.name) ?? [];
    const network = managementNetwork(layout, attached, managementIp);
    const owner = owners.get(managementIp);
    if (parseAddress(managementIp) === undefined) {
      yield { field, message: `"${managementIp}" is not an IPv4 address` };
    } else if (network === undefined) {
      const where = attached.length > 0 ? attached.join(', ') : 'none';
      yield { field, message: `${managementIp} is no host address of a network of the node (${where})` };
    } else if (gateways.get(network) === managementIp) {
      yield { field, message: `${managementIp} is the gateway of the network "${network}"` };
    } else if (owner !== undefined) {
      yield { field, message: `${managementIp} is already the address of nodes[${owner}]` };
    }
    if (owner === undefined) owners.set(managementIp, index);
  }
}

export function* checkConnections(spec: SliceSpec): Generator<FieldViolation> {
  const nodes = new Set(spec.nodes.map((node) => node.name));
  const networks = new Set(spec.networks.map((network) => network.name));
  for (const [index, connection] of spec.connections.entries()) {
    const at = `connections[${index}]`;
    const { source, target } = endsOf(connection);
    for (const [end, name] of Object.entries({ source, target })) {
      if (name === '') yield { field: `${at}.${end}`, message: `is missing: name the node at the ${end}` };
      else if (!nodes.has(name)) {
        yield { field: `${at}.${end}`, message: `there is no node "${name}"; ${listed(nodes, 'node')}` };
      }
    }
    for (const [name, alias] of [
      ['source', 'from'],
      ['target', 'to'],
    ] as const) {
      const other = connection[alias];
      if (other !== '' && connection[name] !== '' && other !== connection[name]) {
        yield { field: `${at}.${alias}`, message: `differs from ${name}, of which it is another name` };
      }
    }
    if (source !== '' && source === target) {
      yield { field: `${at}.target`, message: `"${source}" is connected to itself` };
    }
    if (connection.network !== '' && !networks.has(connection.network)) {
      const message = `there is no network "${connection.network}"; ${listed(networks, 'network')}`;
      yield { field: `${at}.network`, message };
    }
  }
}
