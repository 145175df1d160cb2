// Ports: an instance's interfaces, or places kept for them. What a router, DHCP or a floating IP owns is theirs to change.

import { Failure, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { Port } from '#proto/pucp/openstack/v1/networking.ts';
import type {
  NetworkingServiceServer,
  UpdatePortRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { absentIsDone } from '../api/errors.ts';
import type { FixedIp, NeutronPort, PortChanges } from '../api/neutron-types.ts';
import { createMarker } from '../api/tagging.ts';
import { OWNER_MARK, sliceOf } from '../marks.ts';
import { callContext, type Deps } from './deps.ts';
import { createGroupNames } from './networking-group-names.ts';
import { byName, byStatus, byTime, orderedPage } from './networking-order.ts';
import { checkNewPort, checkPortChange } from './networking-port-check.ts';
import { needNetwork, only, type Reach } from './networking-reach.ts';
import { describe, descriptionOf, isGiven, textChanges } from './networking-text.ts';

type PortHandlers = Pick<
  Handlers<NetworkingServiceServer>,
  'listPorts' | 'getPort' | 'createPort' | 'updatePort' | 'deletePort'
>;

export function portHandlers(deps: Deps, reach: Reach): PortHandlers {
  const { cloud, tenancy } = deps;
  const home = cloud.project('home');
  const groupNames = createGroupNames(deps);

  return {
    async listPorts(request, context) {
      const { networkId, deviceId, deviceOwner, macAddress, ipAddress, status, name } = request;
      const filter = {
        ...only('network_id', networkId),
        ...only('device_id', deviceId),
        ...only('device_owner', deviceOwner),
        ...only('mac_address', macAddress.toLowerCase()),
        ...only('fixed_ips', ipAddress === '' ? '' : `ip_address=${ipAddress}`),
        ...only('status', status.toUpperCase()),
        ...only('name', name),
      };
      const ports = await reach.list<NeutronPort>(request, context, (neutron, project, within) =>
        neutron.ports.list({ ...filter, ...project }, within),
      );
      const { items, nextPageToken } = orderedPage(ports, request, {
        name: byName,
        status: byStatus,
        mac_address: (port) => port.mac_address.toLowerCase(),
        device_owner: (port) => port.device_owner,
        created_at: byTime,
      });
      return { ports: items.map(portView), nextPageToken };
    },

    async getPort({ id }, context) {
      return portView(await reach.port(id, context));
    },

    async createPort(request, context) {
      const { caller } = context;
      const within = callContext(context);
      needNetwork(request.networkId);
      const network = await reach.visibleNetwork(request.networkId, context);
      const isOwn = await tenancyHas(network.id, context);
      const wanted = request.projectId === '' && isOwn ? network.project_id : request.projectId;
      const existing =
        wanted === '' ? await tenancy.findPlace(caller, within) : await projectOf(wanted, context);
      const [subnets, groups] = await Promise.all([
        home.neutron.subnets.list({ network_id: network.id }, within),
        groupNames.resolve(request.securityGroups, existing?.projectId, context),
      ]);
      const violations = [...checkNewPort(request, { network, subnets, isOwn }), ...groups.violations];
      if (violations.length > 0) throw invalid(violations);
      const { projectId } = existing ?? (await tenancy.place(caller, within));
      const { name, description, fixedIps, macAddress, portSecurityEnabled, adminStateUp } = request;
      const pairs = request.allowedAddressPairs;
      const mark = createMarker(OWNER_MARK, await tenancy.ownerMark(caller)).text;
      const neutron = await reach.clientFor(projectId, context);
      const port = await neutron.ports.create(
        {
          network_id: network.id,
          project_id: projectId,
          name,
          description: describe(mark, description),
          ...(fixedIps.length === 0 ? {} : { fixed_ips: fixedIps.map(fixedIp) }),
          ...(macAddress === '' ? {} : { mac_address: macAddress.toLowerCase() }),
          ...(groups.ids.length === 0 ? {} : { security_groups: groups.ids }),
          ...(portSecurityEnabled === undefined ? {} : { port_security_enabled: portSecurityEnabled }),
          ...(pairs.length === 0 ? {} : { allowed_address_pairs: pairs.map(addressPair) }),
          ...(adminStateUp === undefined ? {} : { admin_state_up: adminStateUp }),
        },
        within,
      );
      return portView(port);
    },

    async updatePort(request, context) {
      const within = callContext(context);
      const port = await reach.port(request.id, context);
      const owner = serviceOf(port);
      if (owner) throw owned(port, owner, 'changed');
      const [subnets, groups] = await Promise.all([
        request.fixedIps.length === 0
          ? []
          : home.neutron.subnets.list({ network_id: port.network_id }, within),
        groupNames.resolve(request.securityGroups, port.project_id, context),
      ]);
      const violations = [
        ...checkPortChange(request, { port, subnets, isAdmin: context.caller.role === 'admin' }),
        ...groups.violations,
      ];
      if (violations.length > 0) throw invalid(violations);
      const mac = request.macAddress?.toLowerCase();
      const isOtherMac = mac !== undefined && mac !== port.mac_address.toLowerCase();
      const changes = {
        ...textChanges(request, port),
        ...portChanges(request, groups.ids),
        ...(isOtherMac ? { mac_address: mac } : {}),
      };
      if (Object.keys(changes).length === 0) return portView(port);
      // Only an administrator's token changes a MAC address.
      const neutron = isOtherMac ? home.neutron : await reach.clientFor(port.project_id, context);
      try {
        return portView(await neutron.ports.change(port.id, changes, within));
      } catch (error) {
        throw bound(error, port) ?? error;
      }
    },

    async deletePort({ id }, context) {
      const port = await reach.port(id, context);
      const owner = serviceOf(port);
      if (owner) throw owned(port, owner, 'deleted');
      const neutron = await reach.clientFor(port.project_id, context);
      await absentIsDone(neutron.ports.remove(id, callContext(context)));
      return { message: 'Port deleted successfully' };
    },
  };

  /** Whether the network is the caller's, and not only seen by everyone. */
  async function tenancyHas(networkId: string, context: Context): Promise<boolean> {
    try {
      await reach.network(networkId, context);
      return true;
    } catch (error) {
      if (error instanceof Failure && error.code === 'NOT_FOUND') return false;
      throw error;
    }
  }

  async function projectOf(idOrName: string, context: Context): Promise<{ projectId: string }> {
    const within = callContext(context);
    if (context.caller.role === 'admin' && (await tenancy.nameOf(idOrName, within)) !== '') {
      return { projectId: idOrName };
    }
    return await tenancy.named(context.caller, idOrName, within);
  }
}

function portChanges(request: UpdatePortRequest, groupIds: readonly string[]): PortChanges {
  const { fixedIps, securityGroups, portSecurityEnabled, allowedAddressPairs, adminStateUp } = request;
  const { updateMask: mask } = request;
  const isOff = portSecurityEnabled === false;
  return {
    ...(isGiven(fixedIps, 'fixed_ips', mask) ? { fixed_ips: fixedIps.map(fixedIp) } : {}),
    // Neutron refuses to turn it off while there is something that needs it.
    ...(isOff || isGiven(securityGroups, 'security_groups', mask) ? { security_groups: groupIds } : {}),
    ...(isOff || isGiven(allowedAddressPairs, 'allowed_address_pairs', mask)
      ? { allowed_address_pairs: allowedAddressPairs.map(addressPair) }
      : {}),
    ...(portSecurityEnabled === undefined ? {} : { port_security_enabled: portSecurityEnabled }),
    ...(adminStateUp === undefined ? {} : { admin_state_up: adminStateUp }),
  };
}

function fixedIp({ subnetId, ipAddress }: { subnetId: string; ipAddress: string }): FixedIp {
  return { ...only('subnet_id', subnetId), ...only('ip_address', ipAddress) };
}

function addressPair({ ipAddress, macAddress }: { ipAddress: string; macAddress: string }) {
  return { ip_address: ipAddress, ...only('mac_address', macAddress.toLowerCase()) };
}

type ServiceOwner = { readonly name: string; readonly advice: string };

/** The part of the cloud that a port belongs to; undefined for an instance's and for nobody's. */
function serviceOf({ device_owner: owner, device_id: device }: NeutronPort): ServiceOwner | undefined {
  if (!owner.startsWith('network:')) return undefined;
  if (owner === 'network:dhcp') {
    return { name: 'DHCP', advice: 'it goes when the network does, or when none of its subnets has DHCP' };
  }
  if (owner === 'network:floatingip') {
    return { name: `floating IP ${device}`, advice: 'delete the floating IP instead' };
  }
  if (owner === 'network:router_gateway') {
    return { name: `router ${device}`, advice: "clear the router's gateway instead" };
  }
  return { name: `router ${device}`, advice: 'remove the interface from the router instead' };
}

function owned(port: NeutronPort, { name, advice }: ServiceOwner, change: string): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'PORT_OWNED',
    message: `Port "${port.name || port.id}" belongs to ${name} and cannot be ${change} by itself: ${advice}`,
    metadata: { port_id: port.id, device_owner: port.device_owner, device_id: port.device_id },
  });
}

