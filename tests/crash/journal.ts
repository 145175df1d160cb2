// What a journal must not say: that something ended which was not begun, that it was begun twice at once, or that it was
// made twice although nothing had failed.

import assert from 'node:assert/strict';
import type { Entry } from '#engine/journal.ts';

/** Fails unless the entries of one worker's run are legal. What is open at the end is what the run was cut off in. */
export function assertLegal(entries: readonly Entry[]): void {
  const open = new Set<string>();
  const made = new Map<string, string>();
  for (const { step, phase, cloudId } of entries) {
    if (phase === 'begin') {
      assert(!open.has(step), `${step} was begun twice at once`);
      open.add(step);
      continue;
    }
    assert(open.delete(step), `${step} ended before it was begun`);
    if (phase === 'done' && step.startsWith('create ')) {
      assert.notEqual(cloudId, '', `${step} is done, and nobody knows what it made`);
      assert(!made.has(cloudId), `${step} was done twice`);
      made.set(cloudId, step);
    }
  }
}
