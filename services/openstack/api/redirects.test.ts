// Redirects, as services and the proxies before them send them. The token and the body go to the same host or nowhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redirectTarget } from './redirects.ts';
import { context, failureOf, startFakeCloud } from './testing/fake-cloud.ts';

const flavors = '/compute/v2.1/flavors/detail';
const networks = '/network/v2.0/networks';

for (const status of [301, 302, 303, 307, 308]) {
  test(`a list that is redirected with ${status} on the same host is followed, token and all`, async () => {
    await using fake = await startFakeCloud();
    fake.on('GET', flavors, { status, text: '', headers: { location: '/compute/v2.1/there?limit=5' } });
    fake.on('GET', '/compute/v2.1/there', { json: { flavors: [] } });
    assert.deepEqual(await fake.cloud.project('home').nova.listFlavors(context()), []);
    const [first, second] = fake.requests;
    assert.equal(second?.query.toString(), 'limit=5');
    assert.equal(second?.headers['x-auth-token'], first?.headers['x-auth-token']);
  });
}

test('a creation that is redirected with 307 stays a creation, body and all', async () => {
  await using fake = await startFakeCloud();
  fake.on('POST', networks, { status: 307, text: '', headers: { location: `${networks}/` } });
  fake.on('POST', `${networks}/`, { status: 201, json: { network: { id: 'n1' } } });
  await fake.cloud.project('home').neutron.networks.create({ name: 'n' }, context());
  assert.deepEqual(
    fake.requests.map(({ method, path, body }) => [method, path, body]),
    [
      ['POST', networks, { network: { name: 'n' } }],
      ['POST', `${networks}/`, { network: { name: 'n' } }],
    ],
  );
});

test('a creation that is redirected with 302 is refused, and never becomes a GET', async () => {
  await using fake = await startFakeCloud();
  fake.on('POST', networks, { status: 302, text: '', headers: { location: '/elsewhere' } });
  const failure = await failureOf(
    fake.cloud.project('home').neutron.networks.create({ name: 'n' }, context()),
  );
  assert.equal(failure.reason, 'CLOUD_REDIRECTED');
  assert.equal(fake.requests.length, 1);
});

test('a redirect to another host is not followed: the token goes nowhere, and the operator is told where it led', async () => {
  await using fake = await startFakeCloud();
  await using other = await startFakeCloud();
  for (const status of [301, 302, 307, 308]) {
    fake.on('GET', flavors, { status, text: '', headers: { location: `${other.url}/x?token=hush` } });
    const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
    assert.equal(failure.reason, 'CLOUD_REDIRECTED');
    assert.equal(failure.retryable, false);
    assert.match(failure.message, new RegExp(`redirects to ${other.url} .*an operator must correct`));
    assert.doesNotMatch(failure.message, /hush/);
  }
  assert.equal(other.requests.length, 0);
});

test('redirects that lead in a circle are given up', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', flavors, { status: 302, text: '', headers: { location: flavors } });
  const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
  assert.equal(failure.reason, 'CLOUD_REDIRECTED');
  assert.equal(fake.requests.length, 4);
});

test('another scheme, port or no address at all is nowhere to go, nor is anything for an upload', () => {
  const from = { method: 'GET', url: 'https://cloud/compute/v2.1/servers' } as const;
  assert.equal(redirectTarget(from, 302, '/compute/v2.1/servers/'), 'https://cloud/compute/v2.1/servers/');
  for (const location of ['http://cloud/x', 'https://cloud:8443/x', '//elsewhere/x', 'http://[', undefined]) {
    assert.equal(redirectTarget(from, 302, location), undefined, String(location));
  }
  assert.equal(redirectTarget(from, 304, '/x'), undefined);
  assert.equal(redirectTarget({ ...from, method: 'PUT', upload: {} }, 307, '/x'), undefined);
});
