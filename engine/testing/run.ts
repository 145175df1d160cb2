// One run of `converge` on a fake cloud in virtual time, and what a law says of its end.

import assert from 'node:assert/strict';
import { silentLog } from '#common/log.ts';
import { OnFailure } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { type Converged, converge } from '../converge.ts';
import { type Clock, DEFAULT_LIMITS, IN_FLIGHT, type Limits, type Report } from '../environment.ts';
import { createGate, type Gate } from '../gate.ts';
import { createMemoryJournal, type Entry } from '../journal.ts';
import { keyOf } from '../kind.ts';
import type { FakeCloud } from './fake-cloud.ts';

export type RunOptions = {
  readonly cloud: FakeCloud;
  readonly clock: Clock;
  readonly desired: readonly Resource[];
  readonly onFailure?: OnFailure;
  readonly isFresh?: boolean;
  readonly signal?: AbortSignal;
  readonly limits?: Partial<Limits>;
  /** For runs beside each other; one of its own if absent. */
  readonly gate?: Gate;
};

export type Ran = Converged & { readonly reports: readonly Report[]; readonly entries: readonly Entry[] };

export async function run(options: RunOptions): Promise<Ran> {
  const reports: Report[] = [];
  const journal = createMemoryJournal();
  const result = await converge(
    {
      desired: options.desired,
      onFailure: options.onFailure ?? OnFailure.KEEP,
      isFresh: options.isFresh ?? false,
    },
    {
      scope: { sliceId: 's1', sliceName: 'lab', userId: 'u1', username: 'ana' },
      kinds: options.cloud.kinds,
      journal,
      log: silentLog,
      clock: options.clock,
      random: () => 0.5,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      gate: options.gate ?? createGate(IN_FLIGHT),
      report: (report) => reports.push(report),
      signal: options.signal ?? new AbortController().signal,
    },
  );
  return { ...result, reports, entries: journal.entries };
}

/** Everything wished for is there once, ready, and nothing else is. */
export function assertEqualWorld(cloud: FakeCloud, desired: readonly Resource[]): void {
  const world = cloud.world();
  assert.deepEqual(world.map(({ resource }) => keyOf(resource)).sort(), desired.map(keyOf).sort());
  for (const { resource } of world) assert.equal(resource.message, '', `${keyOf(resource)} is not ready`);
}
