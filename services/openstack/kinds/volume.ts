// Volumes: found by the slice's mark in their metadata, one call each, ready when Cinder says so. Which server they are in
// is the server's to say and to change.

import { Failure } from '#common/errors.ts';
import { EQUAL, type Found, type Kind, READY, type Readiness } from '#engine/kind.ts';
import { Resource, VolumeSpec } from '#proto/pucp/driver/v1/resource.ts';
import type { CinderVolume } from '../api/cinder.ts';
import { volumeFilter, volumeMark } from '../api/tagging.ts';
import { unlessHeld, volumeHolders } from './holders.ts';
import { cloudName, fromProject, localName, type SlicePlace, within } from './place.ts';

export function volumeKind(place: SlicePlace): Kind {
  const { cinder } = place.clients;
  return {
    name: 'volume',
    maxBatch: 1,
    rebinds: [],
    async list(_look, context) {
      const ours = { ...volumeFilter(place.marker), ...fromProject(place) };
      const volumes = await cinder.listVolumes(ours, within(place, context));
      return volumes.map((volume) => foundOf(volume, place));
    },
    async create([creation], _refs, context) {
      if (!creation) return [];
      const { desired, replacements } = creation;
      const { size, type } = specOf(desired);
      const volume = await cinder.createVolume(
        {
          name: cloudName(place, desired.name),
          size,
          ...(type !== '' && { volume_type: type }),
          metadata: {
            ...volumeMark(place.marker).metadata,
            ...volumeMark(place.ownerMarker).metadata,
            ...(replacements > 0 && { replacements: String(replacements) }),
          },
        },
        within(place, context),
      );
      return [foundOf(volume, place)];
    },
    async update(desired, { resource }, _refs, context) {
      const extend = statusOf(resource) === 'in-use' ? cinder.extendAttachedVolume : cinder.extendVolume;
      await extend(resource.cloudId, specOf(desired).size, within(place, context));
    },
    async delete({ resource }, context) {
      try {
        const removal = cinder.deleteVolume(resource.cloudId, within(place, context));
        await unlessHeld(removal, () => volumeHolders(place, resource.cloudId, context));
        return 'going';
      } catch (error) {
        if (error instanceof Failure && error.code === 'NOT_FOUND') return 'gone';
        throw error;
      }
    },
    difference(desired, observed) {
      const [wanted, actual] = [specOf(desired), specOf(observed)];
      if (wanted.type !== '' && wanted.type !== actual.type) {
        return { type: 'replace', reason: `its type is ${actual.type || 'none'} instead of ${wanted.type}` };
      }
      if (wanted.size === actual.size) return EQUAL;
      const reason = `it has ${actual.size} GiB instead of ${wanted.size}`;
      return wanted.size > actual.size ? { type: 'change', reason } : { type: 'replace', reason };
    },
    readiness: readinessOf,
  };
}

function readinessOf(volume: Resource): Readiness {
  const { name, message } = volume;
  const status = statusOf(volume);
  if (status === 'available' || status === 'in-use') return READY;
  if (!status.startsWith('error')) return { state: 'waiting', reason: message };
  const text = `Volume "${name}" is in status ${status}; an operator finds the cause in Cinder's log`;
  const failure = new Failure({ code: 'FAILED_PRECONDITION', reason: 'VOLUME_BROKEN', message: text });
  // Only what failed to be made is certain to hold nothing.
  return { state: 'broken', failure, ...(status !== 'error' && { isKept: true }) };
}

function statusOf({ kind }: Resource): string {
  return (kind?.$case === 'volume' && kind.value.status?.status) || '';
}

function foundOf(volume: CinderVolume, place: SlicePlace): Found {
  const { status, size } = volume;
  const serverId = volume.attachments[0]?.server_id ?? '';
  const resource = Resource.fromPartial({
    name: localName(place, volume.name ?? ''),
    cloudId: volume.id,
    message: status === 'available' || status === 'in-use' ? '' : `it is ${status}`,
    kind: {
      $case: 'volume',
      value: { spec: { size, type: volume.volume_type ?? '' }, status: { status, serverId } },
    },
  });
  const replacements = Number.parseInt(volume.metadata.replacements ?? '', 10) || 0;
  return { resource, uses: [], replacements };
}

function specOf(resource: Resource): VolumeSpec {
  return (resource.kind?.$case === 'volume' && resource.kind.value.spec) || VolumeSpec.fromPartial({});
}
