import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { Role } from '#proto/pucp/auth/v1/user.ts';
import { testDatabaseUrl } from '../../tests/support/database.ts';
import { hashPassword } from './passwords.ts';
import { openQueries, runAuth, settled } from './testing.ts';

const MINUTE_MS = 60_000;
const WRONG = { code: 'UNAUTHENTICATED', reason: 'INVALID_CREDENTIALS', message: 'Invalid credentials' };

test('a demo user signs in and gets a token that says who it is', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl(), { tokenTtlS: 7_200 });
  const answer = await auth.client.login({ username: 'TestUser', password: 'testpass123' });
  assert.equal(answer.expiresIn, 7_200);
  assert.equal(answer.user?.username, 'testuser');
  assert.equal(answer.user?.role, Role.STUDENT);
  assert.ok(answer.user?.lastLogin);
  const caller = await auth.identity.verify(answer.token);
  assert.deepEqual(
    [caller.username, caller.userId, caller.role, caller.actor],
    ['testuser', answer.user?.id, 'student', undefined],
  );
  const claims = JSON.parse(Buffer.from(answer.token.split('.')[1] ?? '', 'base64url').toString());
  assert.equal(claims.exp - claims.iat, 7_200);
  assert.match(claims.user_id, /^\d+$/);
});

test('two logins get two tokens', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const tokens = await Promise.all([1, 2].map(() => auth.token('testuser', 'testpass123')));
  assert.notEqual(tokens[0], tokens[1]);
});

test('a missing name or password is named, a wrong one is not', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  for (const [username, password, fields] of [
    ['', '', ['username', 'password']],
    ['testuser', '', ['password']],
    ['', 'x', ['username']],
  ] as const) {
    const failure = await settled(auth.client.login({ username, password }));
    assert.ok(failure instanceof Failure);
    assert.equal(failure.code, 'INVALID_ARGUMENT');
    assert.equal(failure.message, 'Username and password required');
    assert.deepEqual(
      failure.violations.map(({ field }) => field),
      fields,
    );
  }
  for (const username of [
    'testuser',
    'nobody',
    'no such name',
    'nul\0byte',
    "' or 1=1 --",
    'x'.repeat(5_000),
  ])
    await assert.rejects(auth.client.login({ username, password: 'wrong1' }), WRONG);
});

test('five wrong passwords lock the name for 15 minutes, whether anyone has it or not', async (t) => {
  let clock = Date.now();
  const auth = await runAuth(t, await testDatabaseUrl(), { now: () => clock });
  for (const username of ['testuser', 'nobody']) {
    const attempt = (password: string) => auth.client.login({ username, password });
    for (let i = 0; i < 5; i++) await assert.rejects(attempt(`wrong${i}`), WRONG);
    const refused = await settled(attempt('testpass123'));
    assert.ok(refused instanceof Failure);
    assert.deepEqual(
      [refused.code, refused.reason, refused.message],
      ['RESOURCE_EXHAUSTED', 'ACCOUNT_LOCKED', 'Account locked. Try again in 15 minutes'],
    );
    assert.equal(refused.retryAfterS, 900);
  }
  clock += 14 * MINUTE_MS + 1;
  await assert.rejects(auth.token('testuser', 'testpass123'), {
    message: 'Account locked. Try again in 1 minute',
    retryAfterS: 60,
  });
  clock += MINUTE_MS;
  await assert.rejects(auth.token('testuser', 'wrong again'), WRONG);
  await auth.token('testuser', 'testpass123');
  await assert.rejects(auth.token('nobody', 'testpass123'), WRONG);
});

test('no more than five wrong passwords are tried however many are sent at once', async (t) => {
  const url = await testDatabaseUrl();
  // Two replicas share the database, as an attacker may find out.
  const replicas = [await runAuth(t, url), await runAuth(t, url)];
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      settled(
        replicas[i % 2]?.client.login({ username: 'testuser', password: `wrong${i}` }) ?? Promise.reject(),
      ),
    ),
  );
  const reasons = answers.map((answer) => (answer instanceof Failure ? answer.reason : 'let in'));
  assert.equal(reasons.filter((reason) => reason === 'INVALID_CREDENTIALS').length, 5);
  assert.equal(reasons.filter((reason) => reason === 'ACCOUNT_LOCKED').length, 35);
});

test('many logins at once with the right password are all let in', async (t) => {
  const url = await testDatabaseUrl();
  const replicas = [await runAuth(t, url), await runAuth(t, url)];
  await assert.rejects(replicas[0]?.token('testuser', 'wrong1') ?? Promise.resolve(), WRONG);
  const tokens = await Promise.all(
    Array.from({ length: 20 }, (_, i) => replicas[i % 2]?.token('testuser', 'testpass123')),
  );
  assert.equal(new Set(tokens).size, 20);
});

test('the right password wipes out the wrong ones before it', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 4; i++) await assert.rejects(auth.token('testuser', 'wrong1'), WRONG);
    await auth.token('testuser', 'testpass123');
  }
});

test('a password hashed at another cost is hashed anew at the next login', async (t) => {
  const url = await testDatabaseUrl();
  const auth = await runAuth(t, url);
  const query = await openQueries(t, url);
  const old = await hashPassword('testpass123', { memoryKib: 8_192, passes: 1, parallelism: 1 });
  await query(`update auth.users set password_hash = ? where username = 'testuser'`, [old]);
  await assert.rejects(auth.token('testuser', 'wrong1'), WRONG);
  await auth.token('testuser', 'testpass123');
  const [row] = await query(`select password_hash from auth.users where username = 'testuser'`);
  assert.match(String(row?.password_hash), /m=19456,t=2,p=1/);
  await auth.token('testuser', 'testpass123');
});

test('the audit trail tells who signed in, failed and was locked, and holds no secrets', async (t) => {
  const url = await testDatabaseUrl();
  const auth = await runAuth(t, url);
  const options = { requestId: 'request-7' };
  await auth.client.login({ username: 'testuser', password: 'testpass123' }, options);
  for (let i = 0; i < 6; i++) {
    await settled(auth.client.login({ username: 'testuser', password: 'hunter2x' }, options));
    await settled(auth.client.login({ username: 'sesame-my-password', password: 'hunter2x' }, options));
  }
  const query = await openQueries(t, url);
  const rows = await query('select * from auth.audit_log order by id');
  const count = (action: string, isKnown: boolean) =>
    rows.filter((row) => row.action === action && (row.user_id !== null) === isKnown).length;
  assert.deepEqual(
    ['login', 'login_failed', 'login_locked'].map((action) => [count(action, true), count(action, false)]),
    [
      [1, 0],
      [5, 5],
      [1, 1],
    ],
  );
  assert.ok(
    rows.every((row) => row.request_id === 'request-7' && String(row.ip_address).includes('127.0.0.1')),
  );
  assert.doesNotMatch(JSON.stringify(rows), /testpass123|hunter2x|sesame|argon2|eyJ/);
});
