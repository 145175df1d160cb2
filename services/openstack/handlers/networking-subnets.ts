// Subnets: a network may have several, of both IP versions.

import { Failure, type FieldViolation, invalid, notFound } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type {
  CreateSubnetRequest,
  NetworkingServiceServer,
  UpdateSubnetRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import type { NeutronPort, NeutronSubnet } from '../api/neutron-types.ts';
import { ROUTER_INTERFACE_OWNERS } from '../kinds/router-interface.ts';
import { callContext, type Deps } from './deps.ts';
import { checkCidr, checkIpv6Mode } from './network-check.ts';
import { subnetView } from './network-view.ts';
import { byName, byTime, orderedPage } from './networking-order.ts';
import { needNetwork, only, type Reach } from './networking-reach.ts';
import { newSubnet } from './networking-subnet-body.ts';
import { checkSubnet } from './networking-subnet-check.ts';
import {
  checkDescription,
  checkOptionalName,
  describe,
  isGiven,
  markIn,
  textChanges,
} from './networking-text.ts';

type SubnetHandlers = Pick<
  Handlers<NetworkingServiceServer>,
  'listSubnets' | 'getSubnet' | 'createSubnet' | 'updateSubnet' | 'deleteSubnet'
>;

export function subnetHandlers({ cloud, config }: Deps, reach: Reach): SubnetHandlers {
  const home = cloud.project('home');

  return {
    async listSubnets(request, context) {
      const { networkId, ipVersion, cidr, name } = request;
      if (![0, 4, 6].includes(ipVersion)) throw invalid([{ field: 'ip_version', message: 'must be 4 or 6' }]);
      const filter = {
        ...only('network_id', networkId),
        ...only('cidr', cidr),
        ...only('name', name),
        ...(ipVersion === 0 ? {} : { ip_version: ipVersion as 4 | 6 }),
      };
      const subnets = await reach.list<NeutronSubnet>(request, context, (neutron, project, within) =>
        neutron.subnets.list({ ...filter, ...project }, within),
      );
      const { items, nextPageToken } = orderedPage(subnets, request, {
        name: byName,
        cidr: ({ cidr }) => cidr,
        created_at: byTime,
      });
      return { subnets: items.map(subnetView), nextPageToken };
    },

    async getSubnet({ id }, context) {
      return subnetView(await reach.subnet(id, context));
    },

    async createSubnet(request, context) {
      needNetwork(request.networkId);
      const network = await reach.network(request.networkId, context);
      const violations = [...checkNew(request)];
      if (violations.length > 0) throw invalid(violations);
      const { name, allocationPools, hostRoutes } = request;
      const neutron = await reach.clientFor(network.project_id, context);
      const making = neutron.subnets.create(
        {
          network_id: network.id,
          // An admin's subnet in someone's network is that one's.
          project_id: network.project_id,
          name,
          description: describe(markIn(network), request.description),
          ...newSubnet(request, config.dnsServers),
          ...(allocationPools.length === 0 ? {} : { allocation_pools: allocationPools }),
          ...(hostRoutes.length === 0 ? {} : { host_routes: hostRoutes }),
        },
        callContext(context),
      );
      return subnetView(await making.catch((error: unknown) => overlap(error, request, context)));
    },

    async updateSubnet(request, context) {
      const subnet = await reach.subnet(request.id, context);
      const violations = [...checkChange(request, subnet)];
      if (violations.length > 0) throw invalid(violations);
      const {
        gatewayIp,
        enableDhcp,
        dnsNameservers,
        allocationPools,
        hostRoutes,
        updateMask: mask,
      } = request;
      const changes = {
        ...textChanges(request, subnet),
        ...(gatewayIp === undefined ? {} : { gateway_ip: gatewayIp === '' ? null : gatewayIp }),
        ...(enableDhcp === undefined ? {} : { enable_dhcp: enableDhcp }),
        ...(isGiven(dnsNameservers, 'dns_nameservers', mask) ? { dns_nameservers: dnsNameservers } : {}),
        ...(isGiven(allocationPools, 'allocation_pools', mask) ? { allocation_pools: allocationPools } : {}),
        ...(isGiven(hostRoutes, 'host_routes', mask) ? { host_routes: hostRoutes } : {}),
      };
      if (Object.keys(changes).length === 0) return subnetView(subnet);
      const neutron = await reach.clientFor(subnet.project_id, context);
      return subnetView(await neutron.subnets.change(subnet.id, changes, callContext(context)));
    },

    async deleteSubnet({ id }, context) {
      const subnet = await reach.subnet(id, context);
      const neutron = await reach.clientFor(subnet.project_id, context);
      try {
        await neutron.subnets.remove(id, callContext(context));
      } catch (error) {
        throw await explain(error, subnet, context);
      }
      return { message: 'Subnet deleted successfully' };
    },
  };

  /** Neutron names the network only. */
  async function overlap(
    error: unknown,
    { cidr, networkId }: CreateSubnetRequest,
    context: Context,
  ): Promise<never> {
    if (!(error instanceof Failure) || !/overlaps with another subnet/.test(error.message)) throw error;
    const subnets = await home.neutron.subnets.list({ network_id: networkId }, callContext(context));
    const others = subnets.map((subnet) => subnet.cidr).join(', ');
    throw invalid([
      { field: 'cidr', message: `"${cidr}" overlaps with what the network has already: ${others}` },
    ]);
  }

  async function explain(error: unknown, subnet: NeutronSubnet, context: Context): Promise<unknown> {
    if (!(error instanceof Failure)) return error;
    if (error.code === 'NOT_FOUND') return notFound('subnet', subnet.id);
    if (error.reason !== 'IN_USE') return error;
    const filter = { fixed_ips: `subnet_id=${subnet.id}` };
    const ports = await home.neutron.ports.list(filter, callContext(context));
    return new Failure({
      code: 'ABORTED',
      reason: 'SUBNET_IN_USE',
      message: `Subnet "${subnet.name || subnet.cidr}" is in use${users(ports)}: remove them first`,
      metadata: { subnet_id: subnet.id },
      retryable: true,
      cause: error,
    });
  }
}

/** ` by 1 router and 2 instances`; empty if nobody is left. */
function users(ports: readonly NeutronPort[]): string {
  const kinds = ports.map(({ device_owner: owner }) => {
    if (ROUTER_INTERFACE_OWNERS.includes(owner) || owner === 'network:router_gateway') return 'router';
    if (owner.startsWith('compute:')) return 'instance';
    return owner === 'network:floatingip' ? 'floating IP' : owner === 'network:dhcp' ? '' : 'port';
  });
  const counts = ['router', 'instance', 'floating IP', 'port'].flatMap((kind) => {
    const count = kinds.filter((one) => one === kind).length;
    return count === 0 ? [] : [`${count} ${kind}${count === 1 ? '' : 's'}`];
  });
  return counts.length === 0 ? '' : ` by ${counts.join(' and ')}`;
}

function* checkNew(request: CreateSubnetRequest): Generator<FieldViolation> {
  yield* checkOptionalName(request.name);
  yield* checkDescription(request.description);
  const cidr = [...checkCidr(request.cidr)];
  yield* cidr;
  if (cidr.length > 0) return;
  yield* checkSubnet({ ...request, gatewayIp: request.gatewayIp });
  yield* checkIpv6Mode(request);
}

function* checkChange(request: UpdateSubnetRequest, subnet: NeutronSubnet): Generator<FieldViolation> {
  yield* checkOptionalName(request.name);
  yield* checkDescription(request.description);
  const { gatewayIp, allocationPools, updateMask } = request;
  yield* checkSubnet({
    ...request,
    cidr: subnet.cidr,
    gatewayIp: gatewayIp === undefined ? subnet.gateway_ip : gatewayIp,
    // A new gateway must not lie where ports get their addresses from.
    allocationPools:
      gatewayIp && !isGiven(allocationPools, 'allocation_pools', updateMask)
        ? subnet.allocation_pools.map((pool) => ({ ...pool }))
        : allocationPools,
  });
  if (request.enableDhcp === false && subnet.ipv6_address_mode !== null) {
    const message = 'cannot be turned off where ipv6_mode is set: make another subnet instead';
    yield { field: 'enable_dhcp', message };
  }
}
