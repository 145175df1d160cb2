import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { Role } from '#proto/pucp/auth/v1/user.ts';
import { testDatabaseUrl } from '../../tests/support/database.ts';
import { openQueries, type RunningAuth, runAuth, settled } from './testing.ts';

const ANA = { username: 'Ana.Q', password: 'contrasena1', email: 'Ana@pucp.edu.pe' };
const KEEP = { role: Role.UNSPECIFIED, isActive: undefined };
const TAKEN = { code: 'ALREADY_EXISTS', message: 'Username or email already exists' };
const VOID = { code: 'UNAUTHENTICATED', reason: 'TOKEN_REVOKED' };

async function asAdmin(auth: RunningAuth) {
  return { token: await auth.token('admin', 'admin123') };
}

test('whoever registers is a student with a lower-case name and can sign in', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const { message, user } = await auth.client.register(ANA);
  assert.equal(message, 'User registered successfully');
  assert.deepEqual(
    [user?.username, user?.email, user?.role, user?.isActive, user?.lastLogin],
    ['ana.q', 'Ana@pucp.edu.pe', Role.STUDENT, true, undefined],
  );
  const token = await auth.token('ANA.q', ANA.password);
  assert.equal((await auth.identity.verify(token)).role, 'student');
});

test('a registration hears of all its mistakes at once', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const failure = await settled(
    auth.client.register({ username: 'a b', password: '12345', email: 'nobody' }),
  );
  assert.ok(failure instanceof Failure);
  assert.equal(failure.code, 'INVALID_ARGUMENT');
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['username', 'password', 'email'],
  );
  for (const [field, wrong] of [
    ['username', ['', 'ab', 'x'.repeat(65), 'ñandu', 'a/b/c', 'nul\0l']],
    ['password', ['', 'abcdef', '123456', 'abc12', `a1${'x'.repeat(255)}`]],
    ['email', ['', 'a@b', '@b.pe', 'a b@c.pe', 'a@b@c.pe', `${'x'.repeat(250)}@b.pe`, 'a\0@b.pe']],
  ] as const) {
    for (const value of wrong) {
      const answer = await settled(auth.client.register({ ...ANA, [field]: value }));
      assert.ok(answer instanceof Failure, `${field} "${value}" is refused`);
      assert.deepEqual(
        answer.violations.map((violation) => violation.field),
        [field],
      );
    }
  }
});

test('older clients may say that they register a student; nobody may register anything else', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const { user } = await auth.client.register({ ...ANA, role: Role.STUDENT });
  assert.equal(user?.role, Role.STUDENT);
  const asAdmin = { ...ANA, username: 'other', email: 'other@pucp.edu.pe', role: Role.ADMIN };
  await assert.rejects(auth.client.register(asAdmin), {
    code: 'INVALID_ARGUMENT',
    message: /role: cannot be chosen/,
  });
});

test('a name or an address is given once, in whatever case and however many ask at once', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const answers = await Promise.all(Array.from({ length: 8 }, () => settled(auth.client.register(ANA))));
  const refused = answers.filter((answer) => answer instanceof Failure);
  assert.equal(refused.length, 7);
  for (const { code, reason } of refused) assert.deepEqual([code, reason], ['ALREADY_EXISTS', 'USER_EXISTS']);
  await assert.rejects(auth.client.register({ ...ANA, username: 'other' }), TAKEN);
  await assert.rejects(auth.client.register({ ...ANA, username: 'other', email: 'ANA@PUCP.EDU.PE' }), TAKEN);
  await assert.rejects(
    auth.client.register({ ...ANA, username: 'ANA.Q', email: 'other@pucp.edu.pe' }),
    TAKEN,
  );
});

test('a token says whom it speaks for until its user logs out; other tokens go on', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const [token, other] = [
    await auth.token('testuser', 'testpass123'),
    await auth.token('testuser', 'testpass123'),
  ];
  const { valid, user } = await auth.client.validate({}, { token });
  assert.equal(valid, true);
  assert.deepEqual([user?.username, user?.role], ['testuser', Role.STUDENT]);
  assert.equal(user?.id, user?.userId);
  assert.deepEqual(await auth.client.logout({}, { token }), { message: 'Logged out successfully' });
  await assert.rejects(auth.client.validate({}, { token }), VOID);
  assert.equal((await auth.client.validate({}, { token: other })).valid, true);
});

test('missing, forged and expired tokens are told apart', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const user = { userId: '1', username: 'admin', role: 'admin' } as const;
  const expired = await auth.identity.sign(user, { ttlS: -60 });
  for (const [token, reason] of [
    ['', 'TOKEN_MISSING'],
    ['not.a.token', 'TOKEN_INVALID'],
    [expired, 'TOKEN_EXPIRED'],
  ] as const)
    await assert.rejects(auth.client.validate({}, { token }), { code: 'UNAUTHENTICATED', reason });
});

