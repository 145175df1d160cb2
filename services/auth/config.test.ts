import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from './config.ts';

const ENOUGH = { DATABASE_URL: 'postgres://localhost/orchestrator' };

test('with nothing but a database auth listens on 5001, has no demo users and tokens of a day', () => {
  const config = readConfig(ENOUGH);
  assert.deepEqual([config.port, config.hasDemoUsers, config.tokenTtlS], [5001, false, 86_400]);
  assert.equal(config.adminPassword, undefined);
});

test('every mistake is named in one message', () => {
  const wrong = {
    AUTH_PORT: 'many',
    TOKEN_EXPIRATION_HOURS: '0',
    ADMIN_PASSWORD: 'short',
    DEMO_USERS: 'maybe',
  };
  assert.throws(
    () => readConfig(wrong),
    (error: Error) =>
      [...Object.keys(wrong), 'DATABASE_URL'].every((name) => error.message.includes(name)) &&
      !error.message.includes('short'),
  );
});

test('a published password is no ADMIN_PASSWORD', () => {
  for (const password of ['admin123', 'testpass123'])
    assert.throws(() => readConfig({ ...ENOUGH, ADMIN_PASSWORD: password }), /ADMIN_PASSWORD/);
});

test('the published secret signs nothing in production', () => {
  const production = { ...ENOUGH, ENVIRONMENT: 'production' };
  assert.throws(() => readConfig(production), /JWT_SECRET_KEY/);
  assert.throws(
    () => readConfig({ ...production, JWT_SECRET_KEY: 'pucp-cloud-secret-2025' }),
    /JWT_SECRET_KEY/,
  );
  readConfig({ ...production, JWT_SECRET_KEY: 'x'.repeat(32) });
});
