// Cinder's quotas and limits, and the check that every new volume and snapshot passes.

import type { Cloud } from '../cloud.ts';
import { type Call, Fault, type Json, ok, type Route, route } from '../http.ts';
import { invalidField, objectOf, requirePolicy } from '../nova/faults.ts';

const DEFAULTS: Readonly<Record<string, number>> = {
  volumes: 10,
  per_volume_gigabytes: -1,
  snapshots: 10,
  gigabytes: 1000,
  backups: 10,
  backup_gigabytes: 1000,
  volumes___DEFAULT__: -1,
  gigabytes___DEFAULT__: -1,
  snapshots___DEFAULT__: -1,
  groups: 10,
};

type Numbers = Record<string, number>;

function limitsOf(cloud: Cloud, projectId: string): Numbers {
  return { ...DEFAULTS, ...cloud.quotas.get(`volume:${projectId}`)?.limits };
}

function usedBy(cloud: Cloud, projectId: string): Numbers {
  const volumes = cloud.volumes.by('project_id', projectId);
  const snapshots = cloud.snapshots.by('project_id', projectId);
  const sum = (rows: readonly { size: number }[]) => rows.reduce((total, row) => total + row.size, 0);
  const gigabytes = sum(volumes) + sum(snapshots);
  return {
    volumes: volumes.length,
    snapshots: snapshots.length,
    gigabytes,
    volumes___DEFAULT__: volumes.length,
    snapshots___DEFAULT__: snapshots.length,
    gigabytes___DEFAULT__: gigabytes,
  };
}

/** Throws Cinder's 413 unless the project has room for one more of `kind` and its gigabytes. */
export function reserveStorage(
  cloud: Cloud,
  projectId: string,
  kind: 'volumes' | 'snapshots' | undefined,
  size: number,
): void {
  const limits = limitsOf(cloud, projectId);
  const used = usedBy(cloud, projectId);
  const { gigabytes = -1, per_volume_gigabytes: each = -1 } = limits;
  if (each >= 0 && size > each && kind === 'volumes') {
    throw overLimit(
      `VolumeSizeExceedsLimit: Requested volume size ${size}G is larger than maximum allowed limit ${each}G.`,
    );
  }
  if (gigabytes >= 0 && (used.gigabytes ?? 0) + size > gigabytes) {
    throw overLimit(
      `VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested ${size}G, quota is ${gigabytes}G and ${used.gigabytes}G has been consumed.`,
    );
  }
  const limit = kind === undefined ? -1 : (limits[kind] ?? -1);
  if (kind !== undefined && limit >= 0 && (used[kind] ?? 0) + 1 > limit) {
    throw overLimit(
      kind === 'volumes'
        ? `VolumeLimitExceeded: Maximum number of volumes allowed (${limit}) exceeded for quota 'volumes'.`
        : `SnapshotLimitExceeded: Maximum number of snapshots allowed (${limit}) exceeded`,
    );
  }
}

const overLimit = (message: string) => new Fault(413, message);

export function quotaRoutes(cloud: Cloud): Route[] {
  const path = '/os-quota-sets/{project_id}';
  return [
    route('GET', path, (call) => {
      const { caller, params, query } = call;
      const { project_id: id = '' } = params;
      requirePolicy(caller, 'volume_extension:quotas:show', caller.isAdmin || caller.projectId === id);
      const limits = limitsOf(cloud, id);
      if (!/^(true|1)$/i.test(query.get('usage') ?? '')) return ok({ quota_set: { ...limits, id } });
      const used = usedBy(cloud, id);
      const shown = Object.entries(limits).map(([name, limit]) => [
        name,
        { limit, in_use: used[name] ?? 0, reserved: 0 },
      ]);
      return ok({ quota_set: { ...Object.fromEntries(shown), id } });
    }),
    route('GET', `${path}/defaults`, ({ caller, params }) => {
      const { project_id: id = '' } = params;
      requirePolicy(caller, 'volume_extension:quotas:show', caller.isAdmin || caller.projectId === id);
      return ok({ quota_set: { ...DEFAULTS, id } });
    }),
    route('PUT', path, (call) => ok({ quota_set: update(cloud, call) })),
    route('DELETE', path, ({ caller, params }) => {
      requirePolicy(caller, 'volume_extension:quotas:delete');
      cloud.quotas.remove(`volume:${params.project_id}`);
      return { status: 200 };
    }),
    route('GET', '/limits', ({ caller }) =>
      ok({ limits: { rate: [], absolute: absolute(cloud, caller.projectId) } }),
    ),
  ];
}

function update(cloud: Cloud, { caller, params, body }: Call): Json {
  requirePolicy(caller, 'volume_extension:quotas:update');
  const { project_id: projectId = '' } = params;
  const input = objectOf(body, 'quota_set', { allowed: [...Object.keys(DEFAULTS), 'tenant_id'] });
  const changes: Numbers = {};
  for (const [name, value] of Object.entries(input)) {
    if (name === 'tenant_id') continue;
    const limit = Number(value);
    if (!Number.isInteger(limit) || limit < -1) {
      throw invalidField(name, value, `${String(value)} is less than the minimum of -1`);
    }
    changes[name] = limit;
  }
  const id = `volume:${projectId}`;
  cloud.quotas.put({ id, limits: { ...cloud.quotas.get(id)?.limits, ...changes } });
  return limitsOf(cloud, projectId);
}

function absolute(cloud: Cloud, projectId: string): Json {
  const limits = limitsOf(cloud, projectId);
  const used = usedBy(cloud, projectId);
  return {
    maxTotalVolumes: limits.volumes,
    maxTotalSnapshots: limits.snapshots,
    maxTotalVolumeGigabytes: limits.gigabytes,
    maxTotalBackups: limits.backups,
    maxTotalBackupGigabytes: limits.backup_gigabytes,
    totalVolumesUsed: used.volumes,
    totalGigabytesUsed: used.gigabytes,
    totalSnapshotsUsed: used.snapshots,
    totalBackupsUsed: 0,
    totalBackupGigabytesUsed: 0,
  };
}
