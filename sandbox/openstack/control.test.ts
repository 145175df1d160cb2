import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readConfig } from './config.ts';
import { logIn, request, start, until } from './testing.ts';

test('calls are counted by route and faults strike as often as they are told to', async () => {
  await using sandbox = closing(await start());
  const session = await logIn(sandbox.it);
  sandbox.it.resetCounts();
  const faults = `${sandbox.it.url}/_sandbox/faults`;
  const add = (body: object) => request(faults, 'POST', body);
  const list = () => session.call('GET', 'compute', '/servers/detail?limit=1');

  await add({
    match: { service: 'compute', method: 'GET', path: '/servers/detail$' },
    effect: 'error-before',
    times: 2,
  });
  assert.deepEqual([(await list()).status, (await list()).status, (await list()).status], [503, 503, 200]);
  await add({ match: { service: 'compute' }, effect: '429' });
  const limited = await list();
  assert.deepEqual([limited.status, limited.headers.get('retry-after')], [429, '1']);
  await add({ match: { path: 'servers' }, effect: 'garbage' });
  assert.equal(typeof (await list()).body, 'string');
  await add({ match: { path: 'servers' }, effect: 'reset' });
  await assert.rejects(list);
  assert.equal(sandbox.it.counts()['GET compute /servers/detail'], 6);

  const rules = await request(faults, 'GET');
  assert.deepEqual(
    rules.body.faults.map((rule: { hits: number }) => rule.hits),
    [2, 1, 1, 1],
  );
  assert.equal((await request(faults, 'DELETE')).status, 204);
  assert.deepEqual((await request(faults, 'GET')).body.faults, []);
  assert.equal((await add({ effect: 'explode' })).status, 400);
});

test('a call whose answer is lost has happened all the same', async () => {
  await using sandbox = closing(await start());
  const session = await logIn(sandbox.it);
  const make = (name: string) => session.call('POST', 'network', '/networks', { network: { name } });
  const add = (effect: string) =>
    request(`${sandbox.it.url}/_sandbox/faults`, 'POST', {
      match: { method: 'POST', path: '/networks$' },
      effect,
    });
  await add('drop-after');
  await assert.rejects(() => make('dropped'));
  await add('error-after');
  assert.equal((await make('failed')).status, 503);
  const names = (await session.call('GET', 'network', '/networks?fields=name')).body.networks;
  assert.deepEqual(names.map((network: { name: string }) => network.name).sort(), [
    'dropped',
    'failed',
    'public',
  ]);
});

test('a rule lets calls through first, and a refusal may keep to itself when to come again', async () => {
  await using sandbox = closing(await start());
  const session = await logIn(sandbox.it);
  const match = { service: 'compute', path: '/flavors$' };
  const fault = { match, effect: '429', retry_after: null, skip: 2 };
  await request(`${sandbox.it.url}/_sandbox/faults`, 'POST', fault);
  const statuses: number[] = [];
  for (let count = 0; count < 4; count += 1) {
    const answer = await session.call('GET', 'compute', '/flavors');
    statuses.push(answer.status);
    assert.equal(answer.headers.get('retry-after'), null);
  }
  assert.deepEqual(statuses, [200, 200, 429, 200]);
});

test('a stale list shows the cloud as it was when the fault was added', async () => {
  await using sandbox = closing(await start());
  const session = await logIn(sandbox.it);
  const make = (name: string) => session.call('POST', 'network', '/networks', { network: { name } });
  const names = async () => {
    const { body } = await session.call('GET', 'network', '/networks?fields=name');
    return body.networks.map((network: { name: string }) => network.name).sort();
  };
  await make('old');
  const match = { service: 'network', path: '/networks$' };
  await request(`${sandbox.it.url}/_sandbox/faults`, 'POST', { match, effect: 'stale-list', times: 2 });
  await make('new');
  assert.deepEqual(await names(), ['old', 'public']);
  assert.deepEqual(await names(), ['old', 'public']);
  assert.deepEqual(await names(), ['new', 'old', 'public']);
});

test('a token that is revoked ends with the call that bears it', async () => {
  await using sandbox = closing(await start());
  const session = await logIn(sandbox.it);
  await request(`${sandbox.it.url}/_sandbox/faults`, 'POST', { effect: 'token-revoked' });
  const list = () => session.call('GET', 'compute', '/servers');
  assert.deepEqual([(await list()).status, (await list()).status], [401, 401]);
  const again = await logIn(sandbox.it);
  assert.equal((await again.call('GET', 'compute', '/servers')).status, 200);
});

