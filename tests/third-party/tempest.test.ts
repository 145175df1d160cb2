// OpenStack's own integration tests, which no one here wrote, take the sandbox for the cloud that was recorded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tempestOnSandbox } from './sandbox-half.ts';
import { missingTempest } from './tempest.ts';

test('tempest’s tests come to the same on the sandbox as on a real cloud', {
  skip: missingTempest(),
}, async () => {
  const { outcomes, reasons, left, fresh, gone } = await tempestOnSandbox();
  const told = fresh.map((difference) => ({ ...difference, why: reasons.get(difference.command) }));
  assert.deepEqual(told, [], 'differences that tempest-differences.json does not list');
  assert.deepEqual(gone, [], 'tempest-differences.json lists what differs no longer');
  assert.deepEqual(left, [], 'nothing is left behind');
  assert(Object.keys(outcomes).length >= 100, `${Object.keys(outcomes).length} tests`);
});
