// A sandbox without delay and the real openstack driver on it, in one process, for hundreds of slices one after the other.
// Several lanes run side by side, since a fault of the sandbox strikes whoever calls.

import { randomUUID } from 'node:crypto';
import { silentLog } from '#common/log.ts';
import { createMetrics } from '#common/metrics.ts';
import type { Converged } from '#engine/converge.ts';
import type { Limits } from '#engine/environment.ts';
import type { Entry, Journal } from '#engine/journal.ts';
import { OnFailure } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { startSandbox } from '../../sandbox/openstack/server.ts';
import { createCloud } from '../../services/openstack/api/cloud.ts';
import { createCatalog } from '../../services/openstack/catalog.ts';
import { cloudSettings } from '../../services/openstack/cloud-config.ts';
import { readConfig } from '../../services/openstack/config.ts';
import { createSliceWorker } from '../../services/openstack/slice-work.ts';
import { assertLegal } from './journal.ts';
import { assertWorld, type Slice } from './world.ts';

/** Hours of patience, as a test has it. */
const LIMITS: Partial<Limits> = {
  stepMs: 20_000,
  unreachableMs: 10_000,
  lagMs: 300,
  doubtMs: 20,
  deleteAgainMs: 300,
  paceMs: { first: 5, max: 40 },
  backoffMs: { base: 4, max: 40 },
};

export type Work = {
  readonly desired: readonly Resource[];
  readonly onFailure?: OnFailure;
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
  /** Called before each entry is kept; what it throws is what the journal throws. */
  readonly onEntry?: (entry: Entry, count: number) => Promise<void> | void;
};

export type Lane = {
  /** A slice that nothing is there of. */
  slice(): LaneSlice;
  /** Adds a fault, as over REST. */
  fault(rule: object): Promise<void>;
  /** Takes all faults away; answers how often they struck. */
  clear(): Promise<number>;
  /** Calls so far that may have changed something. */
  writes(): number;
  /** Begins again with an empty cloud, after a failure that left something behind. */
  renew(): Promise<void>;
  close(): Promise<void>;
};

export type LaneSlice = Slice & {
  /** One worker's run, whose journal must be legal however it ends. */
  converge(work: Work): Promise<Converged>;
  /** Fails unless the sandbox holds what is wished of this slice, and nothing else at all. */
  assertWorld(desired: readonly Resource[]): void;
};

export async function startLane(): Promise<Lane> {
  let lane = await startOnce();
  return {
    slice: () => lane.slice(),
    fault: (rule) => lane.fault(rule),
    clear: () => lane.clear(),
    writes: () => lane.writes(),
    async renew() {
      await lane.close();
      lane = await startOnce();
    },
    close: () => lane.close(),
  };
}

async function startOnce(): Promise<Omit<Lane, 'renew'>> {
  const sandbox = await startSandbox({ port: 0, log: silentLog, buildDelayMs: 10, hypervisors: 20 });
  const config = readConfig({
    OPENSTACK_AUTH_URL: sandbox.authUrl,
    OPENSTACK_USERNAME: 'admin',
    OPENSTACK_PASSWORD: 'sandbox',
    OPENSTACK_PROJECT_NAME: 'admin',
    DATABASE_URL: 'postgres://nowhere/none',
    JWT_SECRET_KEY: 'a secret that only this test knows, long enough',
  });
  // Many failures in a row are what is wanted here: the breaker has tests of its own.
  const settings = { ...cloudSettings(config.cloud), breakerVolume: 100_000 };
  const cloud = createCloud(settings, { log: silentLog });
  const clients = cloud.project('home');
  const projectId = await clients.projectId({ signal: AbortSignal.timeout(30_000) });
  const catalog = createCatalog({ cloud, metrics: createMetrics('lane') });
  const tenancy = {
    clientsFor: async () => clients,
    ownerFilter: async () => () => true,
    ownerMark: async () => 'test.u1',
  };

  const journal = { append: async () => {}, trim: async () => {}, close: async () => {} };
  const deps = { cloud, config, catalog, tenancy, journal, log: silentLog };

  function slice(): LaneSlice {
    const scope = { sliceId: randomUUID(), sliceName: 'lab', userId: 'u1', username: 'ana' };
    const itself = { id: scope.sliceId, name: scope.sliceName };
    // As the driver knows it: whoever comes first finds nothing.
    let isFresh = true;
    return {
      ...itself,
      async converge({ desired, onFailure = OnFailure.ROLLBACK, limits, signal, onEntry }) {
        const entries: Entry[] = [];
        const around = (journal: Journal): Journal => ({
          async record(more) {
            for (const [index, entry] of more.entries()) await onEntry?.(entry, entries.length + index + 1);
            await journal.record(more);
            entries.push(...more);
          },
        });
        const worker = createSliceWorker({ ...deps, around, limits: { ...LIMITS, ...limits } });
        try {
          const context = { signal: signal ?? AbortSignal.timeout(60_000) };
          const work = { scope, projectId, desired, onFailure, isFresh };
          isFresh = false;
          return await worker.converge(work, context);
        } finally {
          assertLegal(entries);
        }
      },
      assertWorld: (desired) => assertWorld(sandbox, [{ ...itself, desired }]),
    };
  }

  const faults = `${sandbox.url}/_sandbox/faults`;
  return {
    slice,
    async fault(rule) {
      const answer = await fetch(faults, { method: 'POST', body: JSON.stringify(rule) });
      if (!answer.ok) throw new Error(await answer.text());
    },
    async clear() {
      const { faults: rules } = (await (await fetch(faults)).json()) as { faults: { hits: number }[] };
      await fetch(faults, { method: 'DELETE' });
      return rules.reduce((sum, { hits }) => sum + hits, 0);
    },
    writes() {
      const isWrite = ([call]: [string, number]) => !call.startsWith('GET') && !call.includes(' identity ');
      return Object.entries(sandbox.counts())
        .filter(isWrite)
        .reduce((sum, [, count]) => sum + count, 0);
    },
    async close() {
      cloud.close();
      await sandbox.close();
    },
  };
}
