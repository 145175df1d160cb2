import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type AuthServiceServer,
  AuthServiceService,
  type ListRevocationsResponse,
} from '#proto/pucp/auth/v1/auth_service.ts';
import { ANONYMOUS, createIdentity } from './caller.ts';
import { Secret } from './config.ts';
import { silentLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { followRevocations } from './revocations.ts';
import { type Handlers, service, startRpcServer } from './rpc-server.ts';
import { wait } from './time.ts';

const identity = createIdentity({ secret: new Secret('a secret of the tests that is longer than 32 bytes') });
const caller = { ...ANONYMOUS, userId: '7', username: 'ana', tokenId: 'token-1', issuedAtS: 1_000 };
const NOTHING: ListRevocationsResponse = { tokenIds: [], users: [] };

/** An auth that knows revocations only. */
async function startLists(port: number, answer: () => ListRevocationsResponse) {
  const absent = async () => {
    throw new Error('not part of this test');
  };
  const handlers: Handlers<AuthServiceServer> = {
    login: absent,
    register: absent,
    validate: absent,
    logout: absent,
    listUsers: absent,
    updateUser: absent,
    listRevocations: async () => answer(),
  };
  return startRpcServer({
    name: 'auth',
    host: '127.0.0.1',
    port,
    services: [service<AuthServiceServer>(AuthServiceService, handlers)],
    identity,
    log: silentLog,
    metrics: createMetrics('auth'),
    health: async () => ({ ready: true }),
  });
}

function follow(t: TestContext, port: number, log = silentLog) {
  const options = { authUrl: `http://127.0.0.1:${port}`, identity, log, everyMs: 20 };
  const revocations = followRevocations(options);
  t.after(() => revocations.close());
  return revocations;
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isSo()) {
    assert.ok(Date.now() < deadline, 'it came true in time');
    await wait(10);
  }
}

test('a token that auth revoked is refused, and let in again when auth forgets it', async (t) => {
  let answer = NOTHING;
  const auth = await startLists(0, () => answer);
  t.after(() => auth.close());
  const revocations = follow(t, auth.port);
  assert.equal(revocations.isRevoked(caller), false);
  answer = { tokenIds: ['token-1'], users: [] };
  await until(() => revocations.isRevoked(caller));
  assert.equal(revocations.isRevoked({ ...caller, tokenId: 'token-2' }), false);
  answer = NOTHING;
  await until(() => !revocations.isRevoked(caller));
});

test("a user's tokens from before a change are refused, later ones and other people's are not", async (t) => {
  const auth = await startLists(0, () => ({ tokenIds: [], users: [{ userId: '7', issuedBefore: 1_001 }] }));
  t.after(() => auth.close());
  const revocations = follow(t, auth.port);
  await until(() => revocations.isRevoked(caller));
  assert.equal(revocations.isRevoked({ ...caller, issuedAtS: 1_001 }), false);
  assert.equal(revocations.isRevoked({ ...caller, userId: '8' }), false);
});

test('while auth is away the last answer holds, and is renewed when auth is back', async (t) => {
  let answer: ListRevocationsResponse = { tokenIds: ['token-1'], users: [] };
  const first = await startLists(0, () => answer);
  const log = silentLog.child({});
  let warnings = 0;
  log.warn = () => {
    warnings++;
  };
  const revocations = follow(t, first.port, log);
  await until(() => revocations.isRevoked(caller));
  await first.close();
  await until(() => warnings > 0);
  assert.equal(revocations.isRevoked(caller), true);
  answer = { tokenIds: ['token-2'], users: [] };
  const second = await startLists(first.port, () => answer);
  t.after(() => second.close());
  await until(() => revocations.isRevoked({ ...caller, tokenId: 'token-2' }));
  assert.equal(revocations.isRevoked(caller), false);
});
