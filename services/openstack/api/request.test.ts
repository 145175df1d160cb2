import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { context, failureOf, startFakeCloud, until } from './testing/fake-cloud.ts';
import { globalRequestId, parseRetryAfter } from './wire.ts';

const flavors = '/compute/v2.1/flavors/detail';
const networks = '/network/v2.0/networks';

test('a list that fails once with 503 is asked for again', async () => {
  await using fake = await startFakeCloud();
  let asked = 0;
  fake.on('GET', flavors, () => {
    asked += 1;
    return asked === 1
      ? { status: 503, text: 'busy', headers: { 'retry-after': '0' } }
      : { json: { flavors: [] } };
  });
  assert.deepEqual(await fake.cloud.project('home').nova.listFlavors(context()), []);
  assert.equal(asked, 2);
});

test('a list whose connection is cut is asked for once more and no oftener', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', flavors, { fault: 'reset' });
  const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
  assert.equal(failure.reason, 'CLOUD_UNREACHABLE');
  assert.equal(failure.retryable, true);
  assert.equal(fake.requests.length, 2);
});

test('a deletion whose answer was lost is done when it is repeated and nothing is there', async () => {
  await using fake = await startFakeCloud();
  let asked = 0;
  fake.on('DELETE', `${networks}/n1`, () => {
    asked += 1;
    return asked === 1 ? { fault: 'reset' } : { status: 404, json: { NeutronError: { message: 'gone' } } };
  });
  const { neutron } = fake.cloud.project('home');
  await neutron.networks.remove('n1', context());
  assert.equal(asked, 2);
  assert.equal((await failureOf(neutron.networks.remove('n1', context()))).code, 'NOT_FOUND');
});

for (const fault of [{ status: 503, text: '' }, { status: 500, text: '' }, { fault: 'reset' }] as const) {
  test(`a creation that ends in ${JSON.stringify(fault)} is never sent twice`, async () => {
    await using fake = await startFakeCloud();
    fake.on('POST', networks, fault);
    await failureOf(fake.cloud.project('home').neutron.networks.create({ name: 'n' }, context()));
    assert.equal(fake.requests.length, 1);
  });
}

test('a creation that was turned away with 429 is sent again after the time asked for', async () => {
  await using fake = await startFakeCloud();
  let asked = 0;
  fake.on('POST', networks, () => {
    asked += 1;
    return asked === 1
      ? { status: 429, text: '', headers: { 'retry-after': '0' } }
      : { status: 201, json: { network: { id: 'n1' } } };
  });
  const made = await fake.cloud.project('home').neutron.networks.create({ name: 'n' }, context());
  assert.equal(made.id, 'n1');
});

for (const [status, text] of [
  [498, ''],
  [413, '{"overLimit": {"message": "Only 10 POST request(s) can be made to * every minute."}}'],
] as const) {
  test(`a creation that is told to come again with ${status} is sent again`, async () => {
    await using fake = await startFakeCloud();
    let asked = 0;
    fake.on('POST', networks, () => {
      asked += 1;
      const headers = { 'retry-after': status === 413 ? '1' : '0' };
      return asked === 1 ? { status, text, headers } : { status: 201, json: { network: { id: 'n1' } } };
    });
    await fake.cloud.project('home').neutron.networks.create({ name: 'n' }, context());
    assert.equal(asked, 2);
  });
}

test('a time to come again is read by the clock of the cloud, however wrong that goes', async () => {
  await using fake = await startFakeCloud();
  const at = (ms: number) => new Date(Date.parse('2031-01-01T00:00:00Z') + ms).toUTCString();
  fake.on('GET', flavors, { status: 503, text: '', headers: { date: at(0), 'retry-after': at(90_000) } });
  const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
  assert.equal(failure.retryAfterS, 90);
});

test('a service that asks for much patience is not waited for, and the caller is told how long', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', flavors, { status: 503, text: '', headers: { 'retry-after': '300' } });
  const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
  assert.equal(failure.retryAfterS, 300);
  assert.equal(fake.requests.length, 1);
});

test('a page of a proxy in place of JSON is an answer that makes no sense', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', flavors, { text: '<html>Welcome to nginx</html>' });
  assert.equal(
    (await failureOf(fake.cloud.project('home').nova.listFlavors(context()))).reason,
    'CLOUD_GARBAGE',
  );
  fake.on('GET', flavors, { json: { something: 'else' } });
  const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
  assert.match(failure.message, /no list "flavors"/);
});

test('an answer without end is cut off', async () => {
  await using fake = await startFakeCloud({ settings: { maxResponseBytes: 10_000 } });
  fake.on('GET', flavors, { json: { flavors: [{ name: 'x'.repeat(100_000) }] } });
  const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
  assert.equal(failure.reason, 'CLOUD_GARBAGE');
  assert.match(failure.message, /larger than 10000 bytes/);
});

test('a call that is called off lets go of the service at once', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', flavors, { fault: 'hang' });
  const controller = new AbortController();
  const call = fake.cloud.project('home').nova.listFlavors({ signal: controller.signal });
  await until(() => fake.requests.length === 1, 'the request arrives');
  controller.abort();
  assert.equal((await failureOf(call)).code, 'CANCELLED');
  await until(() => fake.requests[0]?.abandoned() === true, 'the connection is closed');
});

