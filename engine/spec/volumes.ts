// Further disks of nodes: their names, their mistakes, and the volumes that a driver makes.

import type { FieldViolation } from '#common/errors.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import type { NodeSpec, SliceSpec, VolumeSpec } from '#proto/pucp/slice/v1/slice.ts';
import { duplicates } from './check-names.ts';

const VOLUME_NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/i;
/** As many devices as every hypervisor has letters for, roughly. */
const MAX_VOLUMES = 16;
const MAX_GIB = 65_536;

/** The volumes of a node with the names they go by: `vm1-disk2` for the second of `vm1` that has none of its own. */
export function volumesOf(node: NodeSpec): VolumeSpec[] {
  return node.volumes.map((volume, index) => ({
    ...volume,
    name: volume.name || `${node.name}-disk${index + 1}`,
  }));
}

export function volumeResources(spec: SliceSpec): Resource[] {
  return spec.nodes
    .flatMap(volumesOf)
    .map(({ name, size, type }) =>
      Resource.fromPartial({ name, kind: { $case: 'volume', value: { spec: { size, type } } } }),
    );
}

export function* checkVolumes(spec: SliceSpec): Generator<FieldViolation> {
  const places = spec.nodes.flatMap((node, index) =>
    volumesOf(node).map((volume, position) => ({ volume, at: `nodes[${index}].volumes[${position}]` })),
  );
  const repeated = duplicates(places.map(({ volume }) => volume.name));
  for (const [index, { volume, at }] of places.entries()) {
    const first = places[repeated.get(index) ?? -1];
    if (!VOLUME_NAME.test(volume.name)) {
      const message = `"${volume.name}" is not a volume's name: letters, digits and inner dashes and dots, at most 63`;
      yield { field: `${at}.name`, message };
    } else if (first)
      yield { field: `${at}.name`, message: `"${volume.name}" is already the name of ${first.at}` };
    if (volume.size < 1 || volume.size > MAX_GIB) {
      yield { field: `${at}.size`, message: `is ${volume.size} GiB; use 1 to ${MAX_GIB}` };
    }
  }
  for (const [index, node] of spec.nodes.entries()) {
    if (node.volumes.length <= MAX_VOLUMES) continue;
    const message = `${node.volumes.length} are asked for, at most ${MAX_VOLUMES} are allowed for a node`;
    yield { field: `nodes[${index}].volumes`, message };
  }
}
