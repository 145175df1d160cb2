// Floating IPs: addresses of an external network, and where they lead.

import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { FloatingIp } from '#proto/pucp/openstack/v1/networking.ts';
import type { NetworkingServiceServer } from '#proto/pucp/openstack/v1/networking_service.ts';
import { absentIsDone } from '../api/errors.ts';
import type { FloatingIp as NeutronFloatingIp, NeutronPort } from '../api/neutron-types.ts';
import { createMarker } from '../api/tagging.ts';
import { OWNER_MARK, ownerMarkOf, sliceOf } from '../marks.ts';
import { callContext, type Deps, findReachable } from './deps.ts';
import { createExternal, type Way } from './networking-external.ts';
import { takeFloatingIp } from './networking-floating-ip-taking.ts';
import { byStatus, byTime, orderedPage } from './networking-order.ts';
import { only, type Reach } from './networking-reach.ts';
import { checkDescription, descriptionOf, textChanges } from './networking-text.ts';

type FloatingIpHandlers = Pick<
  Handlers<NetworkingServiceServer>,
  | 'listFloatingIps'
  | 'getFloatingIp'
  | 'createFloatingIp'
  | 'updateFloatingIp'
  | 'associateFloatingIp'
  | 'disassociateFloatingIp'
  | 'deleteFloatingIp'
>;

export function floatingIpHandlers(deps: Deps, reach: Reach): FloatingIpHandlers {
  const { cloud, tenancy } = deps;
  const home = cloud.project('home');
  const external = createExternal(deps);

  return {
    async listFloatingIps(request, context) {
      const filter = {
        ...only('status', request.status.toUpperCase()),
        ...only('port_id', request.portId),
        ...only('floating_ip_address', request.ipAddress),
        ...only('floating_network_id', request.floatingNetworkId),
        ...only('router_id', request.routerId),
        ...only('fixed_ip_address', request.fixedIpAddress),
      };
      const found = await reach.list<NeutronFloatingIp>(request, context, (neutron, project, within) =>
        neutron.floatingIps.list({ ...filter, ...project }, within),
      );
      const { items, nextPageToken } = orderedPage(found, request, {
        floating_ip_address: ({ floating_ip_address }) => sortable(floating_ip_address),
        status: byStatus,
        created_at: byTime,
      });
      return { floatingIps: items.map(floatingIpView), nextPageToken };
    },

    async getFloatingIp({ id }, context) {
      return floatingIpView(await reach.floatingIp(id, context));
    },

    async createFloatingIp(request, context) {
      const { caller } = context;
      const within = callContext(context);
      const violations: FieldViolation[] = [...checkDescription(request.description)];
      const isLed = request.portId !== '' || request.instanceId !== '';
      if (!isLed && request.fixedIpAddress !== '') {
        violations.push({ field: 'fixed_ip_address', message: 'needs a port_id or an instance_id' });
      }
      if (violations.length > 0) throw invalid(violations);
      const ports = isLed ? await portsOf(request, context) : [];
      const network =
        isLed && request.externalNetwork === ''
          ? undefined
          : await external.network(request.externalNetwork, within);
      const way = isLed ? await chooseWay(ports, request, network?.id, context) : undefined;
      const projectId =
        request.projectId === '' && ports[0]
          ? ports[0].project_id
          : (await tenancy.named(caller, request.projectId, within)).projectId;
      if (ports[0] && ports[0].project_id !== projectId) throw elsewhere('project_id');
      const mark = createMarker(OWNER_MARK, await tenancy.ownerMark(caller)).text;
      const neutron = await reach.clientFor(projectId, context);
      const wish = {
        floating_network_id: way?.externalNetworkId ?? network?.id ?? '',
        project_id: projectId,
        mark,
        text: request.description,
        ...(way ? leadTo(way) : {}),
      };
      return floatingIpView(await explained(takeFloatingIp(neutron, wish, context), way, context));
    },

    async updateFloatingIp(request, context) {
      const floatingIp = await reach.floatingIp(request.id, context);
      const violations = [...checkDescription(request.description)];
      if (violations.length > 0) throw invalid(violations);
      const { description } = textChanges(request, floatingIp);
      if (description === undefined) return floatingIpView(floatingIp);
      const neutron = await reach.clientFor(floatingIp.project_id, context);
      const change = { description };
      return floatingIpView(await neutron.floatingIps.change(request.id, change, callContext(context)));
    },

    async associateFloatingIp(request, context) {
      const floatingIp = await reach.floatingIp(request.id, context);
      const ports = await portsOf(request, context);
      if (ports[0] && ports[0].project_id !== floatingIp.project_id) throw elsewhere('port_id');
      const way = await chooseWay(ports, request, floatingIp.floating_network_id, context);
      const isThere = floatingIp.port_id === way.portId && floatingIp.fixed_ip_address === way.fixedIpAddress;
      if (isThere) return floatingIpView(floatingIp);
      const neutron = await reach.clientFor(floatingIp.project_id, context);
      const change = neutron.floatingIps.change(floatingIp.id, leadTo(way), callContext(context));
      return floatingIpView(await explained(change, way, context));
    },

    async disassociateFloatingIp({ id }, context) {
      const floatingIp = await reach.floatingIp(id, context);
      if (floatingIp.port_id === null) return floatingIpView(floatingIp);
      const neutron = await reach.clientFor(floatingIp.project_id, context);
      return floatingIpView(await neutron.floatingIps.change(id, { port_id: null }, callContext(context)));
    },

    async deleteFloatingIp({ id }, context) {
      const floatingIp = await reach.floatingIp(id, context);
      const neutron = await reach.clientFor(floatingIp.project_id, context);
      await absentIsDone(neutron.floatingIps.remove(id, callContext(context)));
      return { message: 'Floating IP deleted successfully' };
    },
  };

  /** The port named, or those of the instance named. */
  async function portsOf(request: Target, context: Context): Promise<NeutronPort[]> {
    const { portId, instanceId } = request;
    if ((portId === '') === (instanceId === '')) {
      throw invalid([{ field: 'port_id', message: 'give either a port or an instance_id, and not both' }]);
    }
    if (portId !== '') return [await reach.port(portId, context)];
    const within = callContext(context);
    const server = await findReachable(tenancy, context, {
      what: 'instance',
      id: instanceId,
      find: () => home.nova.getServer(instanceId, within),
      owned: (one) => ({ projectId: one.tenant_id, ownerMark: ownerMarkOf(one) }),
    });
    const ports = await home.neutron.ports.list({ device_id: server.id }, within);
    return ports.toSorted((a, b) => (a.created_at < b.created_at ? -1 : 1));
  }

  /** FAILED_PRECONDITION if no router leads to the ports; INVALID_ARGUMENT if it is not clear which address is meant. */
  async function chooseWay(
    ports: readonly NeutronPort[],
    { fixedIpAddress, instanceId }: Target,
    networkId: string | undefined,
    context: Context,
  ): Promise<Way> {
    const own = ports.flatMap((port) => port.fixed_ips.map((ip) => ip.ip_address));
    if (fixedIpAddress !== '' && !own.includes(fixedIpAddress)) {
      const message = `"${fixedIpAddress}" is not an address of it; there are: ${own.join(', ') || 'none'}`;
      throw invalid([{ field: 'fixed_ip_address', message }]);
    }
    const all = await external.waysTo(ports, callContext(context));
    const ways = all.filter(
      (way) =>
        (networkId === undefined || way.externalNetworkId === networkId) &&
        (fixedIpAddress === '' || way.fixedIpAddress === fixedIpAddress),
    );
    const [first] = ways;
    if (!first) throw noWay(ports);
    const addresses = new Set(ways.map((way) => way.fixedIpAddress));
    if (addresses.size > 1 && instanceId === '') {
      const message = `is missing: the port has ${[...addresses].join(' and ')}`;
      throw invalid([{ field: 'fixed_ip_address', message }]);
    }
    return first;
  }

  /** Says in a user's words what Neutron has against an association. */
  async function explained<T>(work: Promise<T>, way: Way | undefined, context: Context): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof Failure) || error.reason !== 'FLOATING_IP_PRESENT' || !way) throw error;
      const { portId: port_id, fixedIpAddress: fixed_ip_address } = way;
      const filter = { port_id, fixed_ip_address, floating_network_id: way.externalNetworkId };
      const [present] = await home.neutron.floatingIps.list(filter, callContext(context));
      const its = present ? `floating IP ${present.floating_ip_address}` : 'a floating IP';
      throw new Failure({
        code: 'ALREADY_EXISTS',
        reason: 'FLOATING_IP_PRESENT',
        message: `${fixed_ip_address} of port ${port_id} has ${its} already: use that one, or disassociate it first`,
        metadata: { port_id, floating_ip_id: present?.id ?? '' },
        cause: error,
      });
    }
  }
}

