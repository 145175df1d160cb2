// Servers: lists over a user's projects, and what can be done to one. Making one is `instance-create.ts`.

import { Failure } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type { Instance } from '#proto/pucp/openstack/v1/openstack.ts';
import type {
  GetConsoleRequest,
  ListInstancesRequest,
  OpenstackServiceServer,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { Nova } from '../api/nova.ts';
import type { Server } from '../api/nova-servers.ts';
import type { CallContext } from '../api/settings.ts';
import { ownerMarkOf, sliceOf } from '../marks.ts';
import { callContext, type Deps } from './deps.ts';
import { createInstanceHandler } from './instance-create.ts';
import { createInstances } from './instance-find.ts';
import { refusalOf } from './instance-refusals.ts';
import { instanceView } from './instance-view.ts';
import { listOwned, projectNames } from './listing.ts';
import { pageOf } from './page.ts';

type InstanceHandlers = Pick<
  Handlers<OpenstackServiceServer>,
  | 'listInstances'
  | 'getInstance'
  | 'createInstance'
  | 'deleteInstance'
  | 'startInstance'
  | 'stopInstance'
  | 'rebootInstance'
  | 'getConsole'
>;

export function instanceHandlers(deps: Deps): InstanceHandlers {
  const { cloud, tenancy } = deps;
  const home = cloud.project('home');
  const instances = createInstances(deps);
  const { find } = instances;

  /** Asks Nova for a change of power; a server that is there already, or on its way, stays as it is. */
  async function power(id: string, context: Context, change: PowerChange): Promise<Instance> {
    const server = await find(id, context);
    const within = callContext(context);
    const nova = await instances.changerOf(server, context);
    if (!isThere(server, change)) {
      try {
        await (change === TO_ON ? nova.startServer(id, within) : nova.stopServer(id, within));
      } catch (error) {
        // Someone else may have been quicker; Nova calls that a conflict.
        const isConflict = error instanceof Failure && error.code === 'ABORTED';
        if (!isConflict || !isThere(await find(id, context), change)) refusalOf(server)(error);
      }
    }
    return await instances.look(id, context);
  }

  return {
    async listInstances(request, context) {
      const servers = (await listServers(request, context)).filter((server) => isWanted(server, request));
      const { items, nextPageToken } = pageOf(servers, request, {
        key: ({ created, id }) => `${created} ${id}`,
        descending: true,
      });
      const names = await projectNames(tenancy, context);
      return {
        instances: items.map((server) => instanceView(server, names.get(server.tenant_id) ?? '')),
        nextPageToken,
      };
    },
    getInstance: ({ id }, context) => instances.look(id, context),
    createInstance: createInstanceHandler(deps),
    async deleteInstance({ id }, context) {
      const server = await find(id, context);
      const within = callContext(context);
      const nova = await instances.changerOf(server, context);
      try {
        await nova.deleteServer(id, within);
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== 'NOT_FOUND') throw error;
      }
      return { message: 'Instance deleted successfully' };
    },
    startInstance: ({ id }, context) => power(id, context, TO_ON),
    stopInstance: ({ id }, context) => power(id, context, TO_OFF),
    async rebootInstance({ id, hard }, context) {
      const server = await find(id, context);
      const within = callContext(context);
      const nova = await instances.changerOf(server, context);
      await nova.rebootServer(id, hard ? 'HARD' : 'SOFT', within).catch(refusalOf(server));
      return await instances.look(id, context);
    },
    async getConsole(request, context) {
      const server = await find(request.id, context);
      if (server.status !== 'ACTIVE') throw notRunning(request, server);
      const within = callContext(context);
      const { nova } = await instances.clientsFor(server, context);
      const { url, type } = await openConsole(nova, request.id, within);
      return { url, type };
    },
  };

  function listServers(request: ListInstancesRequest, context: Context): Promise<Server[]> {
    return listOwned<Server>(tenancy, context, request, {
      all: (projectId, within) =>
        home.nova.listServers({ allProjects: true, ...(projectId ? { projectId } : {}) }, within),
      of: ({ clients }, within) => clients.nova.listServers({}, within),
      ownerMark: ownerMarkOf,
      slice: sliceOf,
    });
  }
}

function isWanted({ name, status }: Server, wanted: ListInstancesRequest): boolean {
  return (
    name.toLowerCase().includes(wanted.name.toLowerCase()) &&
    (wanted.status === '' || status.toLowerCase() === wanted.status.toLowerCase())
  );
}

type PowerChange = { readonly status: string; readonly task: string };
const TO_ON: PowerChange = { status: 'ACTIVE', task: 'powering-on' };
const TO_OFF: PowerChange = { status: 'SHUTOFF', task: 'powering-off' };

function isThere(server: Server, { status, task }: PowerChange): boolean {
  const underWay = server['OS-EXT-STS:task_state'];
  return underWay === task || (server.status === status && underWay === null);
}

/** The first kind of screen that the cloud has. */
async function openConsole(nova: Nova, id: string, within: CallContext) {
  try {
    return await nova.createConsole(id, { protocol: 'vnc', type: 'novnc' }, within);
  } catch (error) {
    // Nova answers 400 for a kind that is not set up.
    if (!(error instanceof Failure) || error.code !== 'INVALID_ARGUMENT') throw error;
    return await nova.createConsole(id, { protocol: 'spice', type: 'spice-html5' }, within);
  }
}

function notRunning({ id }: GetConsoleRequest, { status, name }: Server): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'INSTANCE_NOT_RUNNING',
    message: `Instance "${name}" is ${status.toLowerCase()} and has no screen: start it first`,
    metadata: { instance_id: id, status: status.toLowerCase() },
  });
}
