import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, createVersionMemory, parseVersions } from './microversions.ts';
import { context, failureOf, startFakeCloud } from './testing/fake-cloud.ts';

test('a cloud that is too old for a feature is refused with what it speaks', async () => {
  await using fake = await startFakeCloud({ maxMicroversion: '2.38' });
  const failure = await failureOf(fake.cloud.project('home').nova.listServers({}, context()));
  assert.equal(failure.reason, 'MICROVERSION_UNSUPPORTED');
  assert.equal(failure.message, 'server tags need Nova 2.52 (OpenStack Pike); this cloud speaks 2.1 to 2.38');
  assert.equal(fake.requests.length, 0);
});

test('the version is asked for once and sent with every call that reads its shapes', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', '/compute/v2.1/servers/detail', { json: { servers: [] } });
  fake.on('GET', '/compute/v2.1/flavors/detail', { json: { flavors: [] } });
  const { nova } = fake.cloud.project('home');
  await nova.listServers({}, context());
  await fake.cloud.project({ projectId: 'other' }).nova.listServers({}, context());
  await nova.listFlavors(context());
  assert.equal(fake.calls.filter((call) => call.route === '/').length, 1);
  assert.deepEqual(
    fake.requests.map(({ headers }) => headers['openstack-api-version']),
    ['compute 2.52', 'compute 2.52', undefined],
  );
});

test('version documents are read in both forms', () => {
  const entry = { status: 'CURRENT', version: '3.70', min_version: '3.0' };
  assert.deepEqual(parseVersions({ version: entry }), { min: '3.0', max: '3.70' });
  assert.deepEqual(parseVersions({ versions: [{ status: 'SUPPORTED', version: '' }, entry] }), {
    min: '3.0',
    max: '3.70',
  });
  assert.equal(parseVersions({ versions: [{ status: 'CURRENT', version: '', min_version: '' }] }), undefined);
  assert.equal(parseVersions('<html>'), undefined);
});

test('a version document that gives another host and scheme, as behind a proxy, changes no address', async () => {
  for (const status of [200, 300]) {
    await using fake = await startFakeCloud({
      versionDocument: {
        status,
        json: {
          versions: [
            {
              status: 'CURRENT',
              version: '2.93',
              min_version: '2.1',
              links: [{ rel: 'self', href: 'http://10.0.0.1:8774/v2.1/' }],
            },
          ],
        },
      },
    });
    fake.on('GET', '/compute/v2.1/servers/detail', { json: { servers: [] } });
    assert.deepEqual(await fake.cloud.project('home').nova.listServers({}, context()), []);
    assert.equal(fake.requests[0]?.headers['openstack-api-version'], 'compute 2.52');
  }
});

test('a token that is refused when the version is asked for is replaced, and no answer is remembered for it', async () => {
  let refused = 0;
  await using fake = await startFakeCloud({
    versionDocument: ({ headers }) => {
      if (headers['x-auth-token'] !== 'token-1') {
        return { json: { version: { status: 'CURRENT', version: '2.38', min_version: '2.1' } } };
      }
      refused += 1;
      return { status: 401, json: { error: { code: 401, message: 'requires authentication' } } };
    },
  });
  const failure = await failureOf(fake.cloud.project('home').nova.listServers({}, context()));
  assert.equal(failure.reason, 'MICROVERSION_UNSUPPORTED');
  assert.deepEqual([refused, fake.tokenRequests.length], [1, 2]);
});

test('where a proxy hides the version document the version is sent unasked, and a 406 is told as such', async () => {
  await using fake = await startFakeCloud({ versionDocument: { status: 404, text: 'nothing here' } });
  const { nova } = fake.cloud.project('home');
  fake.on('GET', '/compute/v2.1/servers/detail', { json: { servers: [] } });
  assert.deepEqual(await nova.listServers({}, context()), []);
  const message = 'Version 2.52 is not supported by the API. Minimum is 2.1 and maximum is 2.38.';
  fake.on('GET', '/compute/v2.1/servers/detail', {
    status: 406,
    json: { computeFault: { code: 406, message } },
  });
  const failure = await failureOf(nova.listServers({}, context()));
  assert.equal(failure.reason, 'MICROVERSION_UNSUPPORTED');
  assert.match(failure.message, /maximum is 2\.38/);
});

test('2.100 is newer than 2.99', () => {
  assert.ok(compare('2.100', '2.99') > 0);
  assert.ok(compare('2.1', '3.0') < 0);
  assert.equal(compare('2.52', '2.52'), 0);
});

test('a service that does not tell what it speaks is asked again after a minute', async () => {
  let now = 0;
  let asked = 0;
  const memory = createVersionMemory(() => now);
  const ask = async () => {
    asked += 1;
    return asked === 1 ? undefined : { min: '2.1', max: '2.93' };
  };
  assert.equal(await memory(context(), ask), undefined);
  assert.equal(await memory(context(), ask), undefined);
  now += 60_000;
  assert.deepEqual(await memory(context(), ask), { min: '2.1', max: '2.93' });
});

test('what a cloud speaks is asked anew after an hour, and after a failure at once', async () => {
  let now = 0;
  let asked = 0;
  const memory = createVersionMemory(() => now);
  const ask = async () => {
    asked += 1;
    if (asked === 1) throw new Error('away');
    return { min: '2.1', max: `2.${asked}` };
  };
  await assert.rejects(memory(context(), ask));
  assert.deepEqual(await memory(context(), ask), { min: '2.1', max: '2.2' });
  assert.deepEqual(await memory(context(), ask), { min: '2.1', max: '2.2' });
  now += 3_600_001;
  assert.deepEqual(await memory(context(), ask), { min: '2.1', max: '2.3' });
});
