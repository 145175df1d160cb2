// A law over slices at random, and what laws do with a slice: have it made, changed or removed by a worker that may be
// called off or killed at any entry of its journal.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Failure } from '#common/errors.ts';
import { compileSpec } from '#engine/spec/compile.ts';
import { Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, type Resource } from '#proto/pucp/driver/v1/resource.ts';
import type { Lane, LaneSlice, Work } from './lane.ts';
import { anySpec } from './specs.ts';

export type Law = (lane: Lane) => fc.IAsyncProperty<unknown>;

export const anyWish = anySpec.map((spec) => compileSpec(spec, { power: Power.ON }));
/** Where in a run: 0 is its beginning, 1 its end. */
export const anyMoment = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** Runs a law on a slice of its own, which is removed at the end: also that must leave nothing. */
export function law<T extends [unknown, ...unknown[]]>(
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  check: (around: { readonly lane: Lane; readonly slice: LaneSlice }, ...values: T) => Promise<void>,
): Law {
  return (lane) =>
    fc.asyncProperty(...arbitraries, async (...values: T) => {
      const slice = lane.slice();
      try {
        await check({ lane, slice }, ...values);
        await lane.clear();
        await mustConverge(slice, { desired: [] });
      } catch (error) {
        await lane.renew();
        throw error;
      }
    }) as fc.IAsyncProperty<unknown>;
}

export async function mustConverge(slice: LaneSlice, work: Work): Promise<void> {
  const { outcome, errorMessage } = await slice.converge(work);
  assert.equal(errorMessage, '');
  assert.equal(outcome, Outcome.CONVERGED);
  slice.assertWorld(work.desired);
}

/** A run that ends at the nth entry as if the process had been killed: what is on its way arrives, and nothing follows. */
export async function killedAt(slice: LaneSlice, work: Work, entry: number): Promise<void> {
  const killed = new AbortController();
  const onEntry: Work['onEntry'] = (_entry, count) => {
    if (count >= entry) killed.abort();
    if (killed.signal.aborted) throw new Failure({ code: 'CANCELLED', reason: 'KILLED', message: 'killed' });
  };
  await endsOrCancelled(slice.converge({ ...work, onEntry, signal: killed.signal }));
}

/** A run that is called off at the nth entry, and ends in order. */
export async function calledOffAt(slice: LaneSlice, work: Work, entry: number): Promise<void> {
  const off = new AbortController();
  const onEntry: Work['onEntry'] = (_entry, count) => {
    if (count === entry) off.abort();
  };
  await endsOrCancelled(slice.converge({ ...work, onEntry, signal: off.signal }));
}

export async function endsOrCancelled(run: Promise<unknown>): Promise<void> {
  await run.catch((error: unknown) => {
    if (!(error instanceof Failure) || (error.code !== 'CANCELLED' && error.code !== 'ABORTED')) throw error;
  });
}

/** Converges while another worker may still have calls under way, so that nothing can be said of the world yet. */
export async function mustSettle(slice: LaneSlice, desired: readonly Resource[]): Promise<void> {
  const { outcome, errorMessage } = await slice.converge({ desired });
  assert.equal(errorMessage, '');
  assert.equal(outcome, Outcome.CONVERGED);
}

/** Which entry of the journal of a wish's deployment, or of its removal, a moment is. */
export function entryAt(desired: readonly Resource[], moment: number): number {
  return 1 + Math.floor(moment * 2 * desired.length);
}
