// The compose file held against the services: no engine is at hand to run it, so what it says is checked instead.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { variables as gatewayVariables, readConfig as readGateway } from '../gateway/config.ts';
import { variables as authVariables, readConfig as readAuth } from '../services/auth/config.ts';
import {
  variables as openstackVariables,
  readConfig as readOpenstack,
} from '../services/openstack/config.ts';
import { readConfig as readSlice, variables as sliceVariables } from '../services/slice/config.ts';

const ROOT = resolve(import.meta.dirname, '..');

type Service = {
  image?: string;
  command?: string[];
  environment: Record<string, string | number>;
  healthcheck: { test: string[] };
  volumes?: string[];
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
};
type Compose = { services: Record<string, Service>; volumes: Record<string, unknown> };

const compose = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as Compose;
const OURS = {
  auth: { read: readAuth, variables: authVariables, port: 5001, path: '/ready' },
  slice: { read: readSlice, variables: sliceVariables, port: 5002, path: '/ready' },
  openstack: { read: readOpenstack, variables: openstackVariables, port: 5006, path: '/ready' },
  gateway: { read: readGateway, variables: gatewayVariables, port: 5000, path: '/health' },
} as const;

/** What a person would write into `.env`. */
const ANSWERS: Record<string, string> = {
  JWT_SECRET_KEY: 'a secret of the tests that is longer than 32 bytes',
  POSTGRES_PASSWORD: 'secret',
  OPENSTACK_AUTH_URL: 'http://10.0.10.5:5000/v3',
  OPENSTACK_USERNAME: 'admin',
  OPENSTACK_PASSWORD: 'secret',
  OPENSTACK_PROJECT_NAME: 'admin',
};

for (const [name, { read, variables, port, path }] of Object.entries(OURS)) {
  const service = compose.services[name];
  assert(service, `${name} is in the compose file`);

  test(`${name} starts from a file that exists and that the image holds`, () => {
    const main = service.command?.[1] ?? '';
    assert.equal(service.command?.[0], 'node');
    assert(existsSync(join(ROOT, main)), main);
    const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
    assert.match(dockerfile, new RegExp(`^COPY ${main.split('/')[0]} `, 'm'));
  });

  test(`${name} accepts the environment that compose gives it, and knows every variable`, () => {
    const env = interpolated(service.environment, ANSWERS);
    assert.equal((read as (env: Record<string, string>) => { port: number })(env).port, port);
    // Addresses of its siblings are given to all, whether a service calls them or not.
    const unknown = Object.keys(env).filter(
      (key) => !variables.includes(key) && !key.endsWith('_SERVICE_URL'),
    );
    assert.deepEqual(unknown, []);
  });

  test(`${name} is checked where it listens, and logs into the volume`, () => {
    assert.match(service.healthcheck.test.join(' '), new RegExp(`http://127\\.0\\.0\\.1:${port}${path}'`));
    assert(service.volumes?.includes(`logs:${service.environment.LOG_DIR}`));
    assert.equal(service.environment.LOG_DIR, '/var/log/pucp-orchestrator');
  });
}

test('services find each other by the names and ports of the compose file', () => {
  for (const [name, { port }] of Object.entries(OURS)) {
    const key = `${name.toUpperCase()}_SERVICE_URL`;
    for (const caller of ['slice', 'gateway']) {
      const url = compose.services[caller]?.environment[key];
      if (name !== 'gateway') assert.equal(url, `http://${name}:${port}`);
    }
  }
});

test('nothing starts before what it needs is healthy', () => {
  for (const name of ['auth', 'slice', 'openstack']) {
    assert.equal(compose.services[name]?.depends_on?.postgres?.condition, 'service_healthy');
  }
  assert.deepEqual(Object.keys(compose.services.gateway?.depends_on ?? {}).sort(), [
    'auth',
    'openstack',
    'slice',
  ]);
});

test('a missing secret stops compose with words, not with a default', () => {
  const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  for (const name of Object.keys(ANSWERS)) assert.match(text, new RegExp(`\\$\\{${name}:\\?`), name);
});

function interpolated(
  environment: Record<string, string | number>,
  answers: Record<string, string>,
): Record<string, string> {
  const fill = (value: string | number) =>
    String(value).replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest = '') => {
      return answers[name] ?? (kind === '-' ? rest : '');
    });
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, fill(value)]));
}
