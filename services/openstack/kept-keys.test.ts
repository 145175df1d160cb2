import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKeptKey } from './kept-keys.ts';

const METADATA = { created_by: 'pucp-orchestrator', slice_id: 'lab', vm_name: 'vm1', ports_2: 'vm1-eth9' };

test('what a slice’s server was asked for is kept, what users add is not', () => {
  const deployed = { metadata: METADATA, tags: ['pucp-slice:lab', 'pucp-owner:0f3a9c11.42'] };
  for (const key of Object.keys(METADATA)) assert(isKeptKey(deployed, key), key);
  assert(!isKeptKey(deployed, 'course'));
});

test('an instance made by hand keeps only who made it and where it is listed', () => {
  const single = { metadata: METADATA, tags: ['pucp-owner:0f3a9c11.42'] };
  assert(isKeptKey(single, 'created_by') && isKeptKey(single, 'slice_id'));
  assert(!isKeptKey(single, 'vm_name') && !isKeptKey(single, 'image'));
});
