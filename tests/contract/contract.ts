// What the contract suite runs on: the openstack service in this process, over gRPC, against a sandbox of its own or, with
// CONTRACT_CLOUD=env, against the cloud that OPENSTACK_* or OS_* name. The cloud itself is looked at with an administrator's
// eyes, and at the end everything that the run made is removed and looked for once more.

import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { type CallerRole, createIdentity } from '#common/caller.ts';
import { Secret } from '#common/config.ts';
import { Failure } from '#common/errors.ts';
import { silentLog } from '#common/log.ts';
import { type Client, connect } from '#common/rpc-client.ts';
import { wait } from '#common/time.ts';
import {
  type OpenstackServiceServer,
  OpenstackServiceService,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { startSandbox } from '../../sandbox/openstack/server.ts';
import { type Cloud, createCloud } from '../../services/openstack/api/cloud.ts';
import type { CallContext } from '../../services/openstack/api/settings.ts';
import { cloudSettings } from '../../services/openstack/cloud-config.ts';
import { type OpenstackConfig, readConfig } from '../../services/openstack/config.ts';
import { removeProject } from '../../services/openstack/project-contents.ts';
import { emptyProject } from '../../services/openstack/project-emptying.ts';
import { startOpenstack } from '../../services/openstack/service.ts';
import { testDatabaseUrl } from '../support/database.ts';

export type ContractUser = {
  readonly userId: string;
  readonly username: string;
  readonly options: { readonly token: string; readonly timeoutMs: number };
};

export type Contract = {
  readonly client: Client<OpenstackServiceServer>;
  readonly url: string;
  readonly config: OpenstackConfig;
  /** What a process of its own is to be started with, to find the same database and cloud. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A user nobody had before. */
  user(role?: CallerRole): Promise<ContractUser>;
  /** The cloud as its administrator sees it. */
  readonly cloud: Cloud;
  readonly within: CallContext;
  /** A name that nothing had before. */
  name(stem: string): string;
  /** Calls of the sandbox so far; empty on another cloud. */
  counts(): Record<string, number>;
  /** A second replica on the same database. */
  another(): Promise<{ readonly url: string; close(): Promise<void> }>;
  close(): Promise<void>;
};

export const isRealCloud = process.env.CONTRACT_CLOUD === 'env';
const SECRET = 'a secret of the contract suite, long enough';

export type ContractOptions = {
  /** What the service is to be configured with instead. The cloud is looked at as before. */
  readonly changes?: (config: OpenstackConfig) => Partial<OpenstackConfig>;
};

export async function startContract(options: ContractOptions = {}): Promise<Contract> {
  const sandbox = isRealCloud
    ? undefined
    : await startSandbox({
        port: 0,
        log: silentLog,
        buildDelayMs: 100,
      });
  const environment = await contractEnvironment(sandbox?.authUrl);
  const usual = readConfig(environment);
  const config = { ...usual, ...options.changes?.(usual) };
  const service = await startOpenstack(config, silentLog);
  const url = `http://127.0.0.1:${service.port}`;
  const client = connect<OpenstackServiceServer>(OpenstackServiceService, url);
  const identity = createIdentity({ secret: new Secret(SECRET) });
  const cloud = createCloud(cloudSettings(usual.cloud), { log: silentLog });
  const within = { signal: AbortSignal.timeout(600_000) };
  const run = randomBytes(4).toString('hex');
  const users: ContractUser[] = [];

  return {
    client,
    url,
    config,
    environment,
    cloud,
    within,
    name: (stem) => `ct-${run}-${stem}`,
    counts: () => sandbox?.counts() ?? {},
    async user(role = 'student') {
      const username = `ct-${run}-${users.length}`;
      const userId = randomUUID();
      const token = await identity.sign({ userId, username, role }, { ttlS: 3600 });
      const user = { userId, username, options: { token, timeoutMs: 120_000 } };
      users.push(user);
      return user;
    },
    async another() {
      const replica = await startOpenstack(config, silentLog);
      return { url: `http://127.0.0.1:${replica.port}`, close: replica.close };
    },
    async close() {
      try {
        client.close();
        await service.close();
        await removeAll(cloud, run, within);
      } finally {
        cloud.close();
        await sandbox?.close();
      }
    },
  };
}

async function contractEnvironment(
  sandboxUrl: string | undefined,
): Promise<Readonly<Record<string, string | undefined>>> {
  const cloud =
    sandboxUrl === undefined
      ? process.env
      : {
          OPENSTACK_AUTH_URL: sandboxUrl,
          OPENSTACK_USERNAME: 'admin',
          OPENSTACK_PASSWORD: 'sandbox',
          OPENSTACK_PROJECT_NAME: 'admin',
          OPENSTACK_REGION_NAME: 'RegionOne',
        };
  return {
    ...cloud,
    DATABASE_URL: await testDatabaseUrl(),
    OPENSTACK_PORT: '0',
    HOST: '127.0.0.1',
    ENVIRONMENT: 'test',
    JWT_SECRET_KEY: SECRET,
    // Nobody answers there: revocations are not this suite's subject.
    AUTH_SERVICE_URL: 'http://127.0.0.1:9',
  };
}

/** Everything of this run: its projects bear the users' names, and those begin with the run's. */
async function removeAll(cloud: Cloud, run: string, within: CallContext): Promise<void> {
  const { keystone } = cloud.project('home');
  const ours = async () => {
    const projects = await keystone.listProjects({}, within);
    return projects.filter(({ name }) => name.includes(`ct-${run}-`));
  };
  const removals = (await ours()).map(async ({ id }) => {
    await emptyProject(cloud, id, within);
    await removeProject(cloud, id, within);
  });
  await Promise.all(removals);
  assert.deepEqual(await ours(), [], 'the run left projects behind');
}

/** Asks again until the answer is true; fails after two minutes. */
export async function until(isTrue: () => Promise<boolean>, what = 'the condition'): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await isTrue())) {
    if (Date.now() > deadline) assert.fail(`${what} did not come true within two minutes`);
    await wait(isRealCloud ? 500 : 20);
  }
}

/** The failure that a call ends with. */
export async function failureOf(call: Promise<unknown>, what = 'the call'): Promise<Failure> {
  const error = await call.then(
    () => assert.fail(`${what} succeeded`),
    (caught: unknown) => caught,
  );
  assert(error instanceof Failure, String(error));
  return error;
}
