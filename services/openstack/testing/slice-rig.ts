// A slice worker on a sandbox of its own, or on the cloud that OPENSTACK_* name when CONTRACT_CLOUD=env, and the wish of
// a small lab. What is made lies in the configured project.

import { randomBytes, randomUUID } from 'node:crypto';
import { silentLog } from '#common/log.ts';
import { createMetrics } from '#common/metrics.ts';
import type { Converged } from '#engine/converge.ts';
import type { Limits, Report } from '#engine/environment.ts';
import type { Plan } from '#engine/plan.ts';
import { OnFailure } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, Resource } from '#proto/pucp/driver/v1/resource.ts';
import { type Sandbox, startSandbox } from '../../../sandbox/openstack/server.ts';
import { type Cloud, createCloud, type ProjectClients } from '../api/cloud.ts';
import { createCatalog } from '../catalog.ts';
import { cloudSettings } from '../cloud-config.ts';
import { readConfig } from '../config.ts';
import type { DriverDeps } from '../driver.ts';
import { createSliceWorker, type SliceWorkDeps, type SliceWorker } from '../slice-work.ts';

export type Rig = {
  readonly cloud: Cloud;
  readonly clients: ProjectClients;
  readonly sandbox: Sandbox | undefined;
  readonly sliceName: string;
  converge(
    desired: readonly Resource[],
    options?: ConvergeOptions,
  ): Promise<Converged & { reports: Report[] }>;
  /** What `converge` would do. */
  plan(desired: readonly Resource[]): Promise<Plan>;
  observe(): Promise<Resource[]>;
  /** What a driver is made with, but for its memory. */
  readonly deps: Omit<DriverDeps, 'fences' | 'journal'>;
  /** A worker as another process has it. */
  another(): SliceWorker;
  close(): Promise<void>;
};

export type ConvergeOptions = {
  readonly onFailure?: OnFailure;
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
  readonly report?: () => void;
};

export const isRealCloud = process.env.CONTRACT_CLOUD === 'env';

const noJournal: SliceWorkDeps['journal'] = {
  append: async () => {},
  trim: async () => {},
  close: async () => {},
};

export type RigOptions = { readonly buildDelayMs?: number; readonly journal?: SliceWorkDeps['journal'] };

export async function startRig({ buildDelayMs = 100, journal = noJournal }: RigOptions = {}): Promise<Rig> {
  const sandbox = isRealCloud ? undefined : await startSandbox({ port: 0, log: silentLog, buildDelayMs });
  const config = readConfig({
    ...(sandbox
      ? {
          OPENSTACK_AUTH_URL: sandbox.authUrl,
          OPENSTACK_USERNAME: 'admin',
          OPENSTACK_PASSWORD: 'sandbox',
          OPENSTACK_PROJECT_NAME: 'admin',
        }
      : process.env),
    DATABASE_URL: 'postgres://nowhere/none',
    JWT_SECRET_KEY: 'a secret that only this test knows, long enough',
  });
  const cloud = createCloud(cloudSettings(config.cloud), { log: silentLog });
  const clients = cloud.project('home');
  const projectId = await clients.projectId({ signal: AbortSignal.timeout(30_000) });
  const scope = {
    sliceId: randomUUID(),
    sliceName: `rig-${randomBytes(3).toString('hex')}`,
    userId: 'u1',
    username: 'ana',
  };

  const catalog = createCatalog({ cloud, metrics: createMetrics('rig') });
  const place = { projectId, projectName: 'admin', clients };
  const tenancy = {
    place: async () => place,
    findPlace: async () => place,
    clientsFor: async () => clients,
    ownerFilter: async () => () => true,
    exists: async () => true,
    ownerMark: async () => 'test.u1',
  };
  const worker = (limits: Partial<Limits>) =>
    createSliceWorker({
      cloud,
      config,
      log: silentLog,
      limits,
      catalog,
      tenancy,
      journal,
    });

  return {
    cloud,
    clients,
    sandbox,
    sliceName: scope.sliceName,
    deps: {
      catalog,
      cloud,
      config,
      home: clients,
      worker: worker({}),
      tenancy,
    },
    another: () => worker({}),
    async converge(desired, { onFailure = OnFailure.KEEP, limits = {}, signal, report } = {}) {
      const reports: Report[] = [];
      const work = { scope, projectId, desired, onFailure };
      const context = { signal: signal ?? AbortSignal.timeout(300_000) };
      const result = await worker(limits).converge(work, context, {
        report(one) {
          reports.push(one);
          report?.();
        },
      });
      return { ...result, reports };
    },
    plan: (desired) =>
      worker({}).plan({ scope, projectId, desired, isNew: false }, { signal: AbortSignal.timeout(60_000) }),
    observe: () => worker({}).observe({ scope, projectId }, { signal: AbortSignal.timeout(60_000) }),
    async close() {
      cloud.close();
      await sandbox?.close();
    },
  };
}

export type Lab = {
  readonly nodes: number;
  readonly networks?: number;
  readonly isRouted?: boolean;
  readonly flavor?: string;
  readonly power?: Power;
};

/** Nodes that are on every network, the first of which a router connects to the outside. */
export function labOf({
  nodes,
  networks = 1,
  isRouted = false,
  flavor = 'm1.tiny',
  power = Power.ON,
}: Lab): Resource[] {
  const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
  const nets = range(networks).flatMap((n) => [
    Resource.fromPartial({ name: `net${n}`, kind: { $case: 'network', value: { spec: {} } } }),
    Resource.fromPartial({
      name: `net${n}`,
      kind: {
        $case: 'subnet',
        value: {
          spec: {
            network: `net${n}`,
            cidr: `192.168.${100 + n}.0/24`,
            gatewayIp: `192.168.${100 + n}.1`,
            dnsServers: ['8.8.8.8'],
            dhcp: true,
          },
        },
      },
    }),
  ]);
  const routers = [
    Resource.fromPartial({ name: 'router', kind: { $case: 'router', value: { spec: { external: true } } } }),
    Resource.fromPartial({
      name: 'net0',
      kind: { $case: 'routerInterface', value: { spec: { router: 'router', subnet: 'net0' } } },
    }),
  ];
  const servers = range(nodes).flatMap((node) => [
    ...range(networks).map((n) =>
      Resource.fromPartial({
        name: `vm${node}-net${n}`,
        kind: { $case: 'port', value: { spec: { network: `net${n}`, subnet: `net${n}` } } },
      }),
    ),
    Resource.fromPartial({
      name: `vm${node}`,
      kind: {
        $case: 'server',
        value: {
          spec: { image: 'cirros', flavor, power, ports: range(networks).map((n) => `vm${node}-net${n}`) },
        },
      },
    }),
  ]);
  return [...nets, ...(isRouted ? routers : []), ...servers];
}
