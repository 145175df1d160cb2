// DeploySlice and DestroySlice: a slice in one call, for clients that do not use the slice service.

import { randomUUID } from 'node:crypto';
import { type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { checkSpec } from '#engine/spec/check.ts';
import { compileSpec } from '#engine/spec/compile.ts';
import type { Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, type Resource } from '#proto/pucp/driver/v1/resource.ts';
import type {
  DeploySliceRequest,
  OpenstackServiceServer,
  SliceConfig,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { DeploySliceResponse } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { Infrastructure, SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import type { CallContext } from '../api/settings.ts';
import { isSliceId } from '../marks.ts';
import { idTaken, type SliceDeployer } from '../slice-deployer.ts';
import type { SliceKey, SliceRow } from '../slice-store.ts';
import type { Place } from '../tenancy.ts';
import { callContext, type Deps } from './deps.ts';

type SliceHandlers = Pick<Handlers<OpenstackServiceServer>, 'deploySlice' | 'destroySlice'>;

export type SliceDeps = Deps & {
  readonly deployer: SliceDeployer;
  /** What the cloud has against a wish: names that do not exist, limits, addresses. */
  readonly validate: (
    wish: {
      readonly scope: Scope;
      readonly projectId: string | undefined;
      readonly desired: readonly Resource[];
    },
    context: CallContext,
  ) => Promise<readonly FieldViolation[]>;
  readonly findSlice: (key: SliceKey) => Promise<SliceRow | undefined>;
  /** Whether the slice service deploys a slice of this id: then it is not to be touched from here. */
  readonly isManaged: (sliceId: string) => Promise<boolean>;
};

/** As the original's (SYSTEM_RESOURCES_CONFIG): nodes and networks of one slice. */
const LIMITS = { nodes: 50, networks: 10, links: 200 };

export function sliceHandlers(deps: SliceDeps): SliceHandlers {
  const { tenancy, deployer } = deps;

  return {
    async deploySlice(request, context) {
      const { caller } = context;
      const within = callContext(context);
      const config = request.sliceConfig;
      if (!config) throw invalid([{ field: 'slice_config', message: 'is missing' }]);
      const spec = specOf(config, request);
      const mistakes = [
        ...checkRequest(config, request, caller.role),
        ...checkSpec(spec, LIMITS).map(atConfig),
      ];
      if (mistakes.length > 0) throw invalid(mistakes);
      const sliceId = config.id || randomUUID();
      if (await deps.isManaged(sliceId)) throw idTaken(sliceId);

      const { userId, username } = caller;
      const scope = { sliceId, sliceName: config.name, userId, username };
      const desired = compileSpec(spec, { power: Power.ON });
      const existing = await placeOf(request, { userId, sliceId }, context);
      const refused = await deps.validate({ scope, projectId: existing?.projectId, desired }, within);
      if (refused.length > 0) throw invalid(refused.map(atConfig));
      const place = existing ?? (await tenancy.place(caller, within));
      const slice = { userId, username, sliceId, name: config.name, projectId: place.projectId };
      const observed = await deployer.deploy(slice, desired, within);
      return await answer({ sliceId, config, request, observed, place }, within);
    },

    async destroySlice({ sliceId }, context) {
      if (sliceId === '') throw invalid([{ field: 'slice_id', message: 'is missing' }]);
      const { userId } = context.caller;
      const wasThere = await deployer.destroy({ userId, sliceId }, callContext(context));
      const message = wasThere
        ? 'Slice destroyed successfully'
        : 'There is nothing of this slice: it was never deployed here, or is destroyed already';
      return { sliceId, message };
    },
  };

  /** The slice as it was last deployed; one whose project is gone is forgotten. */
  async function findStanding(key: SliceKey, within: CallContext): Promise<SliceRow | undefined> {
    const slice = await deps.findSlice(key);
    if (!slice || (await tenancy.exists(slice.projectId, within))) return slice;
    await deployer.destroy(key, within);
    return undefined;
  }

  /** Where the slice is or is to be; undefined for a user without a project yet. All nodes go to one project. */
  async function placeOf(
    { placement }: DeploySliceRequest,
    key: SliceKey,
    context: Context,
  ): Promise<Place | undefined> {
    const { caller } = context;
    const within = callContext(context);
    const named = new Set(Object.values(placement).map(({ projectId }) => projectId));
    named.delete('');
    const places = await Promise.all([...named].map((one) => tenancy.named(caller, one, within)));
    const before = await findStanding(key, within);
    const ids = new Set([...places.map(({ projectId }) => projectId), ...(before ? [before.projectId] : [])]);
    if (ids.size > 1) {
      const message = before
        ? `the slice lies in project ${before.projectId}, and all of its nodes do`
        : 'all nodes of a slice go to one project';
      throw invalid([{ field: 'placement', message }]);
    }
    if (before) return await tenancy.named(caller, before.projectId, within);
    return places[0] ?? (await tenancy.findPlace(caller, within));
  }
}

function specOf(config: SliceConfig, { placement }: DeploySliceRequest): SliceSpec {
  return SliceSpec.fromPartial({
    name: config.name,
    infrastructure: Infrastructure.OPENSTACK,
    nodes: config.nodes.map((node) => ({
      ...node,
      availabilityZone: placement[node.name]?.availabilityZone || node.availabilityZone,
    })),
    networks: config.networks,
    connections: config.connections,
  });
}

function* checkRequest(
  { id, nodes, networks }: SliceConfig,
  { placement }: DeploySliceRequest,
  role: string,
): Generator<FieldViolation> {
  if (id !== '' && !isSliceId(id)) {
    const message = 'must have at most 40 letters, digits, dashes, dots and underscores';
    yield { field: 'slice_config.id', message };
  }
  const known = new Set(nodes.map((node) => node.name));
  for (const name of Object.keys(placement)) {
    if (!known.has(name)) yield { field: `placement.${name}`, message: `there is no node "${name}"` };
  }
  for (const [index, { vlanId }] of networks.entries()) {
    if (vlanId === 0 || role === 'admin') continue;
    yield { field: `slice_config.networks[${index}].vlan_id`, message: 'only admins choose a VLAN' };
  }
}

function atConfig({ field, message }: FieldViolation): FieldViolation {
  return { field: `slice_config.${field}`, message };
}

type Deployed = {
  readonly sliceId: string;
  readonly config: SliceConfig;
  readonly request: DeploySliceRequest;
  readonly observed: readonly Resource[];
  readonly place: Place;
};

async function answer(
  { sliceId, config, request, observed, place }: Deployed,
  within: CallContext,
): Promise<DeploySliceResponse> {
  const servers = await place.clients.nova.listServers({}, within);
  const of = (kind: NonNullable<Resource['kind']>['$case']) =>
    observed.filter((resource) => resource.kind?.$case === kind);
  const address = (port: string) => {
    const found = of('port').find(({ name }) => name === port)?.kind;
    return found?.$case === 'port' ? (found.value.status?.ipAddress ?? '') : '';
  };
  // In the order in which they were asked for; what was not, such as networks of links, comes last.
  const nameOrder = [...config.nodes, ...config.networks].map(({ name }) => name);
  const rank = ({ name }: Resource) =>
    nameOrder.includes(name) ? nameOrder.indexOf(name) : nameOrder.length;
  const inOrder = (a: Resource, b: Resource) => rank(a) - rank(b) || a.name.localeCompare(b.name);
  const deployedVms = of('server')
    .toSorted(inOrder)
    .map((resource) => {
      const node = config.nodes.find(({ name }) => name === resource.name);
      const spec = resource.kind?.$case === 'server' ? resource.kind.value.spec : undefined;
      const server = servers.find(({ id }) => id === resource.cloudId);
      return {
        id: resource.cloudId,
        name: resource.name,
        originalName: server?.name ?? '',
        status: server?.status.toLowerCase() ?? '',
        flavorId: node?.flavor ?? '',
        imageId: node?.image ?? '',
        privateIp: address(spec?.ports[0] ?? ''),
        placement: {
          availabilityZone: server?.['OS-EXT-AZ:availability_zone'] ?? '',
          projectId: request.placement[resource.name]?.projectId || place.projectId,
        },
      };
    });
  const createdNetworks = of('network')
    .toSorted(inOrder)
    .map((network) => {
      const subnet = of('subnet').find(({ name }) => name === network.name);
      const spec = subnet?.kind?.$case === 'subnet' ? subnet.kind.value.spec : undefined;
      return {
        name: network.name,
        networkId: network.cloudId,
        subnetId: subnet?.cloudId ?? '',
        cidr: spec?.cidr ?? '',
      };
    });
  return DeploySliceResponse.fromPartial({
    sliceId,
    status: 'deployed',
    deployedVms,
    createdNetworks,
    message: `Slice ${config.name} deployed successfully in OpenStack`,
  });
}
