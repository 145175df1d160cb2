// Neutron's things by id and in lists, as far as the caller may know of them. Where one project is everybody's, a thing
// without a mark, such as a port that Nova made, is its network's owner's.

import { invalid, notFound } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import { isNotFound } from '../api/errors.ts';
import type { Neutron } from '../api/neutron.ts';
import type {
  FloatingIp,
  NeutronNetwork,
  NeutronPort,
  NeutronRouter,
  NeutronSubnet,
  SecurityGroup,
  SecurityGroupRule,
} from '../api/neutron-types.ts';
import type { CallContext } from '../api/settings.ts';
import { type Marked, sliceOf } from '../marks.ts';
import { callContext, type Deps, findReachable } from './deps.ts';
import { listOwned } from './listing.ts';
import { readNetworkOwner } from './network-owner.ts';
import { isCommon } from './networks.ts';

type Thing = Marked & { readonly id: string; readonly project_id: string; readonly network_id?: string };
type ListRequest = { readonly projectId: string; readonly sliceId?: string };

/** Every function that takes an id fails with NOT_FOUND for what does not exist and for what is someone else's. */
export type Reach = {
  network(id: string, context: Context): Promise<NeutronNetwork>;
  /** Also one that everybody sees: shared, or leading outside. */
  visibleNetwork(id: string, context: Context): Promise<NeutronNetwork>;
  subnet(id: string, context: Context): Promise<NeutronSubnet>;
  port(id: string, context: Context): Promise<NeutronPort>;
  router(id: string, context: Context): Promise<NeutronRouter>;
  floatingIp(id: string, context: Context): Promise<FloatingIp>;
  group(id: string, context: Context): Promise<SecurityGroup>;
  /** With the group that it is of. */
  rule(id: string, context: Context): Promise<{ rule: SecurityGroupRule; group: SecurityGroup }>;
  /** What lies in the projects that the caller reaches; `ask` narrows it further. */
  list<T extends Thing>(request: ListRequest, context: Context, ask: Ask<T>): Promise<T[]>;
  /** The client to change a thing of this project with. */
  clientFor(projectId: string, context: Context): Promise<Neutron>;
};

type Ask<T> = (neutron: Neutron, filter: { project_id?: string }, within: CallContext) => Promise<T[]>;

export function createReach({ cloud, tenancy, config }: Deps): Reach {
  const { neutron } = cloud.project('home');
  const isShared = config.tenancy === 'shared';

  async function one<T extends Thing>(
    what: string,
    id: string,
    context: Context,
    get: (id: string, within: CallContext) => Promise<T>,
  ): Promise<T> {
    const find = async () => {
      const thing = await get(id, callContext(context));
      return { thing, ownerMark: await markOf(thing, context) };
    };
    const { thing } = await findReachable(tenancy, context, {
      what,
      id,
      find,
      owned: ({ thing: { project_id: projectId }, ownerMark }) => ({ projectId, ownerMark }),
    });
    return thing;
  }

  async function markOf(thing: Thing, context: Context): Promise<string | undefined> {
    const ownerOf = await readNetworkOwner(tenancy, context);
    const own = ownerOf(thing);
    if (own !== undefined || !isShared || thing.network_id === undefined) return own;
    return ownerOf(await neutron.networks.get(thing.network_id, callContext(context)));
  }

  /** The same for all of a list, at the price of one more list. */
  async function readMarks(context: Context): Promise<(thing: Thing) => string | undefined> {
    const ownerOf = await readNetworkOwner(tenancy, context);
    if (!isShared) return ownerOf;
    const networks = await neutron.networks.list({}, callContext(context));
    const marks = new Map(networks.map((network) => [network.id, ownerOf(network)]));
    return (thing) => ownerOf(thing) ?? marks.get(thing.network_id ?? '');
  }

  const network = (id: string, context: Context) => one('network', id, context, neutron.networks.get);
  const group = (id: string, context: Context) =>
    one('security group', id, context, neutron.securityGroups.get);

  return {
    network,
    group,
    async visibleNetwork(id, context) {
      try {
        return await network(id, context);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        const found = await neutron.networks.get(id, callContext(context)).catch((cause: unknown) => {
          throw isNotFound(cause) ? error : cause;
        });
        if (!isCommon(found)) throw error;
        return found;
      }
    },
    subnet: (id, context) => one('subnet', id, context, neutron.subnets.get),
    port: (id, context) => one('port', id, context, neutron.ports.get),
    router: (id, context) => one('router', id, context, neutron.routers.get),
    floatingIp: (id, context) => one('floating IP', id, context, neutron.floatingIps.get),
    async rule(id, context) {
      const what = 'security group rule';
      if (!/^[\w-]{1,64}$/.test(id)) throw notFound(what, id);
      try {
        const rule = await neutron.securityGroupRules.get(id, callContext(context));
        return { rule, group: await group(rule.security_group_id, context) };
      } catch (error) {
        throw isNotFound(error) ? notFound(what, id) : error;
      }
    },
    async list<T extends Thing>(request: ListRequest, context: Context, ask: Ask<T>) {
      return await listOwned<T>(tenancy, context, request, {
        all: (projectId, within) => ask(neutron, projectId ? { project_id: projectId } : {}, within),
        of: ({ clients, projectId }, within) => ask(clients.neutron, { project_id: projectId }, within),
        ownerMark: await readMarks(context),
        slice: sliceOf,
      });
    },
    async clientFor(projectId, context) {
      return (await tenancy.clientsFor(projectId, callContext(context))).neutron;
    },
  };
}

/** INVALID_ARGUMENT for a request that does not say on which network. */
export function needNetwork(networkId: string): void {
  if (networkId === '')
    throw invalid([{ field: 'network_id', message: 'is missing: give the id of a network' }]);
}

/** A filter of Neutron's; nothing where the request leaves the field empty. */
export function only<K extends string, V extends string | number>(
  field: K,
  value: V,
): { readonly [P in K]?: V } {
  return value === '' || value === 0 ? {} : ({ [field]: value } as { readonly [P in K]?: V });
}
