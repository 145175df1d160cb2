// A law over many slices, told so that a failure can be seen again.

import fc from 'fast-check';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import type { Lane } from './lane.ts';
import type { Law } from './law.ts';

export type Exploration = {
  readonly runs: number;
  readonly failure:
    | undefined
    | { readonly error: unknown /** What the values were. */; readonly told: string; readonly path: string };
};

/** With `path`, the one run of the seed that it leads to. */
export async function explore(
  law: Law,
  lane: Lane,
  { seed, runs, path }: { readonly seed: number; readonly runs: number; readonly path?: string | undefined },
): Promise<Exploration> {
  const again = path === undefined ? {} : { path };
  const result = await fc.check(law(lane), { seed, numRuns: runs, endOnFailure: true, ...again });
  if (!result.failed) return { runs: result.numRuns, failure: undefined };
  const { errorInstance: error, counterexample, counterexamplePath } = result;
  return {
    runs: result.numRuns,
    failure: { error, told: told(counterexample), path: counterexamplePath ?? '' },
  };
}

/** Slices by what they hold, other values as they are. */
function told(values: unknown): string {
  return (Array.isArray(values) ? values : [])
    .map((value) => {
      if (!Array.isArray(value)) return JSON.stringify(value);
      return `[${(value as Resource[]).map(({ kind, name }) => `${kind?.$case} ${name}`).join(', ')}]`;
    })
    .join(' and ');
}
