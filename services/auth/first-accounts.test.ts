import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '#common/config.ts';
import { Role } from '#proto/pucp/auth/v1/user.ts';
import { testDatabaseUrl } from '../../tests/support/database.ts';
import { openQueries, type RunningAuth, runAuth } from './testing.ts';

const WRONG = { reason: 'INVALID_CREDENTIALS' };
const VOID = { reason: 'TOKEN_REVOKED' };
const REAL = { hasDemoUsers: false };
const ANA = { username: 'ana', password: 'contrasena1', email: 'ana@pucp.edu.pe' };

function withPassword(password: string) {
  return { ...REAL, adminPassword: new Secret(password) };
}

function printedPassword({ printed }: RunningAuth): string {
  return /password (\S+) /.exec(printed.join('\n'))?.[1] ?? '';
}

test('away from the sandbox no published password opens anything', async (t) => {
  const auth = await runAuth(t, await testDatabaseUrl(), REAL);
  await assert.rejects(auth.token('admin', 'admin123'), WRONG);
  await assert.rejects(auth.token('testuser', 'testpass123'), WRONG);
});

test('the first admin has ADMIN_PASSWORD, and nothing is printed', async (t) => {
  const url = await testDatabaseUrl();
  const auth = await runAuth(t, url, withPassword('correct-horse-9'));
  const token = await auth.token('admin', 'correct-horse-9');
  assert.equal((await auth.client.validate({}, { token })).user?.role, Role.ADMIN);
  assert.deepEqual(auth.printed, []);
  await auth.close();
  // Later starts leave the admin alone, whatever the variable says by then.
  const again = await runAuth(t, url, withPassword('another-horse-9'));
  await assert.rejects(again.token('admin', 'another-horse-9'), WRONG);
  await again.token('admin', 'correct-horse-9');
});

test('without ADMIN_PASSWORD a made-up one is printed once, by one of two replicas', async (t) => {
  const url = await testDatabaseUrl();
  const replicas = await Promise.all([runAuth(t, url, REAL), runAuth(t, url, REAL)]);
  const printed = replicas.flatMap((replica) => replica.printed);
  assert.equal(printed.length, 1);
  const maker = replicas.find((replica) => replica.printed.length > 0);
  assert.ok(maker);
  await maker.token('admin', printedPassword(maker));
  const later = await runAuth(t, url, REAL);
  assert.deepEqual(later.printed, []);
});

test('leaving the sandbox shuts the demo accounts, their tokens and the roles they gave', async (t) => {
  const url = await testDatabaseUrl();
  const demo = await runAuth(t, url);
  const admin = { token: await demo.token('admin', 'admin123') };
  const student = await demo.token('testuser', 'testpass123');
  const { user } = await demo.client.register(ANA);
  await demo.client.updateUser({ id: user?.id ?? '', role: Role.ADMIN }, admin);
  const ana = await demo.token('ana', ANA.password);
  await demo.close();

  const real = await runAuth(t, url, REAL);
  await assert.rejects(real.token('admin', 'admin123'), WRONG);
  await assert.rejects(real.token('testuser', 'testpass123'), WRONG);
  for (const token of [admin.token, student, ana])
    await assert.rejects(real.client.validate({}, { token }), VOID);
  // Ana keeps her account, as the student she registered as; the admin is a new one.
  const token = await real.token('ana', ANA.password);
  assert.equal((await real.client.validate({}, { token })).user?.role, Role.STUDENT);
  const options = { token: await real.token('admin', printedPassword(real)) };
  const { users } = await real.client.listUsers({ pageSize: 0, pageToken: '' }, options);
  assert.deepEqual(
    users.map(({ username, role, isActive }) => [username, role, isActive]),
    [
      ['admin', Role.ADMIN, true],
      ['testuser', Role.STUDENT, false],
      ['ana', Role.STUDENT, true],
    ],
  );
  // Even switched on again, a demo account has no password.
  await real.client.updateUser({ id: users[1]?.id ?? '', role: Role.UNSPECIFIED, isActive: true }, options);
  await assert.rejects(real.token('testuser', 'testpass123'), WRONG);
});

test('a role changed on the sandbox is afterwards what it was before', async (t) => {
  const url = await testDatabaseUrl();
  const real = await runAuth(t, url, withPassword('correct-horse-9'));
  const { user } = await real.client.register(ANA);
  const change = { id: user?.id ?? '', isActive: undefined };
  const options = { token: await real.token('admin', 'correct-horse-9') };
  await real.client.updateUser({ ...change, role: Role.GUEST }, options);
  await real.close();

  const demo = await runAuth(t, url);
  for (const role of [Role.ADMIN, Role.PROFESSOR])
    await demo.client.updateUser(
      { ...change, role },
      { token: await demo.token('admin', 'correct-horse-9') },
    );
  await demo.close();

  const back = await runAuth(t, url, REAL);
  const token = await back.token('ana', ANA.password);
  assert.equal((await back.client.validate({}, { token })).user?.role, Role.GUEST);
});

test('a mesh that goes back to the sandbox keeps its real admin and reopens the other demo account', async (t) => {
  const url = await testDatabaseUrl();
  await (await runAuth(t, url)).close();
  await (await runAuth(t, url, withPassword('correct-horse-9'))).close();
  const demo = await runAuth(t, url);
  await demo.token('testuser', 'testpass123');
  await assert.rejects(demo.token('admin', 'admin123'), WRONG);
  await demo.token('admin', 'correct-horse-9');
});

test('a name of the demo accounts that someone registered stays theirs', async (t) => {
  const url = await testDatabaseUrl();
  const real = await runAuth(t, url, REAL);
  await real.client.register({ ...ANA, username: 'testuser' });
  await real.close();
  const demo = await runAuth(t, url);
  await assert.rejects(demo.token('testuser', 'testpass123'), WRONG);
  await demo.token('testuser', ANA.password);
});

test('what an admin did to a demo account holds over a restart on the sandbox', async (t) => {
  const url = await testDatabaseUrl();
  const first = await runAuth(t, url);
  const admin = { token: await first.token('admin', 'admin123') };
  const { userId: id } = await first.identity.verify(await first.token('testuser', 'testpass123'));
  await first.client.updateUser({ id, role: Role.UNSPECIFIED, isActive: false }, admin);
  await first.close();
  const second = await runAuth(t, url);
  await assert.rejects(second.token('testuser', 'testpass123'), WRONG);
  const query = await openQueries(t, url);
  const [row] = await query(`select count(*) from users`);
  assert.equal(row?.count, '2');
});

test('an admin whose password was taken away in the database gets a new one at the next start', async (t) => {
  const url = await testDatabaseUrl();
  const first = await runAuth(t, url, REAL);
  const token = await first.token('admin', printedPassword(first));
  const query = await openQueries(t, url);
  await query(`update auth.users set password_hash = null where role = 'admin'`);
  const second = await runAuth(t, url, withPassword('correct-horse-9'));
  await second.token('admin', 'correct-horse-9');
  await assert.rejects(second.client.validate({}, { token }), VOID);
});
