// Changes of a server's state: pause, suspend, shelve, lock and back. Whoever asks for a state that is there, or on its way,
// changes nothing.

import { Failure } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type { ComputeServiceServer } from '#proto/pucp/openstack/v1/compute_service.ts';
import type { Instance } from '#proto/pucp/openstack/v1/openstack.ts';
import type { ServerAction } from '../api/nova-server-actions.ts';
import type { Server } from '../api/nova-servers.ts';
import { callContext } from './deps.ts';
import type { Instances } from './instance-find.ts';
import { refusalOf } from './instance-refusals.ts';

type StateHandlers = Pick<
  Handlers<ComputeServiceServer>,
  | 'pauseInstance'
  | 'unpauseInstance'
  | 'suspendInstance'
  | 'resumeInstance'
  | 'shelveInstance'
  | 'unshelveInstance'
  | 'lockInstance'
  | 'unlockInstance'
>;

export function instanceStateHandlers(instances: Instances): StateHandlers {
  async function change(id: string, context: Context, wanted: Change): Promise<Instance> {
    const server = await instances.find(id, context);
    const nova = await instances.changerOf(server, context);
    if (!isThere(server, wanted)) {
      try {
        await nova.actOnServer(id, wanted.action, callContext(context));
      } catch (error) {
        // Someone else may have been quicker; Nova calls that a conflict.
        const isConflict = error instanceof Failure && error.code === 'ABORTED';
        if (!isConflict || !isThere(await instances.find(id, context), wanted)) refusalOf(server)(error);
      }
    }
    return await instances.look(id, context);
  }

  const changeTo =
    (wanted: Change) =>
    ({ id }: { readonly id: string }, context: Context): Promise<Instance> =>
      change(id, context, wanted);

  return {
    pauseInstance: changeTo({ action: 'pause', states: ['PAUSED'], tasks: ['pausing'] }),
    unpauseInstance: changeTo({ action: 'unpause', states: ['ACTIVE'], tasks: ['unpausing'] }),
    suspendInstance: changeTo({ action: 'suspend', states: ['SUSPENDED'], tasks: ['suspending'] }),
    resumeInstance: changeTo({ action: 'resume', states: ['ACTIVE'], tasks: ['resuming'] }),
    shelveInstance: changeTo({
      action: 'shelve',
      states: ['SHELVED', 'SHELVED_OFFLOADED'],
      tasks: [
        'shelving',
        'shelving_image_pending_upload',
        'shelving_image_uploading',
        'shelving_offloading',
        'shelving_offload',
      ],
    }),
    unshelveInstance: changeTo({
      action: 'unshelve',
      states: ['ACTIVE'],
      tasks: ['unshelving'],
    }),
    async lockInstance({ id }, context) {
      const server = await instances.find(id, context);
      if (!server.locked) {
        const { nova } = await instances.clientsFor(server, context);
        await nova.actOnServer(id, 'lock', callContext(context));
      }
      return await instances.look(id, context);
    },
    async unlockInstance({ id }, context) {
      const server = await instances.find(id, context);
      if (server.locked) {
        const { nova } = await instances.clientsFor(server, context);
        await nova.actOnServer(id, 'unlock', callContext(context));
      }
      return await instances.look(id, context);
    },
  };
}

type Change = {
  readonly action: ServerAction;
  /** Statuses in which there is nothing left to do. */
  readonly states: readonly string[];
  /** Nova's tasks that lead there. */
  readonly tasks: readonly string[];
};

function isThere(server: Server, { states, tasks }: Change): boolean {
  const underWay = server['OS-EXT-STS:task_state'];
  return underWay === null ? states.includes(server.status) : tasks.includes(underWay);
}
