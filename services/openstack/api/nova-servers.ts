// Nova's servers: lists, creation, power, consoles, attached volumes. Nova acts later: create, delete and power answer at
// once with 202, and what became of it stands in `status` and `OS-EXT-STS:task_state`.
// Reference: https://docs.openstack.org/api-ref/compute/#servers-servers

import type { Feature } from './microversions.ts';
import type { Page, PageQuery } from './pages.ts';
import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

/** Tags at creation (2.52) are what a slice's servers are found by; flavors lie in the server since 2.47. */
export const SERVER_TAGS: Feature = { name: 'server tags', version: '2.52', release: 'Pike' };

/** The type of a volume that Nova makes for a server. */
const VOLUME_TYPES: Feature = { name: 'types of boot volumes', version: '2.67', release: 'Stein' };

export type Server = {
  readonly id: string;
  readonly name: string;
  /** ACTIVE, BUILD, ERROR, SHUTOFF, REBOOT, … in capitals. */
  readonly status: string;
  readonly tenant_id: string;
  readonly user_id: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  /** Empty text if it boots from a volume. */
  readonly image: { readonly id: string } | '';
  readonly flavor: {
    readonly original_name: string;
    readonly vcpus: number;
    readonly ram: number;
    readonly disk: number;
  };
  /** By network name; a cache of Neutron's ports that lags by a second or more. */
  readonly addresses: Readonly<Record<string, readonly ServerAddress[]>>;
  readonly created: string;
  readonly updated: string;
  readonly key_name: string | null;
  /** Whether administrators alone may change it. */
  readonly locked: boolean;
  readonly fault?: { readonly code?: number; readonly message?: string };
  readonly 'OS-EXT-AZ:availability_zone': string;
  readonly 'OS-EXT-STS:task_state': string | null;
  readonly 'OS-EXT-STS:vm_state': string;
  /** 1 is running, 4 is shut down, 0 is unknown. */
  readonly 'OS-EXT-STS:power_state': number;
  readonly 'OS-SRV-USG:launched_at': string | null;
  /** For administrators. */
  readonly 'OS-EXT-SRV-ATTR:host'?: string | null;
  readonly 'os-extended-volumes:volumes_attached': readonly { readonly id: string }[];
  readonly security_groups?: readonly { readonly name: string }[];
};

/** Keys and values of at most 255 characters. */
export type ServerMetadata = Readonly<Record<string, string>>;

export type ServerAddress = {
  readonly version: 4 | 6;
  readonly addr: string;
  readonly 'OS-EXT-IPS:type': 'fixed' | 'floating';
  readonly 'OS-EXT-IPS-MAC:mac_addr': string;
};

/** Nova ignores or refuses a filter by metadata, depending on who asks: there is none here. */
export type ServerFilter = {
  /** Exactly this name; Nova itself takes a regular expression. */
  readonly name?: string;
  /** Servers that have all of these. */
  readonly tags?: readonly string[];
  readonly status?: string;
  /** Every project's; for administrators. */
  readonly allProjects?: boolean;
  /** Only with `allProjects`. */
  readonly projectId?: string;
};

/** What a server starts from or has beside: https://docs.openstack.org/nova/latest/user/block-device-mapping.html */
export type BlockDevice = BootDevice | LocalDisk | DataVolume;

/** The flavor's own disk, filled with the image `uuid`: to be named if there are further devices. */
export type LocalDisk = {
  readonly boot_index: 0;
  readonly source_type: 'image';
  readonly destination_type: 'local';
  readonly uuid: string;
  readonly delete_on_termination: true;
};

/** A volume that the server has beside; it has to be `available`. */
export type DataVolume = {
  readonly boot_index: -1;
  readonly source_type: 'volume';
  readonly destination_type: 'volume';
  readonly uuid: string;
  readonly delete_on_termination: false;
};

/** A volume to boot from: a new one, filled with the image `uuid`, or the volume `uuid`. */
export type BootDevice = {
  readonly boot_index: 0;
  readonly source_type: 'image' | 'volume';
  readonly destination_type: 'volume';
  readonly uuid: string;
  readonly delete_on_termination: boolean;
  /** GiB; of a new one only. */
  readonly volume_size?: number;
  readonly volume_type?: string;
};

export type ServerCreate = {
  readonly name: string;
  readonly flavorRef: string;
  /** Absent if it boots from a volume. */
  readonly imageRef?: string;
  /** In the order of the interfaces. `none` for no network at all. */
  readonly networks:
    | readonly ({ readonly port: string } | { readonly uuid: string; readonly fixed_ip?: string })[]
    | 'none';
  /** Each at most 60 characters, without `/` and `,`; at most 50. */
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly availability_zone?: string;
  readonly key_name?: string;
  /** Base64. */
  readonly user_data?: string;
  readonly config_drive?: boolean;
  /** Of ports that Nova makes; ports given have their own. */
  readonly security_groups?: readonly { readonly name: string }[];
  readonly block_device_mapping_v2?: readonly BlockDevice[];
};

export type VolumeAttachment = {
  readonly id: string;
  readonly serverId: string;
  readonly volumeId: string;
  readonly device: string | null;
};

