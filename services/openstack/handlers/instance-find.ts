// A server by id, if the caller may know of it, and as the caller sees it. Every rpc on one server begins here.

import { Failure } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import type { Instance } from '#proto/pucp/openstack/v1/openstack.ts';
import type { ProjectClients } from '../api/cloud.ts';
import type { Nova } from '../api/nova.ts';
import type { Server } from '../api/nova-servers.ts';
import { ownerMarkOf } from '../marks.ts';
import { callContext, type Deps, findReachable } from './deps.ts';
import { instanceView } from './instance-view.ts';

export type Instances = {
  /** NOT_FOUND unless the caller reaches it. */
  find(id: string, context: Context): Promise<Server>;
  view(server: Server, context: Context): Promise<Instance>;
  /** Looks anew. */
  look(id: string, context: Context): Promise<Instance>;
  /** The clients of its project. */
  clientsFor(server: Server, context: Context): Promise<ProjectClients>;
  /** What to change it with. FAILED_PRECONDITION if it is locked and the caller no admin. */
  changerOf(server: Server, context: Context): Promise<Nova>;
};

export function createInstances({ cloud, tenancy }: Pick<Deps, 'cloud' | 'tenancy'>): Instances {
  const home = cloud.project('home');

  function find(id: string, context: Context): Promise<Server> {
    return findReachable(tenancy, context, {
      what: 'instance',
      id,
      find: () => home.nova.getServer(id, callContext(context)),
      owned: (server) => ({ projectId: server.tenant_id, ownerMark: ownerMarkOf(server) }),
    });
  }

  async function view(server: Server, context: Context): Promise<Instance> {
    return instanceView(server, await tenancy.nameOf(server.tenant_id, callContext(context)));
  }

  function clientsFor(server: Server, context: Context): Promise<ProjectClients> {
    return tenancy.clientsFor(server.tenant_id, callContext(context));
  }

  return {
    find,
    view,
    look: async (id, context) => await view(await find(id, context), context),
    clientsFor,
    async changerOf(server, context) {
      // Nova lets an administrator's token pass, which ours may be on behalf of anyone.
      if (server.locked && context.caller.role !== 'admin') throw locked(server);
      return (await clientsFor(server, context)).nova;
    },
  };
}

function locked({ id, name }: Server): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'SERVER_LOCKED',
    message: `Instance "${name}" is locked: unlock it first`,
    metadata: { instance_id: id },
  });
}
