// Puts auth together and starts it.

import { createIdentity } from '#common/caller.ts';
import { openDatabase } from '#common/database.ts';
import type { HealthReport } from '#common/health.ts';
import type { Log } from '#common/log.ts';
import { createMetrics } from '#common/metrics.ts';
import { service, startRpcServer } from '#common/rpc-server.ts';
import { type AuthServiceServer, AuthServiceService } from '#proto/pucp/auth/v1/auth_service.ts';
import type { AuthConfig } from './config.ts';
import { prepareFirstAccounts } from './first-accounts.ts';
import { createFirstAccountsStore } from './first-accounts-store.ts';
import { authHandlers } from './handlers.ts';
import { migrations } from './migrations/all.ts';
import { watchOwnRevocations } from './own-revocations.ts';
import { createStore, type Store } from './store.ts';
import { createTurns } from './turns.ts';

/** What a test may step or listen to; the clock and stdout if not given. */
export type AuthSurroundings = {
  readonly now?: () => number;
  readonly print?: (line: string) => void;
};

/** Starts auth on the configured port. Rejects if the database does not answer or the port is taken. */
export async function startAuth(
  config: AuthConfig,
  log: Log,
  { now = Date.now, print = (line) => process.stdout.write(`${line}\n`) }: AuthSurroundings = {},
): Promise<{ port: number; close(): Promise<void> }> {
  const knex = await openDatabase({
    url: config.databaseUrl,
    schema: 'auth',
    migrations,
    log,
    poolMax: config.databasePool,
  });
  const store = createStore(knex, now);
  const revocations = watchOwnRevocations(store, log);
  const end = async () => {
    revocations.close();
    await knex.destroy();
  };
  try {
    await prepareFirstAccounts({
      store: createFirstAccountsStore(knex, now),
      isDemo: config.hasDemoUsers,
      adminPassword: config.adminPassword,
      print,
      log,
    });
    await revocations.reload();
    const metrics = createMetrics('auth');
    const identity = createIdentity({ secret: config.jwtSecret, isRevoked: revocations.isRevoked });
    const handlers = authHandlers({
      store,
      identity,
      revocations,
      turns: createTurns(),
      metrics,
      ttlS: config.tokenTtlS,
      isDemo: config.hasDemoUsers,
      now,
    });
    const server = await startRpcServer({
      name: 'auth',
      host: config.host,
      port: config.port,
      services: [service<AuthServiceServer>(AuthServiceService, handlers)],
      identity,
      log,
      metrics,
      health: () => healthOf(store),
    });
    return {
      port: server.port,
      async close() {
        await server.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function healthOf(store: Store): Promise<HealthReport> {
  const ready = await store.ping().then(
    () => true,
    () => false,
  );
  return { ready, details: { database: ready ? 'ok' : 'unreachable' } };
}
