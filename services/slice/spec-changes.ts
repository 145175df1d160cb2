// What one spec means after another: whether they differ, what may not change, and what a change is undone to. Pure.

import type { FieldViolation } from '#common/errors.ts';
import { volumesOf } from '#engine/spec/volumes.ts';
import { type Infrastructure, SliceSpec } from '#proto/pucp/slice/v1/slice.ts';

export function isSameSpec(one: SliceSpec, other: SliceSpec): boolean {
  return Buffer.compare(SliceSpec.encode(one).finish(), SliceSpec.encode(other).finish()) === 0;
}

/** What `next` may not change of specs that the cloud may hold. */
export function* checkChange(next: SliceSpec, held: readonly SliceSpec[]): Generator<FieldViolation> {
  const [before] = held;
  if (before && next.infrastructure !== before.infrastructure) {
    const message = `cannot change: the slice runs on ${wordOf(before.infrastructure)}; make a new slice instead`;
    yield { field: 'infrastructure', message };
  }
  const sizes = volumeSizes(held);
  for (const [index, node] of next.nodes.entries()) {
    for (const [position, { name, size }] of volumesOf(node).entries()) {
      const actual = sizes.get(name) ?? 0;
      if (size >= actual) continue;
      const message = `is ${size} GiB, but "${name}" has ${actual} and a volume never shrinks: leave it at ${actual}, or name a new volume`;
      yield { field: `nodes[${index}].volumes[${position}].size`, message };
    }
  }
}

/** The spec before a change that failed. Volumes that the change let grow, or began to, stay as large. */
export function undoneSpec(before: SliceSpec, failed: SliceSpec): SliceSpec {
  const sizes = volumeSizes([before, failed]);
  const nodes = before.nodes.map((node) => {
    const names = volumesOf(node).map(({ name }) => name);
    const volumes = node.volumes.map((volume, index) => ({
      ...volume,
      size: sizes.get(names[index] ?? '') ?? volume.size,
    }));
    return { ...node, volumes };
  });
  return { ...before, nodes };
}

/** By name, the largest size. */
function volumeSizes(specs: readonly SliceSpec[]): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { name, size } of specs.flatMap(({ nodes }) => nodes.flatMap(volumesOf))) {
    sizes.set(name, Math.max(size, sizes.get(name) ?? 0));
  }
  return sizes;
}

function wordOf(infrastructure: Infrastructure): string {
  return infrastructure.replace('INFRASTRUCTURE_', '').toLowerCase();
}
