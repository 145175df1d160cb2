import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { readConfig } from './config.ts';

test('without any variable the gateway listens on port 5000 and knows its siblings', () => {
  const config = readConfig({});
  assert.equal(config.port, 5000);
  assert.deepEqual(
    config.upstreams.map(({ name, url }) => [name, url]),
    [
      ['auth', 'http://localhost:5001'],
      ['slice', 'http://localhost:5002'],
      ['openstack', 'http://localhost:5006'],
    ],
  );
  assert.equal(config.allowsLocalOrigins, true);
});

test('pages of the own machine are not let in in production', () => {
  const JWT_SECRET_KEY = 'a secret of the tests that is longer than 32 bytes';
  assert.equal(readConfig({ ENVIRONMENT: 'production', JWT_SECRET_KEY }).allowsLocalOrigins, false);
});

test('every mistake is told at once', () => {
  const env = {
    GATEWAY_PORT: 'http',
    SLICE_SERVICE_URL: 'nonsense',
    CORS_ORIGINS: 'https://a.example, lab.example.org',
    TRUSTED_PROXIES: '10.0.0.0/8, proxy, 10.0.0.0/33',
    RATE_LIMIT_PER_MINUTE: '-1',
  };
  assert.throws(
    () => readConfig(env),
    (error) => {
      assert(error instanceof Failure);
      for (const words of [
        'GATEWAY_PORT',
        'SLICE_SERVICE_URL',
        'CORS_ORIGINS has "lab.example.org"',
        'TRUSTED_PROXIES has "proxy"',
        'TRUSTED_PROXIES has "10.0.0.0/33"',
        'RATE_LIMIT_PER_MINUTE',
      ])
        assert(error.message.includes(words), words);
      return true;
    },
  );
});
