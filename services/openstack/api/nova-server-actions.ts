// What Nova does to a server on request, beside power: states, sizes, images, console log, metadata, interfaces. Nova acts
// later: most answers are a 202, and what became of it stands in `status` and `OS-EXT-STS:task_state`.
// Reference: https://docs.openstack.org/api-ref/compute/#servers-run-an-action-servers-action

import { SERVER_TAGS, type ServerMetadata } from './nova-servers.ts';
import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

/** Actions without arguments. Nova answers ABORTED where a server's state forbids one. */
export type ServerAction =
  | 'pause'
  | 'unpause'
  | 'suspend'
  | 'resume'
  | 'shelve'
  | 'unshelve'
  | 'lock'
  | 'unlock'
  | 'confirmResize'
  | 'revertResize';

const WORDS = {
  pause: 'pause',
  unpause: 'unpause',
  suspend: 'suspend',
  resume: 'resume',
  shelve: 'shelve',
  unshelve: 'unshelve',
  lock: 'lock',
  unlock: 'unlock',
  confirmResize: 'confirm the resize of',
  revertResize: 'revert the resize of',
} satisfies Record<ServerAction, string>;

export type ServerInterface = {
  readonly port_id: string;
  readonly net_id: string;
  readonly mac_addr: string;
  readonly port_state: string;
  readonly fixed_ips: readonly { readonly subnet_id: string; readonly ip_address: string }[];
};

/** A port made before, or a network on which Nova makes one and deletes it when it is detached. */
export type InterfaceCreate =
  | { readonly port_id: string }
  | { readonly net_id: string; readonly fixed_ips?: readonly { readonly ip_address: string }[] };

/** What a server was asked for, and by which request. */
export type ServerRecord = { readonly action: string; readonly request_id: string };

export function createServerActions(client: ServiceClient) {
  const action = (id: string, json: unknown, what: string) =>
    ({
      method: 'POST',
      path: path`/servers/${id}/action`,
      json,
      what: `${what} server ${id}`,
      feature: SERVER_TAGS,
    }) as const;

  return {
    /** The latest first. */
    listServerActions: (id: string, context: CallContext) =>
      client.item<readonly ServerRecord[]>(
        'instanceActions',
        { path: path`/servers/${id}/os-instance-actions`, what: `list what was done to server ${id}` },
        context,
      ),

    actOnServer: (id: string, name: ServerAction, context: CallContext) =>
      client.send(action(id, { [name]: null }, WORDS[name]), context),

    /** The status is VERIFY_RESIZE some time later. INVALID_ARGUMENT if the flavor is the server's own. */
    resizeServer: (id: string, flavorId: string, context: CallContext) =>
      client.send(action(id, { resize: { flavorRef: flavorId } }, 'resize'), context),

    /** The answer holds a new administrator's password, which goes no further. */
    rebuildServer: (id: string, imageId: string, context: CallContext) =>
      client.send(action(id, { rebuild: { imageRef: imageId } }, 'rebuild'), context),

    /** The image is queued, and active some time later. If the answer is lost the image may exist. */
    async snapshotServer(
      id: string,
      image: { readonly name: string; readonly metadata: ServerMetadata },
      context: CallContext,
    ): Promise<string> {
      const call = action(id, { createImage: image }, 'make an image of');
      return (await client.item<{ image_id: string }>('', { ...call, isLong: true }, context)).image_id;
    },

    /** The last lines. */
    async getConsoleLog(id: string, lines: number, context: CallContext): Promise<string> {
      const call = action(id, { 'os-getConsoleOutput': { length: lines } }, 'tell the console log of');
      return (await client.item<{ output: string | null }>('', call, context)).output ?? '';
    },

    updateServer: (id: string, server: { readonly name: string }, context: CallContext) =>
      client.send(
        {
          method: 'PUT',
          path: path`/servers/${id}`,
          json: { server },
          what: `rename server ${id}`,
          feature: SERVER_TAGS,
        },
        context,
      ),

    /** Adds to what is there or changes it, and answers the whole. */
    mergeServerMetadata: (id: string, metadata: ServerMetadata, context: CallContext) =>
      client.item<ServerMetadata>(
        'metadata',
        {
          method: 'POST',
          path: path`/servers/${id}/metadata`,
          json: { metadata },
          what: `change the metadata of server ${id}`,
        },
        context,
      ),

    /** Puts it in place of what is there. */
    replaceServerMetadata: (id: string, metadata: ServerMetadata, context: CallContext) =>
      client.item<ServerMetadata>(
        'metadata',
        {
          method: 'PUT',
          path: path`/servers/${id}/metadata`,
          json: { metadata },
          what: `replace the metadata of server ${id}`,
        },
        context,
      ),

    deleteServerMetadata: ({ id, key }: { id: string; key: string }, context: CallContext) =>
      client.send(
        {
          method: 'DELETE',
          path: path`/servers/${id}/metadata/${key}`,
          what: `remove "${key}" from the metadata of server ${id}`,
        },
        context,
      ),

    listServerInterfaces: (id: string, context: CallContext) =>
      client.list<ServerInterface>(
        'interfaceAttachments',
        { path: path`/servers/${id}/os-interface`, what: `list the interfaces of server ${id}` },
        context,
      ),

    /** Waits for the compute host. A network or port that does not exist is a 500 of Nova's: look before. */
    attachServerInterface: (id: string, interfaceAttachment: InterfaceCreate, context: CallContext) =>
      client.item<ServerInterface>(
        'interfaceAttachment',
        {
          method: 'POST',
          path: path`/servers/${id}/os-interface`,
          json: { interfaceAttachment },
          what: `attach an interface to server ${id}`,
        },
        context,
      ),
  };
}
