// Routers: made, changed, listed with their interfaces, removed. What they connect is `networking-router-links.ts`.

import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { Router } from '#proto/pucp/openstack/v1/networking.ts';
import type {
  CreateRouterRequest,
  NetworkingServiceServer,
  UpdateRouterRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { absentIsDone } from '../api/errors.ts';
import type { NeutronPort, NeutronRouter } from '../api/neutron-types.ts';
import { createMarker } from '../api/tagging.ts';
import { ROUTER_INTERFACE_OWNERS } from '../kinds/router-interface.ts';
import { OWNER_MARK, sliceOf } from '../marks.ts';
import { callContext, type Deps } from './deps.ts';
import { createExternal } from './networking-external.ts';
import { byName, byStatus, byTime, orderedPage } from './networking-order.ts';
import { fixedIpView } from './networking-ports.ts';
import { only, type Reach } from './networking-reach.ts';
import { checkRoutes } from './networking-subnet-check.ts';
import {
  checkDescription,
  checkName,
  describe,
  descriptionOf,
  isGiven,
  textChanges,
} from './networking-text.ts';

type RouterHandlers = Pick<
  Handlers<NetworkingServiceServer>,
  'listRouters' | 'getRouter' | 'createRouter' | 'updateRouter' | 'deleteRouter'
>;

/** Ids in a query make it long: beyond this many it is shorter to read all. */
const MAX_IDS = 50;

export function routerHandlers(deps: Deps, reach: Reach): RouterHandlers {
  const { cloud, tenancy } = deps;
  const home = cloud.project('home');
  const external = createExternal(deps);
  const view = createRouterView(deps);

  return {
    async listRouters(request, context) {
      const filter = { ...only('status', request.status.toUpperCase()), ...only('name', request.name) };
      const routers = await reach.list<NeutronRouter>(request, context, (neutron, project, within) =>
        neutron.routers.list({ ...filter, ...project }, within),
      );
      const { items, nextPageToken } = orderedPage(routers, request, {
        name: byName,
        status: byStatus,
        created_at: byTime,
      });
      return { routers: await view(items, context), nextPageToken };
    },

    async getRouter({ id }, context) {
      return await viewOne(await reach.router(id, context), context);
    },

    async createRouter(request, context) {
      const { caller } = context;
      const within = callContext(context);
      const violations = [...checkNew(request)];
      const isOutside = request.external || request.externalNetwork !== '';
      const network = isOutside
        ? await external.network(request.externalNetwork, within).catch((error: unknown) => {
            if (!(error instanceof Failure) || error.violations.length === 0) throw error;
            violations.push(...error.violations);
          })
        : undefined;
      if (violations.length > 0) throw invalid(violations);
      const place = await tenancy.named(caller, request.projectId, within);
      const mark = createMarker(OWNER_MARK, await tenancy.ownerMark(caller)).text;
      const neutron = await reach.clientFor(place.projectId, context);
      const router = await neutron.routers.create(
        {
          name: request.name,
          project_id: place.projectId,
          description: describe(mark, request.description),
          ...(request.adminStateUp === undefined ? {} : { admin_state_up: request.adminStateUp }),
          ...(network ? { external_gateway_info: { network_id: network.id } } : {}),
        },
        within,
      );
      return await viewOne(router, context);
    },

    async updateRouter(request, context) {
      const router = await reach.router(request.id, context);
      const violations = [...checkChange(request)];
      if (violations.length > 0) throw invalid(violations);
      const { adminStateUp, routes, updateMask } = request;
      const changes = {
        ...textChanges(request, router),
        ...(adminStateUp === undefined ? {} : { admin_state_up: adminStateUp }),
        ...(isGiven(routes, 'routes', updateMask) ? { routes } : {}),
      };
      if (Object.keys(changes).length === 0) return await viewOne(router, context);
      const neutron = await reach.clientFor(router.project_id, context);
      const changing = neutron.routers.change(router.id, changes, callContext(context));
      return await viewOne(
        await changing.catch((error: unknown) => unreached(error, router, context)),
        context,
      );
    },

    async deleteRouter({ id }, context) {
      const router = await reach.router(id, context);
      const neutron = await reach.clientFor(router.project_id, context);
      try {
        await absentIsDone(neutron.routers.remove(id, callContext(context)));
      } catch (error) {
        throw await explain(error, router, context);
      }
      return { message: 'Router deleted successfully' };
    },
  };

  /** Neutron refuses routes by addresses that are not on the router's subnets. */
  async function unreached(error: unknown, router: NeutronRouter, context: Context): Promise<never> {
    if (!(error instanceof Failure) || !/nexthop is not connected/.test(error.message)) throw error;
    const shown = await viewOne(router, context);
    const own = shown.interfaces.map((foot) => `${foot.ipAddress} in subnet ${foot.subnetId}`).join(', ');
    const message = `each nexthop must be an address of a subnet that the router is connected to, which it is with: ${own || 'none'}`;
    throw invalid([{ field: 'routes', message }]);
  }

  async function viewOne(router: NeutronRouter, context: Context): Promise<Router> {
    const [shown] = await view([router], context);
    return shown ?? Router.fromPartial({});
  }

  async function explain(error: unknown, router: NeutronRouter, context: Context): Promise<unknown> {
    if (!(error instanceof Failure) || error.reason !== 'IN_USE') return error;
    const filter = { device_id: router.id, device_owner: ROUTER_INTERFACE_OWNERS };
    const ports = await home.neutron.ports.list(filter, callContext(context));
    const subnets = ports.flatMap((port) => port.fixed_ips.map((ip) => ip.subnet_id));
    return new Failure({
      code: 'ABORTED',
      reason: 'ROUTER_IN_USE',
      message: `Router "${router.name}" is connected to subnets ${subnets.join(', ')}: remove these interfaces first`,
      metadata: { router_id: router.id },
      retryable: true,
      cause: error,
    });
  }
}

/** Routers with their interfaces, which are one list for all of them. */
export function createRouterView({ cloud }: Pick<Deps, 'cloud'>) {
  const { neutron } = cloud.project('home');
  return async (routers: readonly NeutronRouter[], context: Context): Promise<Router[]> => {
    if (routers.length === 0) return [];
    const ids = routers.map(({ id }) => id);
    const filter = ids.length <= MAX_IDS ? { device_id: ids } : {};
    const ports = await neutron.ports.list(
      { ...filter, device_owner: ROUTER_INTERFACE_OWNERS },
      callContext(context),
    );
    const feet = Map.groupBy(ports, (port) => port.device_id);
    return routers.map((router) => routerView(router, feet.get(router.id) ?? []));
  };
}

function routerView(router: NeutronRouter, feet: readonly NeutronPort[]): Router {
  const gateway = router.external_gateway_info;
  return Router.fromPartial({
    id: router.id,
    name: router.name,
    projectId: router.project_id,
    description: descriptionOf(router),
    status: router.status.toLowerCase(),
    adminStateUp: router.admin_state_up,
    ...(gateway
      ? {
          externalGateway: {
            networkId: gateway.network_id,
            enableSnat: gateway.enable_snat ?? true,
            fixedIps: gateway.external_fixed_ips.map(fixedIpView),
          },
        }
      : {}),
    interfaces: feet.flatMap((foot) =>
      foot.fixed_ips.map((ip) => ({ portId: foot.id, networkId: foot.network_id, ...fixedIpView(ip) })),
    ),
    routes: [...router.routes],
    sliceId: sliceOf(router),
    createdAt: router.created_at,
  });
}

function* checkNew(request: CreateRouterRequest): Generator<FieldViolation> {
  yield* checkName(request.name);
  yield* checkDescription(request.description);
}

function* checkChange(request: UpdateRouterRequest): Generator<FieldViolation> {
  yield* checkName(request.name);
  yield* checkDescription(request.description);
  yield* checkRoutes(request.routes, 'routes');
}
