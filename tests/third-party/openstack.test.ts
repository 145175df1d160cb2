// The `openstack` client from Debian, which no one here wrote, takes the sandbox for the cloud that was recorded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingClient } from './client.ts';
import { compareSandbox } from './sandbox-half.ts';

test('the openstack client gets the same exit codes, messages and shapes from the sandbox as from a real cloud', {
  skip: missingClient(),
}, async () => {
  const { answers, left, fresh, gone } = await compareSandbox();
  assert.deepEqual(fresh, [], 'differences that differences.json does not list');
  assert.deepEqual(gone, [], 'differences.json lists what differs no longer');
  assert.deepEqual(left, [], 'nothing is left behind');
  assert(answers.length >= 60, `${answers.length} commands`);
});
