// Networks with their subnets.

import { Failure, invalid, notFound } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type {
  CreateNetworkRequest,
  ListNetworksRequest,
  OpenstackServiceServer,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { ProjectClients } from '../api/cloud.ts';
import { absentIsDone } from '../api/errors.ts';
import type { NetworkCreate, NeutronNetwork, NeutronSubnet } from '../api/neutron-types.ts';
import type { CallContext } from '../api/settings.ts';
import { createMarker } from '../api/tagging.ts';
import { networkTags, OWNER_MARK, sliceOf } from '../marks.ts';
import { callContext, type Deps, findReachable } from './deps.ts';
import { listOwned, projectNames } from './listing.ts';
import { checkNetwork } from './network-check.ts';
import { readNetworkOwner } from './network-owner.ts';
import { networkView } from './network-view.ts';
import { byName, byStatus, byTime, orderedPage } from './networking-order.ts';
import { only } from './networking-reach.ts';
import { newSubnet } from './networking-subnet-body.ts';
import { describe, markIn } from './networking-text.ts';

type NetworkHandlers = Pick<
  Handlers<OpenstackServiceServer>,
  'listNetworks' | 'createNetwork' | 'deleteNetwork'
>;

export function networkHandlers({ cloud, tenancy, config }: Deps): NetworkHandlers {
  const home = cloud.project('home');

  return {
    async listNetworks(request, context) {
      const networkOwner = await readNetworkOwner(tenancy, context);
      const filter = filterOf(request);
      const networks = await listOwned<NeutronNetwork>(tenancy, context, request, {
        all: (projectId, within) =>
          home.neutron.networks.list({ ...filter, ...only('project_id', projectId ?? '') }, within),
        // A project's token also shows what is shared; asked for one project, only that one's networks are meant.
        of: ({ clients, projectId }, within) =>
          clients.neutron.networks.list(
            { ...filter, ...only('project_id', request.projectId && projectId) },
            within,
          ),
        ownerMark: networkOwner,
        slice: sliceOf,
        isCommon,
      });
      const common = await commonFor(request, networks, context);
      const { items, nextPageToken } = orderedPage([...networks, ...common], request, {
        name: byName,
        status: byStatus,
        created_at: byTime,
      });
      const [subnets, names] = await Promise.all([
        subnetsOf(items, callContext(context)),
        projectNames(tenancy, context),
      ]);
      return {
        networks: items.map((network) =>
          networkView(network, {
            subnets,
            projectName: names.get(network.project_id) ?? '',
            isAdmin: context.caller.role === 'admin',
          }),
        ),
        nextPageToken,
      };
    },

    async createNetwork(request, context) {
      const { caller } = context;
      const isAdmin = caller.role === 'admin';
      const within = callContext(context);
      const violations = [...checkNetwork(request, isAdmin)];
      if (violations.length > 0) throw invalid(violations);
      const place = await tenancy.named(caller, request.projectId, within);
      const ownerMark = await tenancy.ownerMark(caller);
      // Only an administrator's token makes such networks, and makes them for another project.
      const special = adminFields(request);
      const isSpecial = Object.keys(special).length > 0;
      const { neutron } = isSpecial ? home : place.clients;
      const network = await neutron.networks.create(
        {
          name: request.networkName,
          description: describe(createMarker(OWNER_MARK, ownerMark).text, request.description),
          ...(request.portSecurityEnabled === undefined
            ? {}
            : { port_security_enabled: request.portSecurityEnabled }),
          ...(isSpecial ? { ...special, project_id: place.projectId } : {}),
        },
        within,
      );
      try {
        const subnet =
          request.cidr === ''
            ? undefined
            : await neutron.subnets.create(
                {
                  ...subnetOf(request, network),
                  ...(isSpecial ? { project_id: place.projectId } : {}),
                },
                within,
              );
        const tags = networkTags(request);
        if (tags.length > 0) await neutron.networks.replaceTags(network.id, tags, within);
        return {
          id: network.id,
          networkName: network.name,
          openstackNetworkId: network.id,
          subnetId: subnet?.id ?? '',
          message: 'Network created successfully',
        };
      } catch (error) {
        await takeBack(neutron, network, context);
        throw error;
      }
    },

    async deleteNetwork({ id }, context) {
      const within = callContext(context);
      const networkOwner = await readNetworkOwner(tenancy, context);
      const network = await findReachable(tenancy, context, {
        what: 'network',
        id,
        find: () => home.neutron.networks.get(id, within),
        owned: (one) => ({ projectId: one.project_id, ownerMark: networkOwner(one) }),
      });
      const { neutron } = await tenancy.clientsFor(network.project_id, within);
      try {
        await absentIsDone(neutron.networks.remove(id, within));
      } catch (error) {
        throw stillInUse(error, network) ?? error;
      }
      return { message: 'Network deleted successfully' };
    },
  };

  function subnetOf(request: CreateNetworkRequest, network: NeutronNetwork) {
    return {
      network_id: network.id,
      name: `${request.networkName}-subnet`.slice(0, 255),
      description: markIn(network),
      ...newSubnet(request, config.dnsServers),
    };
  }

  // A user without a project sees what everybody sees.
  async function commonFor(
    request: ListNetworksRequest,
    found: readonly NeutronNetwork[],
    context: Context,
  ): Promise<NeutronNetwork[]> {
    if (request.projectId !== '' || request.sliceId !== '' || found.length > 0) return [];
    if (context.caller.role === 'admin') return [];
    const networks = await home.neutron.networks.list(filterOf(request), callContext(context));
    return networks.filter(isCommon);
  }

  async function subnetsOf(
    networks: readonly NeutronNetwork[],
    within: CallContext,
  ): Promise<NeutronSubnet[]> {
    if (networks.every((network) => network.subnets.length === 0)) return [];
    // Ids in the query make it long: beyond some hundred it is shorter to read all.
    const ids = networks.map(({ id }) => id);
    return await home.neutron.subnets.list(ids.length <= 50 ? { network_id: ids } : {}, within);
  }
}

/** What only administrators may ask for; empty if nothing of it is asked for. */
function adminFields(request: CreateNetworkRequest): Omit<NetworkCreate, 'name'> {
  const { isExternal, shared, providerNetworkType, physicalNetwork, segmentationId } = request;
  return {
    ...(isExternal ? { 'router:external': true } : {}),
    ...(shared ? { shared } : {}),
    ...(providerNetworkType === '' ? {} : { 'provider:network_type': providerNetworkType }),
    ...(physicalNetwork === '' ? {} : { 'provider:physical_network': physicalNetwork }),
    ...(segmentationId === 0 ? {} : { 'provider:segmentation_id': segmentationId }),
  };
}

export function isCommon(network: NeutronNetwork): boolean {
  return network.shared || network['router:external'];
}

function filterOf({ name, status, isExternal, shared }: ListNetworksRequest) {
  return {
    ...only('name', name),
    ...only('status', status.toUpperCase()),
    ...(isExternal === undefined ? {} : { 'router:external': isExternal }),
    ...(shared === undefined ? {} : { shared }),
  };
}

const TAKE_BACK_MS = 30_000;

/** The caller may have left; what was begun is taken back all the same. */
async function takeBack(
  neutron: ProjectClients['neutron'],
  network: NeutronNetwork,
  { log, requestId }: Context,
): Promise<void> {
  const within = { requestId, signal: AbortSignal.timeout(TAKE_BACK_MS) };
  await absentIsDone(neutron.networks.remove(network.id, within)).catch((cause: unknown) =>
    log.error({ cause, network_id: network.id }, 'a network without its subnet could not be removed'),
  );
}

function stillInUse(error: unknown, { name, id }: NeutronNetwork): Failure | undefined {
  if (!(error instanceof Failure)) return undefined;
  if (error.code === 'NOT_FOUND') return notFound('network', id);
  if (error.reason !== 'IN_USE') return undefined;
  return new Failure({
    code: 'ABORTED',
    reason: 'NETWORK_IN_USE',
    message: `Network "${name}" is in use: delete the instances, ports and routers on it first`,
    metadata: { network_id: id },
    retryable: true,
    cause: error,
  });
}
