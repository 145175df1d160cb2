import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuthServiceServer, AuthServiceService } from '#proto/pucp/auth/v1/auth_service.ts';
import { type DriverServiceServer, DriverServiceService } from '#proto/pucp/driver/v1/driver_service.ts';
import { createIdentity } from './caller.ts';
import { Secret } from './config.ts';
import { Failure } from './errors.ts';
import { silentLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { connect } from './rpc-client.ts';
import { type Handlers, service, startRpcServer } from './rpc-server.ts';
import { wait } from './time.ts';

const identity = createIdentity({ secret: new Secret('a secret of the tests, long enough to sign') });
const unused = async () => {
  throw new Error('the cause that nobody outside may read');
};

async function startAuthLike(handlers: Partial<Handlers<AuthServiceServer>>) {
  const all = Object.fromEntries(Object.keys(AuthServiceService).map((name) => [name, unused]));
  const server = await startRpcServer({
    name: 'auth',
    host: '127.0.0.1',
    port: 0,
    services: [
      service<AuthServiceServer>(AuthServiceService, { ...all, ...handlers } as Handlers<AuthServiceServer>),
    ],
    identity,
    log: silentLog,
    metrics: createMetrics('auth'),
    health: async () => ({ ready: false, details: { reason: 'test' } }),
  });
  const client = connect<AuthServiceServer>(AuthServiceService, `http://127.0.0.1:${server.port}`);
  return {
    client,
    url: `http://127.0.0.1:${server.port}`,
    async [Symbol.asyncDispose]() {
      client.close();
      await server.close();
    },
  };
}

test('one port answers curl and gRPC', async () => {
  await using running = await startAuthLike({
    login: async ({ username }) => ({ token: username, user: undefined, expiresIn: 1 }),
  });
  const health = await fetch(`${running.url}/health`);
  assert.equal(health.status, 200);
  assert.deepEqual(Object.keys((await health.json()) as object), [
    'status',
    'service',
    'timestamp',
    'reason',
  ]);
  assert.equal((await fetch(`${running.url}/ready`)).status, 503);
  assert.match(await (await fetch(`${running.url}/metrics`)).text(), /process_cpu_seconds_total/);
  assert.equal((await running.client.login({ username: 'ana', password: '' })).token, 'ana');
});

test('a failure arrives with its code, reason, violations, metadata and delay', async () => {
  await using running = await startAuthLike({
    login: async () => {
      throw new Failure({
        code: 'RESOURCE_EXHAUSTED',
        reason: 'ACCOUNT_LOCKED',
        message: 'Account locked. Try again in 15 minutes: ñ',
        retryAfterS: 900,
        metadata: { used: '5' },
        violations: [{ field: 'username', message: 'is locked' }],
      });
    },
  });
  const error = await running.client.login({ username: '', password: '' }).catch((caught: unknown) => caught);
  assert(error instanceof Failure);
  assert.equal(error.code, 'RESOURCE_EXHAUSTED');
  assert.equal(error.reason, 'ACCOUNT_LOCKED');
  assert.equal(error.message, 'Account locked. Try again in 15 minutes: ñ');
  assert.equal(error.retryAfterS, 900);
  assert.equal(error.retryable, false);
  assert.deepEqual(error.metadata, { used: '5' });
  assert.deepEqual(error.violations, [{ field: 'username', message: 'is locked' }]);
});

test('a token that has ended keeps nobody from logging in', async () => {
  await using running = await startAuthLike({
    login: async (_, { caller }) => ({ token: caller.role, user: undefined, expiresIn: 1 }),
  });
  const answer = await running.client.login({ username: 'ana', password: '' }, { token: 'an old one' });
  assert.equal(answer.token, 'guest');
});

test('a bug says nothing of itself', async () => {
  await using running = await startAuthLike({});
  await assert.rejects(running.client.login({ username: '', password: '' }), {
    code: 'INTERNAL',
    message: 'Internal error',
  });
});

test('a rule lets in whom it names and no one else', async () => {
  await using running = await startAuthLike({
    listUsers: async () => ({ users: [], nextPageToken: '' }),
    listRevocations: async () => ({ tokenIds: [], users: [] }),
  });
  const tokenOf = (role: 'admin' | 'student', actor?: string) =>
    identity.sign({ userId: '1', username: 'ana', role }, { ttlS: 60, ...(actor ? { actor } : {}) });
  const list = async (token: string) => running.client.listUsers({ pageSize: 0, pageToken: '' }, { token });
  await assert.rejects(list(''), { code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' });
  await assert.rejects(list('nonsense'), { code: 'UNAUTHENTICATED', reason: 'TOKEN_INVALID' });
  await assert.rejects(list(await tokenOf('student')), { code: 'PERMISSION_DENIED' });
  assert.deepEqual((await list(await tokenOf('admin'))).users, []);
  const admin = await tokenOf('admin');
  await assert.rejects(running.client.listRevocations({}, { token: admin }), { code: 'PERMISSION_DENIED' });
  const acting = await tokenOf('student', 'slice');
  assert.deepEqual((await running.client.listRevocations({}, { token: acting })).tokenIds, []);
});

test('an expired token says so', async () => {
  const expired = await identity.sign({ userId: '1', username: 'ana', role: 'admin' }, { ttlS: -60 });
  await assert.rejects(identity.verify(expired), { code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' });
});

test('a token signed with another key is refused', async () => {
  const other = createIdentity({ secret: new Secret('another secret of the tests, long enough') });
  const forged = await other.sign({ userId: '1', username: 'ana', role: 'admin' }, { ttlS: 60 });
  await assert.rejects(identity.verify(forged), { reason: 'TOKEN_INVALID' });
});

test('leaving a stream ends the work behind it', async () => {
  const ended = Promise.withResolvers<void>();
  async function* endless(_: unknown, { signal }: { signal: AbortSignal }) {
    try {
      for (;;) {
        yield { percent: 1, message: '', event: undefined };
        await wait(5, signal);
      }
    } finally {
      ended.resolve();
    }
  }
  const none = async () => assert.fail('not called');
  const server = await startRpcServer({
    name: 'driver',
    host: '127.0.0.1',
    port: 0,
    services: [
      service<DriverServiceServer>(DriverServiceService, {
        validate: none,
        plan: none,
        observe: none,
        listJournal: none,
        getCapacity: none,
        converge: endless,
      }),
    ],
    identity,
    log: silentLog,
    metrics: createMetrics('driver'),
    health: async () => ({ ready: true }),
  });
  const client = connect<DriverServiceServer>(DriverServiceService, `http://127.0.0.1:${server.port}`);
  const token = await identity.sign(
    { userId: '1', username: 'ana', role: 'student' },
    { ttlS: 60, actor: 'slice' },
  );
  let seen = 0;
  for await (const event of client.converge(
    { scope: undefined, desired: [], onFailure: 'ON_FAILURE_KEEP', fence: 1 },
    { token },
  )) {
    assert.equal(event.percent, 1);
    if (++seen === 3) break;
  }
  await ended.promise;
  client.close();
  await server.close();
});

test('a service that is not there is unavailable, with a delay to try again', async () => {
  const client = connect<AuthServiceServer>(AuthServiceService, 'http://127.0.0.1:1');
  await assert.rejects(client.login({ username: '', password: '' }), { code: 'UNAVAILABLE', retryAfterS: 2 });
  client.close();
});
