// Cinder's snapshots and volume types. Creation and deletion answer at once; `status` tells what became of it.
// Reference: https://docs.openstack.org/api-ref/block-storage/v3/#volume-snapshots-snapshots

import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

export type CinderSnapshot = {
  readonly id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly volume_id: string;
  /** creating, available, deleting, error, error_deleting, … */
  readonly status: string;
  /** GiB. */
  readonly size: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly created_at: string;
  readonly updated_at: string | null;
  /** Absent in answers to creation and change. */
  readonly 'os-extended-snapshot-attributes:project_id'?: string;
};

export type SnapshotCreate = {
  readonly volume_id: string;
  readonly name: string;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Also of a volume in use. */
  readonly force?: boolean;
};

export type SnapshotFilter = {
  readonly volumeId?: string;
  readonly allProjects?: boolean;
  /** Only with `allProjects`. */
  readonly projectId?: string;
};

export type CinderVolumeType = {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly is_public: boolean;
};

export function createSnapshots(client: ServiceClient) {
  return {
    /** In full, newest first. */
    listSnapshots: ({ volumeId, allProjects, projectId }: SnapshotFilter, context: CallContext) =>
      client.list<CinderSnapshot>(
        'snapshots',
        {
          path: path`/snapshots/detail`,
          query: {
            volume_id: volumeId,
            all_tenants: allProjects === true ? 1 : undefined,
            project_id: allProjects === true ? projectId : undefined,
          },
          what: 'list snapshots',
        },
        context,
      ),

    getSnapshot: (id: string, context: CallContext) =>
      client.item<CinderSnapshot>(
        'snapshot',
        { path: path`/snapshots/${id}`, what: `find snapshot ${id}` },
        context,
      ),

    /** If the answer is lost the snapshot may exist: look for its metadata before trying again. */
    createSnapshot: (snapshot: SnapshotCreate, context: CallContext) =>
      client.item<CinderSnapshot>(
        'snapshot',
        {
          method: 'POST',
          path: path`/snapshots`,
          json: { snapshot },
          what: `create the snapshot "${snapshot.name}"`,
        },
        context,
      ),

    /** At least one of the two. */
    updateSnapshot: (
      id: string,
      changes: { readonly name?: string; readonly description?: string },
      context: CallContext,
    ) =>
      client.send(
        {
          method: 'PUT',
          path: path`/snapshots/${id}`,
          json: { snapshot: changes },
          what: `change snapshot ${id}`,
        },
        context,
      ),

    /** Accepted, not done. */
    deleteSnapshot: (id: string, context: CallContext) =>
      client.send({ method: 'DELETE', path: path`/snapshots/${id}`, what: `delete snapshot ${id}` }, context),

    /** Those that the project may use. */
    listVolumeTypes: (context: CallContext) =>
      client.list<CinderVolumeType>(
        'volume_types',
        { path: path`/types`, what: 'list volume types' },
        context,
      ),

    /** NOT_FOUND if the cloud has none. */
    getDefaultVolumeType: (context: CallContext) =>
      client.item<CinderVolumeType>(
        'volume_type',
        { path: path`/types/default`, what: 'tell the default volume type' },
        context,
      ),
  };
}