type Target = { readonly portId: string; readonly instanceId: string; readonly fixedIpAddress: string };

function leadTo({ portId, fixedIpAddress }: Way) {
  return { port_id: portId, fixed_ip_address: fixedIpAddress };
}

function elsewhere(field: string): Failure {
  return invalid([{ field, message: 'lies in another project: both must be in the same one' }]);
}

function noWay(ports: readonly NeutronPort[]): Failure {
  const names = ports.map(({ name, id }) => `"${name || id}"`).join(', ');
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'NO_WAY_OUTSIDE',
    message:
      ports.length === 0
        ? 'The instance has no port that a floating IP could lead to: attach it to a network first'
        : `No router leads from the external network to an IPv4 address of port ${names}: connect its subnet to a router that has an external gateway first`,
  });
}

/** IPv4 addresses as text that sorts like the numbers. */
function sortable(address: string): string {
  return address.replace(/\d+/g, (digits) => digits.padStart(3, '0'));
}

function floatingIpView(floatingIp: NeutronFloatingIp): FloatingIp {
  return FloatingIp.fromPartial({
    id: floatingIp.id,
    floatingIpAddress: floatingIp.floating_ip_address,
    floatingNetworkId: floatingIp.floating_network_id,
    projectId: floatingIp.project_id,
    description: descriptionOf(floatingIp),
    status: floatingIp.status.toLowerCase(),
    portId: floatingIp.port_id ?? '',
    fixedIpAddress: floatingIp.fixed_ip_address ?? '',
    routerId: floatingIp.router_id ?? '',
    sliceId: sliceOf(floatingIp),
    createdAt: floatingIp.created_at,
  });
}
