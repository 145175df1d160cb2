// What a router connects: subnets on one side, an external network on the other.

import { Failure, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type { Router } from '#proto/pucp/openstack/v1/networking.ts';
import type {
  AddRouterInterfaceRequest,
  NetworkingServiceServer,
  RemoveRouterInterfaceRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import type { NeutronRouter, RouterInterface } from '../api/neutron-types.ts';
import { callContext, type Deps } from './deps.ts';
import { createExternal } from './networking-external.ts';
import type { Reach } from './networking-reach.ts';
import { createRouterView } from './networking-routers.ts';

type LinkHandlers = Pick<
  Handlers<NetworkingServiceServer>,
  'addRouterInterface' | 'removeRouterInterface' | 'setRouterGateway' | 'clearRouterGateway'
>;

export function routerLinkHandlers(deps: Deps, reach: Reach): LinkHandlers {
  const external = createExternal(deps);
  const view = createRouterView(deps);

  return {
    async addRouterInterface(request, context) {
      const router = await reach.router(request.id, context);
      const to = await target(request, router, context);
      const neutron = await reach.clientFor(router.project_id, context);
      await neutron.addRouterInterface(router.id, to, callContext(context));
      return await look(router.id, context);
    },

    async removeRouterInterface(request, context) {
      const router = await reach.router(request.id, context);
      const { subnetId, portId } = onlyOne(request);
      const [from] =
        subnetId === ''
          ? [{ port_id: (await reach.port(portId, context)).id }]
          : [{ subnet_id: (await reach.subnet(subnetId, context)).id }];
      const neutron = await reach.clientFor(router.project_id, context);
      try {
        await neutron.removeRouterInterface(router.id, from, callContext(context));
      } catch (error) {
        throw stillNeeded(error, router, 'ROUTER_INTERFACE_IN_USE') ?? error;
      }
      return await look(router.id, context);
    },

    async setRouterGateway(request, context) {
      const within = callContext(context);
      const router = await reach.router(request.id, context);
      const network = await external.network(request.externalNetwork, within);
      const isThere = router.external_gateway_info?.network_id === network.id;
      if (!isThere) await setGateway(router, { network_id: network.id }, context);
      return await look(router.id, context);
    },

    async clearRouterGateway({ id }, context) {
      const router = await reach.router(id, context);
      if (router.external_gateway_info) await setGateway(router, null, context);
      return await look(router.id, context);
    },
  };

  async function setGateway(
    router: NeutronRouter,
    gateway: { readonly network_id: string } | null,
    context: Context,
  ): Promise<void> {
    const neutron = await reach.clientFor(router.project_id, context);
    try {
      await neutron.routers.change(router.id, { external_gateway_info: gateway }, callContext(context));
    } catch (error) {
      throw stillNeeded(error, router, 'ROUTER_GATEWAY_IN_USE') ?? error;
    }
  }

  async function look(id: string, context: Context): Promise<Router> {
    const [shown] = await view([await reach.router(id, context)], context);
    if (!shown) throw new Error('one router has one view');
    return shown;
  }

  /** What to connect the router to; it must be in the router's project. */
  async function target(
    request: AddRouterInterfaceRequest,
    router: NeutronRouter,
    context: Context,
  ): Promise<RouterInterface> {
    const { subnetId, portId } = onlyOne(request);
    if (portId !== '') {
      const port = await reach.port(portId, context);
      if (port.project_id !== router.project_id) throw elsewhere('port_id', port, router);
      return { port_id: port.id };
    }
    const subnet = await reach.subnet(subnetId, context);
    if (subnet.project_id !== router.project_id) throw elsewhere('subnet_id', subnet, router);
    if (subnet.gateway_ip === null) {
      throw new Failure({
        code: 'FAILED_PRECONDITION',
        reason: 'SUBNET_WITHOUT_GATEWAY',
        message: `Subnet "${subnet.name || subnet.cidr}" has no gateway address, which a router would take: give it one, or make a port and connect that`,
        metadata: { subnet_id: subnet.id },
      });
    }
    return { subnet_id: subnet.id };
  }
}

function onlyOne(request: AddRouterInterfaceRequest | RemoveRouterInterfaceRequest) {
  const { subnetId, portId } = request;
  if ((subnetId === '') === (portId === '')) {
    throw invalid([{ field: 'subnet_id', message: 'give either a subnet or a port_id, and not both' }]);
  }
  return { subnetId, portId };
}

function elsewhere(field: string, thing: { id: string; name: string }, router: NeutronRouter): Failure {
  const message = `"${thing.name || thing.id}" lies in another project than router "${router.name}"`;
  return invalid([{ field, message }]);
}

function stillNeeded(error: unknown, router: NeutronRouter, reason: string): Failure | undefined {
  if (!(error instanceof Failure) || error.reason !== 'IN_USE') return undefined;
  const [what, advice] = /Route$/.test(error.metadata.type ?? '')
    ? ['routes', "take them from the router's routes"]
    : ['floating IPs', 'disassociate or delete them'];
  return new Failure({
    code: 'ABORTED',
    reason,
    message: `Router "${router.name}" needs it for ${what}: ${advice} first`,
    metadata: { router_id: router.id },
    retryable: true,
    cause: error,
  });
}
