import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { planStart } from './start-plan.ts';

const DATA_DIR = mkdtempSync(join(tmpdir(), 'pucp-plan-'));
after(() => rmSync(DATA_DIR, { recursive: true }));

test('with nothing set, everything is embedded and the demo users exist', () => {
  const plan = planStart({ DATA_DIR });
  assert.equal(plan.needsDatabase, true);
  assert.equal(plan.env.DEMO_USERS, 'true');
  assert.deepEqual(
    plan.processes.map(({ name }) => name),
    ['sandbox', 'auth', 'openstack', 'slice', 'gateway'],
  );
});

test('with a cloud and a database set, neither is embedded and no demo user exists', () => {
  const plan = planStart({
    DATA_DIR,
    DATABASE_URL: 'postgres://db/x',
    OS_AUTH_URL: 'http://10.0.10.5:5000/v3',
    OS_USERNAME: 'admin',
    OS_PASSWORD: 'secret',
    OS_PROJECT_NAME: 'admin',
  });
  assert.equal(plan.needsDatabase, false);
  assert.equal(plan.env.DEMO_USERS, 'false');
  assert.deepEqual(
    plan.processes.map(({ name }) => name),
    ['auth', 'openstack', 'slice', 'gateway'],
  );
});

test('the secret that signs tokens is made once and is not the published one', () => {
  const first = planStart({ DATA_DIR }).env.JWT_SECRET_KEY;
  assert.equal(first, planStart({ DATA_DIR }).env.JWT_SECRET_KEY);
  assert((first ?? '').length >= 48);
});

test('wrong and missing values of all processes come in one message', () => {
  const env = {
    DATA_DIR,
    GATEWAY_PORT: 'x',
    SANDBOX_PORT: '99999999',
    LOG_LEVEL: 'loud',
    OPENSTACK_AUTH_URL: 'http://h/v3',
    MAX_SLICES_PER_USER: 'many',
  };
  assert.throws(
    () => planStart(env),
    (error: Error) => {
      for (const name of [
        'GATEWAY_PORT',
        'LOG_LEVEL',
        'OPENSTACK_USERNAME',
        'OPENSTACK_PASSWORD',
        'OPENSTACK_PROJECT_NAME',
        'MAX_SLICES_PER_USER',
      ]) {
        assert(error.message.includes(name), `${name} in ${error.message}`);
      }
      return true;
    },
  );
});

test('in production a secret must be given', () => {
  assert.throws(
    () => planStart({ DATA_DIR, ENVIRONMENT: 'production' }),
    /JWT_SECRET_KEY is the published default/,
  );
});

test('in production the sandbox with its known passwords is refused', () => {
  const env = { DATA_DIR, ENVIRONMENT: 'production', JWT_SECRET_KEY: 'x'.repeat(40) };
  assert.throws(() => planStart(env), /OPENSTACK_AUTH_URL is not set/);
});

test('who names a part of a cloud gets that cloud or a refusal, never the sandbox', () => {
  assert.throws(() => planStart({ DATA_DIR, OPENSTACK_USERNAME: 'admin' }), /OPENSTACK_AUTH_URL is not set/);
});

test('two processes on one port are told apart from a port that is taken', () => {
  assert.throws(() => planStart({ DATA_DIR, GATEWAY_PORT: '5001' }), /AUTH_PORT is 5001, as GATEWAY_PORT is/);
});
