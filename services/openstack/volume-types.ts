// The types of volumes that the cloud offers. Read by everyone and changed seldom, so kept for a minute.

import { createCache } from '#common/cache.ts';
import type { Metrics } from '#common/metrics.ts';
import type { CinderVolumeType } from './api/cinder-snapshots.ts';
import type { Cloud } from './api/cloud.ts';
import { absentIsNone } from './api/errors.ts';
import type { CallContext } from './api/settings.ts';

/** A type, and whether volumes are of it where none is named. */
export type OfferedVolumeType = CinderVolumeType & { readonly isDefault: boolean };

export type VolumeTypes = {
  /** Those that every project may use. */
  list(context: CallContext): Promise<readonly OfferedVolumeType[]>;
};

const TTL_MS = 60_000;

export function createVolumeTypes({ cloud, metrics }: { cloud: Cloud; metrics: Metrics }): VolumeTypes {
  const { cinder } = cloud.project('home');
  const kept = createCache<OfferedVolumeType[]>({ name: 'volume_types', max: 1, ttlMs: TTL_MS, metrics });

  async function load({ requestId }: CallContext): Promise<OfferedVolumeType[]> {
    // Several callers wait for one list: none of them ends it by leaving.
    const within = { requestId, signal: AbortSignal.timeout(60_000) };
    const [all, usual] = await Promise.all([
      cinder.listVolumeTypes(within),
      // A cloud may have types and no default.
      cinder.getDefaultVolumeType(within).catch(absentIsNone),
    ]);
    return all
      .filter((type) => type.is_public)
      .map((type) => ({ ...type, isDefault: type.id === usual?.id }));
  }

  return { list: (context) => kept.get('', () => load(context)) };
}
