// Puts the slice service together and starts it.

import { randomUUID } from 'node:crypto';
import { createIdentity } from '#common/caller.ts';
import { openDatabase } from '#common/database.ts';
import type { HealthReport } from '#common/health.ts';
import type { Log } from '#common/log.ts';
import { createMetrics } from '#common/metrics.ts';
import { followRevocations } from '#common/revocations.ts';
import { service, startRpcServer } from '#common/rpc-server.ts';
import { type SliceServiceServer, SliceServiceService } from '#proto/pucp/slice/v1/slice_service.ts';
import { createAuditStore } from './audit-store.ts';
import type { SliceConfig } from './config.ts';
import { createDriftChecker } from './drift-checker.ts';
import { createDriftStore } from './drift-store.ts';
import { connectDrivers, type Drivers } from './drivers.ts';
import { sliceHandlers } from './handlers.ts';
import { createHistoryStore } from './history-store.ts';
import { startHistorySweep } from './history-sweep.ts';
import { createLifetimeStore } from './lifetime-store.ts';
import { startLifetimeTimer } from './lifetime-timer.ts';
import { migrations } from './migrations/all.ts';
import { listen } from './notifications.ts';
import { openQueue } from './queue.ts';
import { createReconciler } from './reconciler.ts';
import { createReservations } from './reservations.ts';
import { CHANNEL } from './rows.ts';
import { createStore, type Store } from './store.ts';
import { createWorkStore } from './work-store.ts';
import { startWorkers } from './workers.ts';

/** What a test may choose; the clock and an unhurried pace if not given. */
export type SliceSurroundings = {
  readonly now?: () => number;
  readonly sweepMs?: number;
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number };
};

/** Starts the slice service. Rejects if the database does not answer or the port is taken. */
export async function startSlice(
  config: SliceConfig,
  log: Log,
  { now = Date.now, sweepMs = 2_000, backoff = { baseMs: 1_000, maxMs: 30_000 } }: SliceSurroundings = {},
): Promise<{ port: number; close(): Promise<void> }> {
  const { databaseUrl: url } = config;
  // Closed in the opposite order, also when the start fails half-way.
  const closers: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const one of closers.splice(0).reverse()) await one();
  };
  try {
    const knex = await openDatabase({ url, schema: 'slice', migrations, log, poolMax: config.databasePool });
    closers.push(() => knex.destroy());
    const queue = await openQueue({ url, log });
    closers.push(queue.close);
    const notifications = listen({ url, channel: CHANNEL, log });
    closers.push(notifications.close);

    const signer = createIdentity({ secret: config.jwtSecret });
    const revocations = followRevocations({ authUrl: config.authServiceUrl, identity: signer, log });
    closers.push(revocations.close);
    const identity = createIdentity({ secret: config.jwtSecret, isRevoked: revocations.isRevoked });
    const drivers = connectDrivers(config.driverUrls, signer);
    closers.push(drivers.close);

    const metrics = createMetrics('slice');
    const store = createStore(knex, { queue, now });
    const workStore = createWorkStore(knex, { now });
    const reconciler = createReconciler({ store: workStore, drivers, notifications, log, metrics, backoff });
    const drifts = createDriftStore(knex, { now, random: Math.random, intervalS: config.checkIntervalS });
    const checker = createDriftChecker({
      store,
      drifts,
      workStore,
      drivers,
      notifications,
      log,
      metrics,
      now,
      newId: randomUUID,
      mostAtOnce: Math.ceil(config.workers / 2),
    });
    const workers = await startWorkers({
      queue,
      store: workStore,
      drifts,
      checker,
      reconciler,
      concurrency: config.workers,
      sweepMs,
      log,
    });
    closers.push(workers.close);
    const history = createHistoryStore(knex, { ...config.history, now });
    const sweep = startHistorySweep(history, log);
    closers.push(sweep.close);
    const lifetimes = createLifetimeStore(knex, { now, limits: config.lifetime });
    const reservations = createReservations(knex, { now });
    const deployment = { store, reservations, drivers };
    const timer = startLifetimeTimer({ lifetimes, deployment, now, newId: randomUUID, sweepMs, log });
    closers.push(timer.close);

    const closing = new AbortController();
    const handlers = sliceHandlers({
      store,
      queue,
      history,
      audit: createAuditStore(knex, { now }),
      checker,
      drivers,
      reservations,
      notifications,
      specLimits: config.specLimits,
      userLimits: config.userLimits,
      lifetimes,
      lifetimeLimits: config.lifetime,
      now,
      newId: randomUUID,
      closing: closing.signal,
    });
    const server = await startRpcServer({
      name: 'slice',
      host: config.host,
      port: config.port,
      services: [service<SliceServiceServer>(SliceServiceService, handlers)],
      identity,
      log,
      metrics,
      health: () => healthOf(store, drivers),
    });
    closers.push(async () => {
      closing.abort();
      await server.close();
    });
    return { port: server.port, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function healthOf(store: Store, drivers: Drivers): Promise<HealthReport> {
  const ready = await store.ping().then(
    () => true,
    () => false,
  );
  const names = drivers.configured.map((one) => one.name);
  return { ready, details: { database: ready ? 'ok' : 'unreachable', drivers: names } };
}
