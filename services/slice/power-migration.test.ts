import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '#common/config.ts';
import { openDatabase } from '#common/database.ts';
import { silentLog } from '#common/log.ts';
import { testDatabaseUrl } from '../../tests/support/database.ts';
import { migrations } from './migrations/all.ts';
import { restartOfAll } from './power.ts';
import { type SliceRow, toSliceRow } from './rows.ts';

test('a restart that was under way before nodes had a power of their own is one of all nodes', async () => {
  const url = new Secret(await testDatabaseUrl());
  const open = (count?: number) =>
    openDatabase({ url, schema: 'slice', migrations: migrations.slice(0, count), log: silentLog });
  const before = await open(migrations.findIndex(({ name }) => name === '004-time-and-power'));
  const id = '00000000-0000-4000-8000-000000000001';
  await before('slices').insert({
    id,
    user_id: '7',
    username: 'ana',
    role: 'student',
    name: 'lab',
    spec: JSON.stringify({ nodes: [{ name: 'vm1' }, { name: 'vm2' }] }),
    status: 'SLICE_STATE_RESTARTING',
    goal: 'restarting',
    total_vcpus: 0,
    total_ram: 0,
    total_disk: 0,
    request_id: 'request-1',
    created_at: new Date(0),
    updated_at: new Date(0),
  });
  await before.destroy();
  const after = await open();
  try {
    const found = await after<SliceRow>('slices').where({ id }).first();
    assert.ok(found);
    const row = toSliceRow(found);
    assert.deepEqual(row.node_power, restartOfAll(row.spec));
    assert.deepEqual([row.start_at, row.expires_at, row.renewals], [null, null, 0]);
  } finally {
    await after.destroy();
  }
});