/** Neutron changes no MAC address that a host already works with. */
function bound(error: unknown, port: NeutronPort): Failure | undefined {
  if (!(error instanceof Failure) || error.metadata.type !== 'PortBound') return undefined;
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'PORT_BOUND',
    message: `Port "${port.name || port.id}" is in use by instance ${port.device_id}: detach it there before its mac_address changes`,
    metadata: { port_id: port.id, device_id: port.device_id },
    cause: error,
  });
}

export function portView(port: NeutronPort): Port {
  return Port.fromPartial({
    id: port.id,
    name: port.name,
    networkId: port.network_id,
    projectId: port.project_id,
    description: descriptionOf(port),
    status: port.status.toLowerCase(),
    adminStateUp: port.admin_state_up,
    macAddress: port.mac_address.toLowerCase(),
    fixedIps: port.fixed_ips.map(fixedIpView),
    deviceId: port.device_id,
    deviceOwner: port.device_owner,
    securityGroups: [...port.security_groups],
    portSecurityEnabled: port.port_security_enabled,
    allowedAddressPairs: port.allowed_address_pairs.map((pair) => ({
      ipAddress: pair.ip_address,
      macAddress: pair.mac_address.toLowerCase(),
    })),
    sliceId: sliceOf(port),
    createdAt: port.created_at,
  });
}

export function fixedIpView(ip: { readonly subnet_id: string; readonly ip_address: string }) {
  return { subnetId: ip.subnet_id, ipAddress: ip.ip_address };
}
