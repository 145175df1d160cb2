// Puts the openstack service together and starts it.

import { once } from 'node:events';
import { createCache } from '#common/cache.ts';
import { createIdentity } from '#common/caller.ts';
import { type Knex, openDatabase } from '#common/database.ts';
import type { HealthReport } from '#common/health.ts';
import type { Log } from '#common/log.ts';
import { createMetrics } from '#common/metrics.ts';
import { followRevocations } from '#common/revocations.ts';
import { service, startRpcServer } from '#common/rpc-server.ts';
import { type DriverServiceServer, DriverServiceService } from '#proto/pucp/driver/v1/driver_service.ts';
import {
  type ComputeServiceServer,
  ComputeServiceService,
} from '#proto/pucp/openstack/v1/compute_service.ts';
import {
  type IdentityServiceServer,
  IdentityServiceService,
} from '#proto/pucp/openstack/v1/identity_service.ts';
import { type ImagesServiceServer, ImagesServiceService } from '#proto/pucp/openstack/v1/images_service.ts';
import {
  type NetworkingServiceServer,
  NetworkingServiceService,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import {
  type OpenstackServiceServer,
  OpenstackServiceService,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import {
  type StorageServiceServer,
  StorageServiceService,
} from '#proto/pucp/openstack/v1/storage_service.ts';
import { createCloud } from './api/cloud.ts';
import type { KeystoneProject } from './api/keystone.ts';
import { createCatalog } from './catalog.ts';
import { cloudSettings } from './cloud-config.ts';
import { observeCloud } from './cloud-metrics.ts';
import type { OpenstackConfig } from './config.ts';
import { createDriver, validateSpec } from './driver.ts';
import { createFences } from './fences.ts';
import { openstackHandlers } from './handlers/all.ts';
import { computeHandlers } from './handlers/compute.ts';
import { identityHandlers } from './handlers/identity.ts';
import { imagesHandlers } from './handlers/images.ts';
import { networkingHandlers } from './handlers/networking.ts';
import { storageHandlers } from './handlers/storage.ts';
import { type CloudWatch, watchCloud } from './health.ts';
import { startJanitor } from './janitor.ts';
import { createJournalStore } from './journal-store.ts';
import { createKeystoneProjects } from './keystone-projects.ts';
import { createLateLooks } from './late-looks.ts';
import { migrations } from './migrations/all.ts';
import { createProjectChanges } from './project-changes.ts';
import { createSliceDeployer } from './slice-deployer.ts';
import { createSliceStore } from './slice-store.ts';
import { createSliceWorker } from './slice-work.ts';
import { createStore } from './store.ts';
import { createTenancy } from './tenancy.ts';
import { createUploadSweeper } from './uploads.ts';
import { createVolumeTypes } from './volume-types.ts';

/** No maker of a project takes this long: whoever began it before is gone. */
const ABANDONED_S = 600;

/** Starts the service on the configured port. Rejects if the database does not answer or the port is taken; a cloud that
 * does not answer is no reason, since it may come back. */
export async function startOpenstack(
  config: OpenstackConfig,
  log: Log,
): Promise<{ port: number; close(): Promise<void> }> {
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const close of closers.reverse()) await close();
  };
  try {
    const metrics = createMetrics('openstack');
    const knex = await openDatabase({
      url: config.databaseUrl,
      schema: 'openstack',
      migrations,
      log,
      poolMax: config.databasePool,
    });
    closers.push(() => knex.destroy());
    const store = createStore(knex);
    const identity = createIdentity({
      secret: config.jwtSecret,
      isRevoked: (caller) => revocations.isRevoked(caller),
    });
    const revocations = followRevocations({ authUrl: config.authServiceUrl, identity, log });
    closers.push(() => revocations.close());

    const cloud = createCloud(cloudSettings(config.cloud), { log, ...observeCloud(metrics, config.cloud) });
    closers.push(() => cloud.close());
    const { authUrl, regionName = '' } = config.cloud;
    const watch = watchCloud({ cloud, authUrl, region: regionName });
    closers.push(() => watch.close());
    const catalog = createCatalog({ cloud, metrics });
    const volumeTypes = createVolumeTypes({ cloud, metrics });
    const projects = createKeystoneProjects({
      cloud,
      store,
      log,
      role: config.projectRole,
      quotas: config.quotas,
    });
    const known = createCache<KeystoneProject>({ name: 'projects', max: 1000, ttlMs: 60_000, metrics });
    const tenancy = createTenancy({ mode: config.tenancy, cloud, store, projects, known });

    const journal = createJournalStore(knex, config.journal);
    const worker = createSliceWorker({
      catalog,
      config,
      cloud,
      tenancy,
      log,
      journal,
      limits: { replacements: config.replacements },
      inFlight: config.inFlight,
    });
    const fences = createFences(knex);
    const lateLooks = createLateLooks({ fences, worker, tenancy, log });
    const offers = { catalog, tenancy, config, home: cloud.project('home') };
    const slices = createSliceStore(knex);
    const deployer = createSliceDeployer({
      store: slices,
      converge: worker.converge,
      exists: tenancy.exists,
      log,
      onLeft: () => janitor.poke(),
    });
    const uploads = createUploadSweeper({ cloud, tenancy });
    const janitor = startJanitor({
      log,
      chores: [
        deployer.recover,
        lateLooks.sweep,
        (signal) => projects.sweep(ABANDONED_S, { signal }),
        (signal) => uploads.sweep({ signal }),
        journal.sweep,
      ],
    });
    closers.push(() => janitor.close());

    const handlers = openstackHandlers({
      cloud,
      tenancy,
      catalog,
      config,
      deployer,
      validate: (wish, context) => validateSpec(offers, wish, context),
      findSlice: slices.findSlice,
      isManaged: fences.has,
    });
    const changes = createProjectChanges({ cloud, store, slices, tenancy, log });
    const server = await startRpcServer({
      name: 'openstack',
      host: config.host,
      port: config.port,
      services: [
        service<OpenstackServiceServer>(OpenstackServiceService, handlers),
        service<NetworkingServiceServer>(
          NetworkingServiceService,
          networkingHandlers({ cloud, tenancy, catalog, config }),
        ),
        service<ImagesServiceServer>(
          ImagesServiceService,
          imagesHandlers({ cloud, tenancy, catalog, config }),
        ),
        service<StorageServiceServer>(
          StorageServiceService,
          storageHandlers({ cloud, tenancy, catalog, config, volumeTypes }),
        ),
        service<IdentityServiceServer>(
          IdentityServiceService,
          identityHandlers({ cloud, tenancy, catalog, config, changes }),
        ),
        service<ComputeServiceServer>(
          ComputeServiceService,
          computeHandlers({ cloud, tenancy, catalog, config }),
        ),
        service<DriverServiceServer>(
          DriverServiceService,
          createDriver({ ...offers, cloud, worker, fences, journal, onLate: () => janitor.poke() }),
        ),
      ],
      identity,
      log,
      metrics,
      health: () => healthOf(knex, watch),
    });
    closers.push(() => server.close());
    return { port: server.port, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Ready without a cloud: then every rpc says so, which is more help than no answer. */
async function healthOf(knex: Knex, watch: CloudWatch): Promise<HealthReport> {
  const [isDatabaseUp, { cloud, breakers }] = await Promise.all([isAnswering(knex), watch.health()]);
  return {
    ready: isDatabaseUp,
    details: { database: isDatabaseUp ? 'ok' : 'unreachable', cloud, breakers },
  };
}

/** A pool waits long for a connection; health does not. */
async function isAnswering(knex: Knex): Promise<boolean> {
  const late = AbortSignal.timeout(800);
  return await Promise.race([
    knex.raw('select 1').then(
      () => true,
      () => false,
    ),
    once(late, 'abort').then(() => false),
  ]);
}
