import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { silentLog } from '#common/log.ts';
import { followRevocations } from '#common/revocations.ts';
import { wait } from '#common/time.ts';
import { Role } from '#proto/pucp/auth/v1/user.ts';
import { testDatabaseUrl } from '../../tests/support/database.ts';
import { type RunningAuth, runAuth, settled } from './testing.ts';

function follow(t: TestContext, auth: RunningAuth) {
  const authUrl = `http://127.0.0.1:${auth.port}`;
  const revocations = followRevocations({ authUrl, identity: auth.identity, log: silentLog, everyMs: 50 });
  t.after(() => revocations.close());
  return revocations;
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, 'it came true in time');
    await wait(20);
  }
}

test('every process hears of a logout and of a changed account', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const revocations = follow(t, auth);
  const [one, two] = await Promise.all([1, 2].map(() => auth.token('testuser', 'testpass123')));
  const first = await auth.identity.verify(one ?? '');
  const second = await auth.identity.verify(two ?? '');
  await auth.client.logout({}, { token: first.token });
  await until(() => revocations.isRevoked(first));
  assert.equal(revocations.isRevoked(second), false);

  const admin = { token: await auth.token('admin', 'admin123') };
  await auth.client.updateUser({ id: second.userId, role: Role.GUEST }, admin);
  await until(() => revocations.isRevoked(second));
  const third = await auth.identity.verify(await auth.token('testuser', 'testpass123'));
  assert.equal(revocations.isRevoked(third), false);
});

test('a logout at one replica counts at the other, and after a restart', async (t) => {
  const url = await testDatabaseUrl();
  const [here, there] = [await runAuth(t, url), await runAuth(t, url)];
  const token = await here.token('testuser', 'testpass123');
  await there.client.validate({}, { token });
  await here.client.logout({}, { token });
  const isVoid = async (auth: RunningAuth) =>
    (await settled(auth.client.validate({}, { token }))) instanceof Error;
  assert.equal(await isVoid(here), true);
  await until(() => isVoid(there));
  await here.close();
  assert.equal(await isVoid(await runAuth(t, url)), true);
});

test('a revoked token is forgotten when it would have expired', async (t) => {
  let clock = Date.now();
  const auth = await runAuth(t, await testDatabaseUrl(), { tokenTtlS: 3_600, now: () => clock });
  await auth.client.logout({}, { token: await auth.token('testuser', 'testpass123') });
  const user = { userId: '0', username: 'test', role: 'guest' } as const;
  const token = await auth.identity.sign(user, { ttlS: 60, actor: 'test' });
  assert.equal((await auth.client.listRevocations({}, { token })).tokenIds.length, 1);
  clock += 7_200_000;
  assert.equal((await auth.client.listRevocations({}, { token })).tokenIds.length, 0);
});

test('auth tells over HTTP that it lives, is ready, and how logins end', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  await auth.token('testuser', 'testpass123');
  await settled(auth.token('testuser', 'wrong1'));
  const get = (path: string) => fetch(`http://127.0.0.1:${auth.port}${path}`);
  const health = (await (await get('/health')).json()) as Record<string, unknown>;
  assert.deepEqual([health.status, health.service, health.database], ['healthy', 'auth', 'ok']);
  assert.equal((await get('/ready')).status, 200);
  const metrics = await (await get('/metrics')).text();
  assert.match(metrics, /auth_logins_total\{.*outcome="right".*\} 1/);
  assert.match(metrics, /auth_logins_total\{.*outcome="wrong".*\} 1/);
});
