// The slice service with a real database and a fake driver, as its tests use it.

import { type CallerRole, createIdentity } from '#common/caller.ts';
import { Secret } from '#common/config.ts';
import { silentLog } from '#common/log.ts';
import { type CallOptions, connect } from '#common/rpc-client.ts';
import { wait } from '#common/time.ts';
import { type DeepPartial, Infrastructure, type Slice, type SliceState } from '#proto/pucp/slice/v1/slice.ts';
import {
  CreateSliceRequest,
  type SliceEvent,
  SliceEventType,
  type SliceServiceServer,
  SliceServiceService,
} from '#proto/pucp/slice/v1/slice_service.ts';
import { testDatabaseUrl } from '../../../tests/support/database.ts';
import { readConfig } from '../config.ts';
import { type SliceSurroundings, startSlice } from '../service.ts';
import { startFakeDriver } from './fake-driver.ts';

export const SECRET = 'a secret of the tests, long enough to sign';
export const identity = createIdentity({ secret: new Secret(SECRET) });

const PATIENCE_MS = 30_000;
/** Nothing listens there. */
const NOWHERE = 'http://127.0.0.1:9';

export type Mesh = Awaited<ReturnType<typeof startMesh>>;
export type User = { readonly userId: string; readonly username: string; readonly role: CallerRole };

export const ANA: User = { userId: '7', username: 'ana', role: 'student' };
export const BOB: User = { userId: '8', username: 'bob', role: 'student' };
export const ADMIN: User = { userId: '1', username: 'admin', role: 'admin' };

export type MeshOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly surroundings?: SliceSurroundings;
};

/** A database, a driver and one replica; `replica` adds others. */
export async function startMesh({ env = {}, surroundings = {} }: MeshOptions = {}) {
  const databaseUrl = await testDatabaseUrl();
  let driver = await startFakeDriver({ identity });
  const { url: driverUrl } = driver;
  const fullEnv = {
    ENVIRONMENT: 'test',
    HOST: '127.0.0.1',
    SLICE_PORT: '0',
    SLICE_WORKERS: '4',
    DATABASE_URL: databaseUrl,
    JWT_SECRET_KEY: SECRET,
    AUTH_SERVICE_URL: NOWHERE,
    OPENSTACK_SERVICE_URL: driverUrl,
    ...env,
  };
  const closers: (() => Promise<void>)[] = [];
  const replica = async () => {
    const started = await startSlice(readConfig(fullEnv), silentLog, {
      sweepMs: 200,
      backoff: { baseMs: 50, maxMs: 200 },
      ...surroundings,
    });
    const client = connect<SliceServiceServer>(SliceServiceService, `http://127.0.0.1:${started.port}`);
    const close = async () => {
      client.close();
      await started.close();
    };
    closers.push(close);
    return { ...started, client, close };
  };
  const { client } = await replica();
  return {
    client,
    replica,
    /** As a process would read it. */
    env: fullEnv,
    driver: () => driver,
    /** Ends the driver; what it held in memory is lost with it. */
    stopDriver: () => driver.close(),
    async restartDriver() {
      driver = await startFakeDriver({ identity, port: Number(new URL(driverUrl).port) });
      return driver;
    },
    async [Symbol.asyncDispose]() {
      driver.release();
      for (const close of closers.splice(0).reverse()) await close();
      await driver.close();
    },
  };
}

/** The options of a call by a user. */
export async function as(user: User, options: CallOptions = {}): Promise<CallOptions> {
  return { token: await identity.sign(user, { ttlS: 600 }), requestId: 'request-1', ...options };
}

/** A request for a slice of one node on one network, with changes. */
export function request(changes: DeepPartial<CreateSliceRequest> = {}): CreateSliceRequest {
  return CreateSliceRequest.fromPartial({
    name: 'lab',
    infrastructure: Infrastructure.OPENSTACK,
    nodes: [{ name: 'vm1', image: 'ubuntu-20.04', flavor: 'small' }],
    networks: [{ name: 'lan', cidr: '192.168.100.0/24' }],
    ...changes,
  });
}

/** Looks until it is as wished; fails with what was seen last. */
export async function until<T>(look: () => Promise<T> | T, isWished: (seen: T) => boolean): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (isWished(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`still not as wished: ${JSON.stringify(seen)}`);
    await wait(20);
  }
}

/** The slice once it is in a state. */
export async function untilState(mesh: Pick<Mesh, 'client'>, id: string, state: SliceState): Promise<Slice> {
  const options = await as(ADMIN);
  return until(
    () => mesh.client.getSlice({ id }, options),
    (slice) => slice.status === state,
  );
}

/** Follows a slice until it is deleted, and returns its whole history. */
export async function untilDeleted(mesh: Pick<Mesh, 'client'>, id: string): Promise<SliceEvent[]> {
  const options = await as(ADMIN, { timeoutMs: PATIENCE_MS });
  const events: SliceEvent[] = [];
  for await (const event of mesh.client.watchSlice({ id, after: 0 }, options)) events.push(event);
  return events;
}

/** The states that a history went through, each once in a row. */
export function statesOf(events: readonly SliceEvent[]): SliceState[] {
  return events
    .filter((event) => event.type === SliceEventType.STATE)
    .map((event) => event.status)
    .filter((state, index, all) => state !== all[index - 1]);
}
