// A server's interfaces and volumes as Nova holds them. Ports and volumes themselves are Neutron's and Cinder's.

import ipaddr from 'ipaddr.js';
import { Failure, type FieldViolation, invalid, notFound } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type { InstancePort } from '#proto/pucp/openstack/v1/compute.ts';
import type {
  AttachInstancePortRequest,
  ComputeServiceServer,
} from '#proto/pucp/openstack/v1/compute_service.ts';
import type { ProjectClients } from '../api/cloud.ts';
import type { NeutronNetwork, NeutronPort } from '../api/neutron-types.ts';
import type { InterfaceCreate, ServerInterface } from '../api/nova-server-actions.ts';
import type { Server } from '../api/nova-servers.ts';
import { unknownName } from '../names.ts';
import { callContext, type Deps } from './deps.ts';
import type { Instances } from './instance-find.ts';
import { isInside } from './network-check.ts';
import { readNetworkOwner } from './network-owner.ts';
import { createReach } from './networking-reach.ts';
import { pageOf } from './page.ts';

type PortHandlers = Pick<
  Handlers<ComputeServiceServer>,
  'listInstancePorts' | 'attachInstancePort' | 'detachInstancePort' | 'listInstanceVolumes'
>;

export function instancePortHandlers(deps: Deps, instances: Instances): PortHandlers {
  return {
    async listInstancePorts(request, context) {
      const within = callContext(context);
      const server = await instances.find(request.id, context);
      const { nova, neutron } = await instances.clientsFor(server, context);
      const all = await nova.listServerInterfaces(server.id, within);
      const { items, nextPageToken } = pageOf(all, request, { key: ({ port_id }) => port_id });
      const ids = [...new Set(items.map(({ net_id }) => net_id))];
      const networks = ids.length === 0 ? [] : await neutron.networks.list({ id: ids }, within);
      const names = new Map(networks.map(({ id, name }) => [id, name]));
      return { ports: items.map((one) => portView(one, names.get(one.net_id) ?? '')), nextPageToken };
    },

    async attachInstancePort(request, context) {
      const server = await instances.find(request.id, context);
      const nova = await instances.changerOf(server, context);
      const { wish, network, attached } = await choose(deps, { instances, request, server }, context);
      if (attached) return portView(attached, network.name);
      const made = await nova.attachServerInterface(server.id, wish, callContext(context));
      return portView(made, network.name);
    },

    async detachInstancePort({ id, portId }, context) {
      const within = callContext(context);
      const server = await instances.find(id, context);
      const nova = await instances.changerOf(server, context);
      // Nova says 202 to any id.
      const ports = await nova.listServerInterfaces(id, within);
      if (!ports.some((one) => one.port_id === portId)) throw notFound('port', portId);
      await nova.detachPort({ serverId: id, portId }, within);
      return { message: 'Interface detached successfully' };
    },

    async listInstanceVolumes(request, context) {
      const server = await instances.find(request.id, context);
      const { nova } = await instances.clientsFor(server, context);
      const all = await nova.listVolumeAttachments(server.id, callContext(context));
      const { items, nextPageToken } = pageOf(all, request, { key: ({ volumeId }) => volumeId });
      return {
        volumes: items.map(({ volumeId, device }) => ({ volumeId, device: device ?? '' })),
        nextPageToken,
      };
    },
  };
}

type Choice = {
  readonly wish: InterfaceCreate;
  readonly network: Pick<NeutronNetwork, 'name'>;
  /** Set if the port is there already. */
  readonly attached?: ServerInterface;
};

type Attachment = {
  readonly instances: Instances;
  readonly request: AttachInstancePortRequest;
  readonly server: Server;
};

async function choose(deps: Deps, { instances, request, server }: Attachment, context: Context) {
  const { network: wanted, portId, ipAddress } = request;
  const violations: FieldViolation[] = [];
  if ((wanted === '') === (portId === '')) {
    violations.push({ field: 'network', message: 'name either a network or a port_id' });
  }
  if (ipAddress !== '' && !ipaddr.isValid(ipAddress)) {
    violations.push({ field: 'ip_address', message: `"${ipAddress}" is no address` });
  } else if (ipAddress !== '' && portId !== '') {
    violations.push({ field: 'ip_address', message: 'a port has its addresses already' });
  }
  if (violations.length > 0) throw invalid(violations);
  const clients = await instances.clientsFor(server, context);
  return portId === ''
    ? await onNetwork(deps, { clients, request, server }, context)
    : await withPort(deps, { clients, request, server }, context);
}

type Place = { readonly clients: ProjectClients } & Omit<Attachment, 'instances'>;

async function onNetwork(
  { tenancy }: Deps,
  { clients: { neutron }, request, server }: Place,
  context: Context,
): Promise<Choice> {
  const { network: wanted, ipAddress } = request;
  const within = callContext(context);
  const [networks, ownerOf, mine] = await Promise.all([
    neutron.networks.list({}, within),
    readNetworkOwner(tenancy, context),
    tenancy.ownerFilter(context.caller),
  ]);
  const usable = networks.filter(
    (one) =>
      one.shared || one['router:external'] || (one.project_id === server.tenant_id && mine(ownerOf(one))),
  );
  const named = usable.filter(({ id, name }) => id === wanted || name === wanted);
  const network = named.find(({ id }) => id === wanted) ?? named[0];
  if (!network) {
    throw invalid([{ field: 'network', message: unknownName('network', wanted, usable, {}) }]);
  }
  if (named.length > 1 && network.id !== wanted) {
    const message = `"${wanted}" is the name of ${named.length} networks: give an id`;
    throw invalid([{ field: 'network', message }]);
  }
  if (ipAddress === '') return { wish: { net_id: network.id }, network };
  // Nova answers 500 for an address that no subnet has.
  const subnets = await neutron.subnets.list({ network_id: network.id }, within);
  if (!subnets.some(({ cidr }) => isInside(ipAddress, cidr))) {
    const cidrs = subnets.map(({ cidr }) => cidr).join(', ') || 'none';
    const message = `${ipAddress} is in no subnet of network "${network.name}"; there are: ${cidrs}`;
    throw invalid([{ field: 'ip_address', message }]);
  }
  return { wish: { net_id: network.id, fixed_ips: [{ ip_address: ipAddress }] }, network };
}

async function withPort(
  deps: Deps,
  { clients: { nova, neutron }, request, server }: Place,
  context: Context,
): Promise<Choice> {
  const within = callContext(context);
  const port = await createReach(deps).port(request.portId, context);
  if (port.project_id !== server.tenant_id) {
    const message = `the port lies in another project than "${server.name}"`;
    throw invalid([{ field: 'port_id', message }]);
  }
  const [network = { name: '' }] = await neutron.networks.list({ id: port.network_id }, within);
  const wish = { port_id: port.id };
  if (port.device_id === '') return { wish, network };
  const present = await nova.listServerInterfaces(server.id, within);
  const attached = present.find((one) => one.port_id === port.id);
  if (!attached) throw portInUse(port);
  return { wish, network, attached };
}

function portInUse({ id, device_owner: user }: NeutronPort): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'PORT_IN_USE',
    message: `Port "${id}" is in use (${user}): detach it first`,
    metadata: { port_id: id },
    retryable: true,
  });
}

function portView(one: ServerInterface, networkName: string): InstancePort {
  return {
    portId: one.port_id,
    networkId: one.net_id,
    networkName,
    macAddress: one.mac_addr,
    ipAddresses: one.fixed_ips.map(({ ip_address }) => ip_address),
    status: one.port_state.toLowerCase(),
  };
}
