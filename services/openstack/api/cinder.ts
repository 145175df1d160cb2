// Cinder v3: volumes and their quotas; snapshots and types are in `cinder-snapshots.ts`. Creation, deletion and extension answer at once; `status` tells what became of it.
// Volumes are attached through Nova. Reference: https://docs.openstack.org/api-ref/block-storage/v3/

import { createSnapshots } from './cinder-snapshots.ts';
import type { Feature } from './microversions.ts';
import type { QuotaUse } from './nova.ts';
import type { Page, PageQuery } from './pages.ts';
import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

export type CinderVolume = {
  readonly id: string;
  readonly name: string | null;
  readonly description: string | null;
  /** creating, available, in-use, deleting, error, error_deleting, extending, … */
  readonly status: string;
  /** GiB. */
  readonly size: number;
  readonly availability_zone: string;
  readonly volume_type: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly snapshot_id: string | null;
  readonly bootable: 'true' | 'false';
  readonly created_at: string;
  readonly 'os-vol-tenant-attr:tenant_id'?: string;
  readonly attachments: readonly {
    readonly server_id: string;
    readonly attachment_id: string;
    readonly volume_id: string;
    readonly device: string | null;
  }[];
};

export type VolumeCreate = {
  readonly name: string;
  /** GiB; the snapshot's if not set. */
  readonly size?: number;
  readonly description?: string;
  readonly imageRef?: string;
  readonly snapshot_id?: string;
  readonly volume_type?: string;
  readonly availability_zone?: string;
  readonly metadata?: Readonly<Record<string, string>>;
};

export type VolumeFilter = {
  readonly name?: string;
  readonly status?: string;
  /** Volumes that have all of these, value and all. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly allProjects?: boolean;
  /** Only with `allProjects`. */
  readonly projectId?: string;
};

/** -1 is unlimited. */
export type VolumeQuotas = {
  readonly volumes: number;
  readonly gigabytes: number;
  readonly snapshots: number;
};
export type VolumeQuotaUse = { readonly [K in keyof VolumeQuotas]: QuotaUse };

const EXTEND_IN_USE: Feature = { name: 'growing of attached volumes', version: '3.42', release: 'Pike' };

export type Cinder = ReturnType<typeof createCinder>;

export function createCinder(client: ServiceClient) {
  return {
    ...createSnapshots(client),

    async ping(context: CallContext): Promise<void> {
      await client.item(
        'volumes',
        { path: path`/volumes`, query: { limit: 1 }, what: 'list volumes' },
        context,
      );
    },

    /** In full, newest first. */
    listVolumes: (filter: VolumeFilter, context: CallContext) =>
      client.list<CinderVolume>('volumes', volumeList(filter), context),

    pageVolumes: (
      filter: VolumeFilter & { page: PageQuery },
      context: CallContext,
    ): Promise<Page<CinderVolume>> =>
      client.page<CinderVolume>('volumes', { ...volumeList(filter), page: filter.page }, context),

    getVolume: (id: string, context: CallContext) =>
      client.item<CinderVolume>('volume', { path: path`/volumes/${id}`, what: `find volume ${id}` }, context),

    /** If the answer is lost the volume may exist: look for its metadata before trying again. */
    createVolume: (volume: VolumeCreate, context: CallContext) =>
      client.item<CinderVolume>(
        'volume',
        {
          method: 'POST',
          path: path`/volumes`,
          json: { volume },
          what: `create the volume "${volume.name}"`,
        },
        context,
      ),

    /** Accepted, not done. ABORTED while it is attached or busy. */
    deleteVolume: (id: string, context: CallContext) =>
      client.send({ method: 'DELETE', path: path`/volumes/${id}`, what: `delete volume ${id}` }, context),

    /** At least one of the two. */
    updateVolume: (
      id: string,
      changes: { readonly name?: string; readonly description?: string },
      context: CallContext,
    ) =>
      client.item<CinderVolume>(
        'volume',
        { method: 'PUT', path: path`/volumes/${id}`, json: { volume: changes }, what: `change volume ${id}` },
        context,
      ),

    /** Accepted, not done. ABORTED unless it is available. */
    extendVolume: (id: string, sizeGib: number, context: CallContext) =>
      client.send(extension(id, sizeGib), context),

    /** The same of one that is in use: its server sees it grow. ABORTED in any other state. */
    extendAttachedVolume: (id: string, sizeGib: number, context: CallContext) =>
      client.send({ ...extension(id, sizeGib), feature: EXTEND_IN_USE }, context),

    getQuotas: (projectId: string, context: CallContext) =>
      client.item<VolumeQuotas>(
        'quota_set',
        { path: path`/os-quota-sets/${projectId}`, what: `tell the volume quotas of project ${projectId}` },
        context,
      ),

    getQuotaUse: (projectId: string, context: CallContext) =>
      client.item<VolumeQuotaUse>(
        'quota_set',
        {
          path: path`/os-quota-sets/${projectId}`,
          query: { usage: 'True' },
          what: `tell the volume quotas of project ${projectId}`,
        },
        context,
      ),

    /** For administrators. */
    setQuotas: (projectId: string, quotas: Partial<VolumeQuotas>, context: CallContext) =>
      client.item<VolumeQuotas>(
        'quota_set',
        {
          method: 'PUT',
          path: path`/os-quota-sets/${projectId}`,
          json: { quota_set: quotas },
          what: `set the volume quotas of project ${projectId}`,
        },
        context,
      ),

    /** Back to the defaults; for administrators. */
    deleteQuotas: (projectId: string, context: CallContext) =>
      client.send(
        {
          method: 'DELETE',
          path: path`/os-quota-sets/${projectId}`,
          what: `reset the volume quotas of project ${projectId}`,
        },
        context,
      ),
  };
}

function extension(id: string, sizeGib: number) {
  return {
    method: 'POST',
    path: path`/volumes/${id}/action`,
    json: { 'os-extend': { new_size: sizeGib } },
    what: `extend volume ${id}`,
  } as const;
}

function volumeList({ name, status, metadata, allProjects, projectId }: VolumeFilter) {
  return {
    path: path`/volumes/detail`,
    query: {
      name,
      status,
      // Cinder reads it as a Python dictionary, which JSON of plain text is.
      metadata: metadata === undefined ? undefined : JSON.stringify(metadata),
      all_tenants: allProjects === true ? 1 : undefined,
      project_id: allProjects === true ? projectId : undefined,
    },
    what: 'list volumes',
  };
}
