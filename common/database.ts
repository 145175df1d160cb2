// PostgreSQL through knex: a pool per process, a schema per service, and its numbered, forward-only migrations.

import createKnex, { type Knex } from 'knex';
import type { Secret } from './config.ts';
import { Failure } from './errors.ts';
import type { Log } from './log.ts';
import { wait } from './time.ts';

export type { Knex };

/** One step of a schema's history; `name` sorts by its number, such as `001-users`. Never changed once released. */
export type Migration = { readonly name: string; up(knex: Knex): Promise<void> };

export type DatabaseOptions = {
  readonly url: Secret;
  /** The service's own schema; tables are found in it by their bare names. */
  readonly schema: string;
  readonly migrations: readonly Migration[];
  readonly log: Log;
  /** At least 3: a migration holds its lock on a connection of its own. */
  readonly poolMax?: number;
  /** How long to wait for a database that is still starting. */
  readonly patienceMs?: number;
};

const QUERY_MS = 120_000;

/** Connects, brings the schema up to date (one replica at a time) and returns the pool. */
export async function openDatabase(options: DatabaseOptions): Promise<Knex> {
  const { url, schema, migrations, log, poolMax = 10, patienceMs = 30_000 } = options;
  const knex = createKnex({
    client: 'pg',
    connection: {
      connectionString: url.reveal(),
      application_name: `pucp-${schema}`,
      // A server that vanished without a word is noticed.
      query_timeout: QUERY_MS,
      keepAlive: true,
    },
    searchPath: [schema],
    pool: { min: 0, max: poolMax },
    // knex writes to the console otherwise; what fails is thrown, and logged by who catches it.
    log: {
      warn: (message) => log.debug({ knex: message }, 'knex'),
      error: (message) => log.debug({ knex: message }, 'knex'),
    },
  });
  try {
    await untilReachable(knex, log, patienceMs);
    await migrate(knex, schema, migrations);
    return knex;
  } catch (error) {
    await knex.destroy();
    throw error;
  }
}

async function untilReachable(knex: Knex, log: Log, patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      await knex.raw('select 1');
      return;
    } catch (cause) {
      if (Date.now() >= deadline) {
        throw new Failure({
          code: 'UNAVAILABLE',
          reason: 'DATABASE_UNREACHABLE',
          message: 'PostgreSQL does not answer: check DATABASE_URL and that the server runs',
          cause,
        });
      }
      log.warn({ cause }, 'waiting for the database');
      await wait(500);
    }
  }
}

// A killed migration leaves knex's own lock row set for ever. An advisory lock ends with its connection; who holds it may
// clear the row.
async function migrate(knex: Knex, schema: string, migrations: readonly Migration[]): Promise<void> {
  const config: Knex.MigratorConfig = {
    schemaName: schema,
    migrationSource: {
      getMigrations: async () => [...migrations],
      getMigrationName: (migration: Migration) => migration.name,
      getMigration: async (migration: Migration) => ({ up: migration.up, down: refuse }),
    },
  };
  await knex.transaction(async (lock) => {
    await lock.raw('select pg_advisory_xact_lock(hashtext(?))', [`pucp-migrations-${schema}`]);
    await knex.raw('create schema if not exists ??', [schema]);
    await knex.migrate.forceFreeMigrationsLock(config);
    await knex.migrate.latest(config);
  });
}

async function refuse(): Promise<void> {
  throw new Error('migrations only go forward');
}
