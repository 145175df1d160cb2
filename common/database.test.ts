import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabaseUrl } from '../tests/support/database.ts';
import { Secret } from './config.ts';
import { type Migration, openDatabase } from './database.ts';
import { silentLog } from './log.ts';

const migrations: Migration[] = [
  {
    name: '001-things',
    async up(knex) {
      await knex.schema.createTable('things', (table) => table.increments('id'));
    },
  },
];

test('a schema is migrated once, also by several replicas at once and after one was killed in the middle', async () => {
  const url = new Secret(await testDatabaseUrl());
  const open = () => openDatabase({ url, schema: 'auth', migrations, log: silentLog });
  const [one, two] = await Promise.all([open(), open()]);
  await one('things').insert({});
  // What a migration killed in the middle leaves: knex's own lock row.
  await one.raw('update auth.knex_migrations_lock set is_locked = 1');
  const three = await open();
  assert.equal((await three('things').count({ count: '*' }))[0]?.count, '1');
  await Promise.all([one.destroy(), two.destroy(), three.destroy()]);
});

test('a database that does not answer is named as such', async () => {
  const url = new Secret('postgres://nobody:secret@127.0.0.1:1/none');
  const opening = openDatabase({ url, schema: 'auth', migrations, log: silentLog, patienceMs: 0 });
  await assert.rejects(opening, { reason: 'DATABASE_UNREACHABLE', message: /DATABASE_URL/ });
});