test('an admin pages through the accounts, oldest first', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  for (let i = 0; i < 3; i++)
    await auth.client.register({ username: `user${i}`, password: 'password1', email: `u${i}@pucp.edu.pe` });
  const options = await asAdmin(auth);
  const names: string[] = [];
  let pageToken = '';
  let pages = 0;
  do {
    const page = await auth.client.listUsers({ pageSize: 2, pageToken }, options);
    names.push(...page.users.map(({ username }) => username));
    pageToken = page.nextPageToken;
    pages++;
  } while (pageToken !== '');
  assert.deepEqual(names, ['admin', 'testuser', 'user0', 'user1', 'user2']);
  assert.equal(pages, 3);
  const all = await auth.client.listUsers({ pageSize: 0, pageToken: '' }, options);
  assert.deepEqual([all.users.length, all.nextPageToken], [5, '']);
  for (const request of [
    { pageSize: -1, pageToken: '' },
    { pageSize: 1, pageToken: 'made up' },
    { pageSize: 1, pageToken: Buffer.from('after:99999999999999999999').toString('base64url') },
  ])
    await assert.rejects(auth.client.listUsers(request, options), { code: 'INVALID_ARGUMENT' });
});

test('a student neither lists nor changes accounts, and nobody but a service asks for revocations', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const student = { token: await auth.token('testuser', 'testpass123') };
  const denied = { code: 'PERMISSION_DENIED' };
  await assert.rejects(auth.client.listUsers({ pageSize: 0, pageToken: '' }, student), denied);
  await assert.rejects(auth.client.updateUser({ ...KEEP, id: '2', role: Role.ADMIN }, student), denied);
  await assert.rejects(auth.client.listRevocations({}, await asAdmin(auth)), denied);
});

test('a new role counts at once: tokens of the old one are void and the next login has the new one', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const old = await auth.token('testuser', 'testpass123');
  const admin = await asAdmin(auth);
  const { userId } = await auth.identity.verify(old);
  const user = await auth.client.updateUser({ ...KEEP, id: userId, role: Role.PROFESSOR }, admin);
  assert.equal(user.role, Role.PROFESSOR);
  await assert.rejects(auth.client.validate({}, { token: old }), VOID);
  const token = await auth.token('testuser', 'testpass123');
  assert.equal((await auth.client.validate({}, { token })).user?.role, Role.PROFESSOR);
  // The same change again changes nothing, the token included.
  await auth.client.updateUser({ ...KEEP, id: userId, role: Role.PROFESSOR }, admin);
  assert.equal((await auth.client.validate({}, { token })).valid, true);
});

test('an account that is switched off is shut like a wrong password, and opens when switched on', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const old = await auth.token('testuser', 'testpass123');
  const { userId: id } = await auth.identity.verify(old);
  const admin = await asAdmin(auth);
  assert.equal((await auth.client.updateUser({ ...KEEP, id, isActive: false }, admin)).isActive, false);
  await assert.rejects(auth.client.validate({}, { token: old }), VOID);
  for (let i = 0; i < 5; i++)
    await assert.rejects(auth.token('testuser', 'testpass123'), { message: 'Invalid credentials' });
  await assert.rejects(auth.token('testuser', 'testpass123'), { reason: 'ACCOUNT_LOCKED' });
  // Switching on also ends the lock.
  await auth.client.updateUser({ ...KEEP, id, isActive: true }, admin);
  const token = await auth.token('testuser', 'testpass123');
  assert.equal((await auth.client.validate({}, { token })).valid, true);
});

test('changing an account that does not exist is not found', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const admin = await asAdmin(auth);
  for (const id of ['999', '0', '-1', 'admin', '1e3', '99999999999999999999', ''])
    await assert.rejects(auth.client.updateUser({ ...KEEP, id, isActive: true }, admin), {
      code: 'NOT_FOUND',
      reason: 'USER_NOT_FOUND',
    });
});

test('the last active admin stays one, also when two demote each other at once', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl());
  const admin = await asAdmin(auth);
  const { userId } = await auth.identity.verify(admin.token);
  const last = { code: 'FAILED_PRECONDITION', reason: 'LAST_ADMIN' };
  await assert.rejects(auth.client.updateUser({ ...KEEP, id: userId, role: Role.STUDENT }, admin), last);
  await assert.rejects(auth.client.updateUser({ ...KEEP, id: userId, isActive: false }, admin), last);

  const { user } = await auth.client.register(ANA);
  const ana = user?.id ?? '';
  await auth.client.updateUser({ ...KEEP, id: ana, role: Role.ADMIN }, admin);
  const other = { token: await auth.token('ana.q', ANA.password) };
  const answers = await Promise.all([
    settled(auth.client.updateUser({ ...KEEP, id: ana, role: Role.STUDENT }, admin)),
    settled(auth.client.updateUser({ ...KEEP, id: userId, isActive: false }, other)),
  ]);
  // The second is refused as the last admin, or because the first already voided its token.
  assert.equal(answers.filter((answer) => answer instanceof Failure).length, 1);
});

test('the audit trail tells who changed whom', async (t) => {
  const url = await testDatabaseUrl();
  const auth = await runAuth(t, url);
  const admin = await asAdmin(auth);
  const { user } = await auth.client.register(ANA);
  await auth.client.updateUser({ id: user?.id ?? '', role: Role.GUEST, isActive: false }, admin);
  await auth.client.logout({}, admin);
  const query = await openQueries(t, url);
  const rows = await query('select user_id, action, details from audit_log order by id');
  const adminId = (await auth.identity.verify(admin.token)).userId;
  assert.deepEqual(rows, [
    { user_id: adminId, action: 'login', details: {} },
    { user_id: user?.id, action: 'register', details: {} },
    {
      user_id: adminId,
      action: 'user_updated',
      details: {
        user_id: user?.id,
        from: { role: 'student', is_active: true },
        to: { role: 'guest', is_active: false },
      },
    },
    { user_id: adminId, action: 'logout', details: {} },
  ]);
});
