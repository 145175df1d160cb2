// A fresh database for each test that asks. The server is DATABASE_URL's, as the test runner set it, or one that the
// first test of a process starts and the process ends.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { silentLog } from '#common/log.ts';
import { startEmbeddedPostgres } from '../../scripts/embedded-postgres.ts';

let server: Promise<string> | undefined;

/** The connection string of a new, empty database. */
export async function testDatabaseUrl(): Promise<string> {
  server ??= findServer();
  const url = new URL(await server);
  const name = `test_${randomBytes(6).toString('hex')}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  url.pathname = `/${name}`;
  return url.href;
}

async function findServer(): Promise<string> {
  if (process.env.TEST_DATABASE_URL) return process.env.TEST_DATABASE_URL;
  const folder = mkdtempSync(join(tmpdir(), 'pucp-test-database-'));
  const postgres = await startEmbeddedPostgres({
    dataDir: join(folder, 'postgres'),
    log: silentLog,
    durable: false,
  });
  process.once('exit', () => {
    process.kill(postgres.pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return postgres.url;
}
