// How a volume looks, at every microversion.

import type { Cloud } from '../cloud.ts';
import type { Call, Json } from '../http.ts';
import type { VolumeRow } from './rows.ts';
import { SERVICE_ID, TYPE_ID, TYPE_NAME } from './types.ts';

function linksOf(cloud: Cloud, row: VolumeRow, { caller }: Call) {
  return [
    { rel: 'self', href: `${cloud.url}/volume/v3/${caller.projectId}/volumes/${row.id}` },
    { rel: 'bookmark', href: `${cloud.url}/volume/${caller.projectId}/volumes/${row.id}` },
  ];
}

export function briefVolume(cloud: Cloud, row: VolumeRow, call: Call): Json {
  return { id: row.id, name: row.name, links: linksOf(cloud, row, call) };
}

/** `isWhole` adds what only the show call has for admins; a create's reply leaves out the ownership fields. */
export function showVolume(cloud: Cloud, row: VolumeRow, call: Call, isWhole: boolean, isNew = false): Json {
  const { caller, minor } = call;
  const isAdmin = caller.isAdmin && !isNew;
  return {
    id: row.id,
    status: row.status,
    size: row.size,
    availability_zone: row.availability_zone,
    created_at: row.created_at,
    updated_at: row.updated_at,
    name: row.name,
    description: row.description,
    volume_type: TYPE_NAME,
    snapshot_id: row.snapshot_id,
    source_volid: row.source_volid,
    metadata: row.metadata,
    links: linksOf(cloud, row, call),
    user_id: row.user_id,
    bootable: String(row.bootable),
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: row.multiattach,
    attachments: row.attachments.map((entry) => ({
      id: row.id,
      attachment_id: entry.attachment_id,
      volume_id: row.id,
      server_id: entry.server_id,
      host_name: caller.isAdmin ? (cloud.servers.get(entry.server_id)?.host ?? null) : null,
      device: entry.device,
      attached_at: entry.attached_at,
    })),
    ...(isAdmin ? { migration_status: null } : {}),
    ...(minor >= 13 ? { group_id: null } : {}),
    ...(isAdmin && minor >= 21 ? { provider_id: null } : {}),
    ...(minor >= 48 ? { shared_targets: isNew, service_uuid: isNew ? null : SERVICE_ID } : {}),
    ...(isAdmin && minor >= 61 ? { cluster_name: null } : {}),
    ...(minor >= 63 ? { volume_type_id: TYPE_ID } : {}),
    ...(minor >= 65 ? { consumes_quota: true } : {}),
    ...(isNew ? {} : { 'os-vol-tenant-attr:tenant_id': row.project_id }),
    ...(isAdmin
      ? {
          'os-vol-mig-status-attr:migstat': null,
          'os-vol-mig-status-attr:name_id': null,
          'os-vol-host-attr:host': 'controller@local#local',
        }
      : {}),
    ...(row.image_metadata && !isNew && (isWhole || row.status !== 'creating')
      ? { volume_image_metadata: row.image_metadata }
      : {}),
  };
}
