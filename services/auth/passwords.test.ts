import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COST, hashPassword, needsRehash, randomPassword, verifyPassword } from './passwords.ts';

test('a password opens its own hash and no other password does', async () => {
  const phc = await hashPassword('correct horse 1');
  assert.match(phc, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.equal(await verifyPassword('correct horse 1', phc), true);
  assert.equal(await verifyPassword('correct horse 2', phc), false);
  assert.equal(await verifyPassword('', phc), false);
});

test('two hashes of one password differ', async () => {
  assert.notEqual(await hashPassword('same4same'), await hashPassword('same4same'));
});

test('a name without a hash is refused whatever the password', async () => {
  assert.equal(await verifyPassword('', undefined), false);
  assert.equal(await verifyPassword('anything1', undefined), false);
});

test('a hash of another cost still opens and asks to be made again', async () => {
  const old = await hashPassword('grows1older', { memoryKib: 8_192, passes: 1, parallelism: 1 });
  assert.equal(await verifyPassword('grows1older', old), true);
  assert.equal(needsRehash(old), true);
  assert.equal(needsRehash(await hashPassword('grows1older')), false);
  assert.equal(needsRehash(old, { ...COST, memoryKib: 8_192, passes: 1 }), false);
});

test('a hash made by the reference implementation of argon2 opens', async () => {
  // From the phc-winner-argon2 test suite: hashtest(version, 2, 16, 1, "password", "somesalt"), argon2id.
  const phc = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  assert.equal(await verifyPassword('password', phc), true);
  assert.equal(await verifyPassword('differentpassword', phc), false);
});

test('an accent typed in two ways is one password', async () => {
  const phc = await hashPassword('contrase\u00f1a1');
  assert.equal(await verifyPassword('contrasen\u0303a1', phc), true);
});

test('a made-up password is long and different each time', () => {
  const made = randomPassword();
  assert.match(made, /^([a-z2-9]{6}-){3}[a-z2-9]{6}$/);
  assert.notEqual(made, randomPassword());
});