test('a server is accepted and ends in ERROR', async () => {
  await using sandbox = closing(await start());
  const session = await logIn(sandbox.it);
  await request(`${sandbox.it.url}/_sandbox/faults`, 'POST', { effect: 'server-error' });
  const imageRef = (await session.call('GET', 'image', '/images')).body.images[0].id;
  const flavorRef = (await session.call('GET', 'compute', '/flavors')).body.flavors[0].id;
  const server = { name: 'doomed', imageRef, flavorRef, networks: 'none' };
  const headers = { 'openstack-api-version': 'compute 2.79' };
  const made = await session.call('POST', 'compute', '/servers', { server }, headers);
  assert.equal(made.status, 202);
  const look = () => session.call('GET', 'compute', `/servers/${made.body.server.id}`);
  const ended = await until(look, ({ body }) => body.server.status !== 'BUILD');
  assert.equal(ended.body.server.status, 'ERROR');
  assert.match(ended.body.server.fault.message, /Exhausted all hosts/);
});

test('a hanging call ends with the client’s patience, and the sandbox still closes', async () => {
  const sandbox = await start();
  await request(`${sandbox.url}/_sandbox/faults`, 'POST', { effect: 'hang', times: null });
  const signal = AbortSignal.timeout(100);
  await assert.rejects(() => fetch(`${sandbox.authUrl}/auth/tokens`, { method: 'POST', body: '{}', signal }));
  await sandbox.close();
});

test('the state outlives the process, even a killed one, and what was under way goes on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sandbox-'));
  const file = join(folder, 'sandbox.json');
  try {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
      env: {
        SANDBOX_PORT: '0',
        DATA_DIR: folder,
        SANDBOX_BUILD_MS: '2000',
        LOG_LEVEL: 'info',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data) => resolve(String(data))),
    );
    const authUrl: string = JSON.parse(line).auth_url;
    const url = authUrl.replace('/identity/v3', '');
    const remote = { url, authUrl } as Parameters<typeof logIn>[0];
    const session = await logIn(remote);
    await session.call('POST', 'network', '/networks', { network: { name: 'kept' } });
    const image = (await session.call('GET', 'image', '/images?name=cirros')).body.images[0].id;
    const server = { name: 'kept', imageRef: image, flavorRef: '42', networks: 'none' };
    const headers = { 'openstack-api-version': 'compute 2.37' };
    const made = await session.call('POST', 'compute', '/servers', { server }, headers);
    await until(
      () => readFile(file, 'utf8').catch(() => ''),
      (text) => text.includes(made.body.server.id),
    );
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;

    await using revived = closing(await start({ persistTo: file }));
    const again = await logIn(revived.it);
    const networks = (await again.call('GET', 'network', '/networks?name=kept')).body.networks;
    assert.equal(networks.length, 1);
    const show = () => again.call('GET', 'compute', `/servers/${made.body.server.id}`);
    await until(show, (answer) => answer.body.server.status === 'ACTIVE');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a wrong environment is refused with every mistake in one message', () => {
  assert.throws(
    () => readConfig({ SANDBOX_PORT: 'x', SANDBOX_BUILD_MS: '-1', LOG_LEVEL: 'loud' }),
    /SANDBOX_PORT.*SANDBOX_BUILD_MS.*|LOG_LEVEL/,
  );
});

test('a thousand servers are listed and paged', async () => {
  await using sandbox = closing(await start({ hypervisors: 50, buildDelayMs: 0 }));
  const session = await logIn(sandbox.it);
  const image = (await session.call('GET', 'image', '/images?name=cirros')).body.images[0].id;
  const server = { name: 'many', imageRef: image, flavorRef: '42', networks: 'none', min_count: 500 };
  const headers = { 'openstack-api-version': 'compute 2.37' };
  for (const _ of [1, 2, 3]) await session.call('POST', 'compute', '/servers', { server }, headers);
  const first = (await session.call('GET', 'compute', '/servers/detail')).body;
  assert.equal(first.servers.length, 1000);
  const next: string = first.servers_links[0].href;
  const second = (await session.call('GET', 'compute', next.slice(next.indexOf('/servers')))).body;
  assert.equal(second.servers.length, 500);
  assert.equal(second.servers_links, undefined);
});

function closing<T extends { close(): Promise<void> }>(it: T) {
  return { it, [Symbol.asyncDispose]: () => it.close() };
}

test('a hundred faults that struck make room for new ones, a hundred that wait do not', async () => {
  const own = await start();
  const path = `${own.url}/_sandbox/faults`;
  const add = (times: number | null) => request(path, 'POST', { effect: 'error-before', times });
  for (let time = 0; time < 100; time += 1) {
    assert.equal((await add(1)).status, 201);
    await request(`${own.authUrl}/projects`, 'GET');
  }
  assert.equal((await add(null)).status, 201);
  assert.equal((await request(path, 'GET')).body.faults.length, 1);
  for (let time = 1; time < 100; time += 1) assert.equal((await add(null)).status, 201);
  assert.equal((await add(1)).status, 400);
  await own.close();
});
