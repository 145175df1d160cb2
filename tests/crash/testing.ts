// Laws as tests: a fixed seed, so that a test that passed passes again; `npm run crash` looks further.

import { describe, test } from 'node:test';
import fc from 'fast-check';
import { startLane } from './lane.ts';
import type { Law } from './law.ts';

const SEED = 4;
const RUNS = 28;
/** Mostly waiting, and long only where others keep the machine busy. */
const TIMEOUT_MS = 900_000;

/** A test of each law, a few side by side, as most of their time is waiting. */
export function testLaws(
  title: string,
  laws: Readonly<Record<string, Law>>,
  runs: Readonly<Record<string, number>> = {},
): void {
  describe(title, { concurrency: 3 }, () => {
    for (const [name, law] of Object.entries(laws)) {
      test(`the cloud ends as it was wished after ${name}`, { timeout: TIMEOUT_MS }, async () => {
        const lane = await startLane();
        try {
          await fc.assert(law(lane), { seed: SEED, numRuns: runs[name] ?? RUNS, endOnFailure: true });
        } finally {
          await lane.close();
        }
      });
    }
  });
}