export function createServers(client: ServiceClient) {
  /** `what` follows "could not", as in `start server …`. */
  const act = (id: string, { what, json }: { what: string; json: unknown }, context: CallContext) =>
    client.send(
      {
        method: 'POST',
        path: path`/servers/${id}/action`,
        json,
        what: `${what} server ${id}`,
        feature: SERVER_TAGS,
      },
      context,
    );

  return {
    /** In full, newest first. */
    listServers: (filter: ServerFilter, context: CallContext) =>
      client.list<Server>('servers', serverList(filter), context),

    /** Their ids: for Nova a fifth of the work of the list in full, and none for Neutron (measured on Zed). */
    async listServerIds(filter: ServerFilter, context: CallContext): Promise<string[]> {
      const brief = { ...serverList(filter), path: path`/servers` };
      return (await client.list<{ id: string }>('servers', brief, context)).map(({ id }) => id);
    },

    pageServers: (filter: ServerFilter & { page: PageQuery }, context: CallContext): Promise<Page<Server>> =>
      client.page<Server>('servers', { ...serverList(filter), page: filter.page }, context),

    getServer: (id: string, context: CallContext) =>
      client.item<Server>(
        'server',
        { path: path`/servers/${id}`, what: `find server ${id}`, feature: SERVER_TAGS },
        context,
      ),

    /** Answers with nothing but the id. If the answer is lost the server may exist: look for its tags before trying again. */
    async createServer(server: ServerCreate, context: CallContext): Promise<{ readonly id: string }> {
      const { id } = await client.item<{ id: string }>(
        'server',
        {
          method: 'POST',
          path: path`/servers`,
          json: { server },
          what: `create the server "${server.name}"`,
          feature: server.block_device_mapping_v2?.some((one) => 'volume_type' in one)
            ? VOLUME_TYPES
            : SERVER_TAGS,
        },
        context,
      );
      // The answer also holds the new server's administrator password, which goes no further.
      return { id };
    },

    /** Accepted, not done: the server is gone when it is NOT_FOUND. */
    deleteServer: (id: string, context: CallContext) =>
      client.send({ method: 'DELETE', path: path`/servers/${id}`, what: `delete server ${id}` }, context),

    /** ABORTED if it runs already or is busy. */
    startServer: (id: string, context: CallContext) =>
      act(id, { what: 'start', json: { 'os-start': null } }, context),

    /** ABORTED if it is down already or busy. */
    stopServer: (id: string, context: CallContext) =>
      act(id, { what: 'stop', json: { 'os-stop': null } }, context),

    /** `SOFT` asks the guest, `HARD` pulls the plug and also revives one that is down. */
    rebootServer: (id: string, type: 'SOFT' | 'HARD', context: CallContext) =>
      act(id, { what: 'reboot', json: { reboot: { type } } }, context),

    /** The address contains a secret, works for minutes, and must not be logged or kept. */
    createConsole: (
      id: string,
      console: { protocol: 'vnc' | 'spice' | 'serial' | 'rdp' | 'mks'; type: string },
      context: CallContext,
    ) =>
      client.item<{ readonly url: string; readonly type: string; readonly protocol: string }>(
        'remote_console',
        {
          method: 'POST',
          path: path`/servers/${id}/remote-consoles`,
          json: { remote_console: console },
          what: `open a console of server ${id}`,
          feature: SERVER_TAGS,
        },
        context,
      ),

    /** Gives a running or stopped server one more interface, a port made before. ABORTED if the port is in use. */
    attachPort: ({ serverId, portId }: { serverId: string; portId: string }, context: CallContext) =>
      client.send(
        {
          method: 'POST',
          path: path`/servers/${serverId}/os-interface`,
          json: { interfaceAttachment: { port_id: portId } },
          what: `attach port ${portId} to server ${serverId}`,
        },
        context,
      ),

    /** The port is free some time later; a port that Nova did not make lives on. */
    detachPort: ({ serverId, portId }: { serverId: string; portId: string }, context: CallContext) =>
      client.send(
        {
          method: 'DELETE',
          path: path`/servers/${serverId}/os-interface/${portId}`,
          what: `detach port ${portId} from server ${serverId}`,
        },
        context,
      ),

    listVolumeAttachments: (serverId: string, context: CallContext) =>
      client.list<VolumeAttachment>(
        'volumeAttachments',
        {
          path: path`/servers/${serverId}/os-volume_attachments`,
          what: `list the volumes of server ${serverId}`,
        },
        context,
      ),

    /** The volume is `in-use` some time later. */
    attachVolume: (
      { serverId, volumeId, device }: { serverId: string; volumeId: string; device?: string | undefined },
      context: CallContext,
    ) =>
      client.item<VolumeAttachment>(
        'volumeAttachment',
        {
          method: 'POST',
          path: path`/servers/${serverId}/os-volume_attachments`,
          json: { volumeAttachment: { volumeId, device } },
          what: `attach volume ${volumeId} to server ${serverId}`,
          isLong: true,
        },
        context,
      ),

    /** The volume is `available` some time later. */
    detachVolume: ({ serverId, volumeId }: { serverId: string; volumeId: string }, context: CallContext) =>
      client.send(
        {
          method: 'DELETE',
          path: path`/servers/${serverId}/os-volume_attachments/${volumeId}`,
          what: `detach volume ${volumeId} from server ${serverId}`,
        },
        context,
      ),
  };
}

function serverList({ name, tags, status, allProjects, projectId }: ServerFilter) {
  return {
    path: path`/servers/detail`,
    query: {
      name: name === undefined ? undefined : `^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`,
      tags: tags === undefined || tags.length === 0 ? undefined : tags.join(','),
      status,
      all_tenants: allProjects === true ? 1 : undefined,
      project_id: allProjects === true ? projectId : undefined,
    },
    what: 'list servers',
    feature: SERVER_TAGS,
  };
}
