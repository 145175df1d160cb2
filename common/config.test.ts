import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { baseShape, databaseShape, fields, loadConfig, Secret } from './config.ts';

const DATABASE_URL = 'postgres://localhost/db';

test('every wrong or missing variable is named in one message', () => {
  const shape = { ...baseShape, ...databaseShape, PORT: fields.port(1) };
  const env = { LOG_LEVEL: 'loud', PORT: 'many', AUTH_SERVICE_URL: 'somewhere', TOKEN_EXPIRATION_HOURS: '0' };
  assert.throws(
    () => loadConfig(shape, env, ['EXTRA is wrong too']),
    (error: Error) => {
      for (const name of [
        'LOG_LEVEL',
        'PORT',
        'AUTH_SERVICE_URL',
        'TOKEN_EXPIRATION_HOURS',
        'DATABASE_URL is not set',
        'EXTRA',
      ]) {
        assert(error.message.includes(name), `${name} in ${error.message}`);
      }
      return true;
    },
  );
});

test('a wrong variable is told from one that is not set', () => {
  const shape = { PORT: fields.port(1), ...databaseShape };
  assert.throws(
    () => loadConfig(shape, { PORT: 'abc', DATABASE_URL: 'mysql://x' }),
    (error: Error) => {
      assert.match(error.message, /PORT must be a port/);
      assert.match(error.message, /DATABASE_URL must begin with postgres:/);
      return true;
    },
  );
});

test('an empty variable counts as not set', () => {
  assert.equal(loadConfig(baseShape, { LOG_LEVEL: '', LINUX_SERVICE_URL: '' }).LOG_LEVEL, 'info');
});

test('production refuses the published secrets, none and short ones', () => {
  const load = (secret: string) =>
    loadConfig(baseShape, { ENVIRONMENT: 'production', JWT_SECRET_KEY: secret });
  for (const secret of ['', 'pucp-cloud-secret-2025', 'pucp-cloud-secret-2025-change-in-production']) {
    assert.throws(() => load(secret), /JWT_SECRET_KEY is the published default/);
  }
  assert.throws(() => load('short'), /JWT_SECRET_KEY is shorter than 32 bytes/);
  assert.equal(load('x'.repeat(32)).JWT_SECRET_KEY.reveal(), 'x'.repeat(32));
});

test('a secret shows itself only when asked by name', () => {
  const secret = loadConfig(databaseShape, { DATABASE_URL }).DATABASE_URL;
  assert.equal(secret.reveal(), DATABASE_URL);
  for (const shown of [
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ deep: [secret] }),
  ]) {
    assert(!shown.includes('localhost'), shown);
  }
  assert(new Secret('x') instanceof Secret);
});