test('a service that does not answer in time is said to have taken too long', async () => {
  await using fake = await startFakeCloud({ settings: { requestTimeoutMs: 100 } });
  fake.on('GET', flavors, { fault: 'hang' });
  const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
  assert.equal(failure.code, 'DEADLINE_EXCEEDED');
  assert.equal(failure.reason, 'CLOUD_TIMEOUT');
});

test('a caller’s deadline counts against the service only if it left it a fair time', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', flavors, { fault: 'hang' });
  const { nova } = fake.cloud.project('home');
  await fake.cloud.project('home').projectId(context());
  const hasty = await failureOf(nova.listFlavors(context(50)));
  assert.deepEqual([hasty.code, hasty.reason], ['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED']);
  const fair = await failureOf(nova.listFlavors(context(1_100)));
  assert.deepEqual([fair.code, fair.reason], ['DEADLINE_EXCEEDED', 'CLOUD_TIMEOUT']);
});

test('a cloud that is not there at all is unreachable', async () => {
  await using fake = await startFakeCloud({ settings: { authUrl: 'http://127.0.0.1:1/v3' } });
  const failure = await failureOf(fake.cloud.project('home').projectId(context()));
  assert.equal(failure.code, 'UNAVAILABLE');
  assert.equal(failure.reason, 'CLOUD_UNREACHABLE');
  assert.match(failure.message, /ECONNREFUSED/);
});

test('no more requests are under way than allowed', async () => {
  await using fake = await startFakeCloud({ settings: { maxConnections: 3 } });
  let now = 0;
  let most = 0;
  fake.on('GET', flavors, async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
    return { json: { flavors: [] } };
  });
  const { nova } = fake.cloud.project('home');
  await Promise.all(Array.from({ length: 30 }, () => nova.listFlavors(context())));
  assert.ok(most <= 3, `${most} at once`);
  assert.equal(fake.requests.length, 30);
});

test('a call that waits for a free connection leaves the line when it is called off', async () => {
  await using fake = await startFakeCloud({ settings: { maxConnections: 1 } });
  const gate = Promise.withResolvers<void>();
  fake.on('GET', flavors, async () => {
    await gate.promise;
    return { json: { flavors: [] } };
  });
  const { nova } = fake.cloud.project('home');
  const first = nova.listFlavors(context());
  await until(() => fake.requests.length === 1, 'the first request arrives');
  const controller = new AbortController();
  const second = nova.listFlavors({ signal: controller.signal });
  const third = nova.listFlavors(context());
  controller.abort();
  assert.equal((await failureOf(second)).code, 'CANCELLED');
  gate.resolve();
  assert.deepEqual(await Promise.all([first, third]), [[], []]);
  assert.equal(fake.requests.length, 2);
});

test('no token and no password lies in a failure, whatever is logged of it', async () => {
  await using fake = await startFakeCloud({ settings: { requestTimeoutMs: 100 } });
  for (const fault of ['hang', 'reset'] as const) {
    fake.on('GET', flavors, { fault });
    const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
    const everything = inspect(failure, { depth: 20, showHidden: true });
    assert.doesNotMatch(everything, /token-1|secret/);
  }
});

test('the request id goes along, and the cloud’s own comes back in records and failures', async () => {
  await using fake = await startFakeCloud();
  const requestId = '6a9c1b52-3b0f-4a53-8a52-0d3c0a4b1c11';
  fake.on('GET', '/compute/v2.1/servers/s-1', { status: 404, json: { itemNotFound: { message: 'gone' } } });
  const { nova } = fake.cloud.project('home');
  const failure = await failureOf(nova.getServer('s-1', { ...context(), requestId }));
  assert.equal(failure.metadata.request_id, 'req-of-the-cloud');
  assert.equal(failure.metadata.global_request_id, `req-${requestId}`);
  assert.equal(fake.requests[0]?.headers['x-openstack-request-id'], `req-${requestId}`);
  const record = fake.calls.find((call) => call.route === '/servers/{id}');
  assert.equal(record?.requestId, `req-${requestId}`);
  assert.equal(record?.cloudRequestId, 'req-of-the-cloud');
  assert.equal(record?.status, 404);
  assert.equal(record?.reason, 'ITEM_NOT_FOUND');
});

test('an id that would climb to another address is an id that does not exist', async () => {
  await using fake = await startFakeCloud();
  const { nova } = fake.cloud.project('home');
  for (const id of ['..', '.', '']) {
    assert.equal((await failureOf(nova.getServer(id, context()))).code, 'NOT_FOUND');
  }
  await failureOf(nova.getServer('../flavors?x=1#', context()));
  assert.deepEqual(
    fake.requests.map((request) => request.path),
    ['/compute/v2.1/servers/..%2Fflavors%3Fx%3D1%23'],
  );
});

test('Retry-After is read as seconds and as a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  assert.equal(parseRetryAfter('7', now), 7);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2026 00:00:30 GMT', now), 30);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2025 00:00:30 GMT', now), 0);
  assert.equal(parseRetryAfter('soon', now), undefined);
  assert.equal(parseRetryAfter(undefined, now), undefined);
});

test('a request id is what OpenStack takes for one, whatever was given', () => {
  const pattern = /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  assert.match(globalRequestId(undefined), pattern);
  assert.match(globalRequestId('something else'), pattern);
});
