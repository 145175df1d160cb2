import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Sandbox } from './server.ts';
import { type Answer, logIn, type Session, start, until } from './testing.ts';

type Page = Answer['body'];

let sandbox: Sandbox;
let admin: Session;
let demo: Session;
let imageId: string;
let networkId: string;

const LATEST = { 'openstack-api-version': 'compute 2.93' };

before(async () => {
  sandbox = await start();
  admin = await logIn(sandbox);
  demo = await logIn(sandbox, 'demo', 'demo');
  imageId = (await demo.call('GET', 'image', '/images?name=cirros')).body.images[0].id;
  networkId = (await demo.call('POST', 'network', '/networks', { network: { name: 'net' } })).body.network.id;
  const subnet = { network_id: networkId, cidr: '10.5.0.0/24', ip_version: 4 };
  await demo.call('POST', 'network', '/subnets', { subnet });
});
after(() => sandbox.close());

function boot(more: object = {}, session = demo) {
  const server = { name: 'vm', imageRef: imageId, flavorRef: '42', networks: 'none', ...more };
  return session.call('POST', 'compute', '/servers', { server }, LATEST);
}

async function show(id: string) {
  return (await admin.call('GET', 'compute', `/servers/${id}`, undefined, LATEST)).body.server;
}

function reaches(id: string, status: string) {
  return until(
    () => show(id),
    (server) => server?.status === status && server['OS-EXT-STS:task_state'] === null,
  );
}

function isGone(id: string) {
  return until(
    () => show(id),
    (server) => server === undefined,
  );
}

async function bootActive(more: object = {}): Promise<string> {
  const answer = await boot(more);
  assert.equal(answer.status, 202, answer.text);
  await reaches(answer.body.server.id, 'ACTIVE');
  return answer.body.server.id;
}

const act = (id: string, action: object) => demo.call('POST', 'compute', `/servers/${id}/action`, action);

test('a server goes from BUILD to ACTIVE and its ports with it', async () => {
  const port = (await demo.call('POST', 'network', '/ports', { port: { network_id: networkId } })).body.port;
  const answer = await boot({ networks: [{ port: port.id }, { uuid: networkId }] });
  const { id } = answer.body.server;
  assert.equal((await show(id)).status, 'BUILD');
  const server = await reaches(id, 'ACTIVE');
  const [first, second] = server.addresses.net;
  assert.equal(first.addr, port.fixed_ips[0].ip_address);
  assert.match(second.addr, /^10\.5\.0\./);
  assert.match(server['OS-EXT-SRV-ATTR:host'], /^worker[123]$/);

  const bound = (await admin.call('GET', 'network', `/ports/${port.id}`)).body.port;
  assert.equal(bound.status, 'ACTIVE');
  assert.equal(bound.device_id, id);
  assert.equal(bound['binding:host_id'], server['OS-EXT-SRV-ATTR:host']);
  const again = await boot({ networks: [{ port: port.id }] });
  assert.equal(again.body.conflictingRequest.message, `Port ${port.id} is still in use.`);

  assert.equal((await demo.call('DELETE', 'compute', `/servers/${id}`)).status, 204);
  await isGone(id);
  const left = (await demo.call('GET', 'network', `/ports?network_id=${networkId}&device_owner=&fields=id`))
    .body.ports;
  assert.deepEqual(left, [{ id: port.id }], 'the port that was made before stays, Nova’s own is gone');
  const freed = (await demo.call('GET', 'network', `/ports/${port.id}`)).body.port;
  assert.deepEqual([freed.device_id, freed.status], ['', 'DOWN']);
});

test('metadata steers failures and delays', async () => {
  const failed = await boot({ metadata: { fake_fail: 'spawn' }, networks: [{ uuid: networkId }] });
  const server = await reaches(failed.body.server.id, 'ERROR');
  assert.equal(server.fault.code, 500);
  assert.match(server.fault.message, /Exhausted all hosts/);
  assert.deepEqual(server.addresses, {});

  const stuck = await bootActive({ metadata: { fake_fail: 'delete' } });
  await demo.call('DELETE', 'compute', `/servers/${stuck}`);
  assert.match((await reaches(stuck, 'ERROR')).fault.message, /fake_fail=delete/);

  const slow = await boot({ metadata: { fake_delay: '3600' } });
  await until(
    () => show(slow.body.server.id),
    (found) => found['OS-EXT-STS:task_state'] === 'spawning',
  );
  await demo.call('DELETE', 'compute', `/servers/${slow.body.server.id}`);
  await isGone(slow.body.server.id);
});

test('what cannot be built is refused before anything is made', async () => {
  const refused: [object, number, RegExp][] = [
    [{ flavorRef: 'none' }, 400, /Flavor none could not be found/],
    [{ imageRef: '00000000-0000-0000-0000-000000000000' }, 400, /Can not find requested image/],
    [{ networks: [{ uuid: '00000000-0000-0000-0000-000000000000' }] }, 400, /Network .* could not be found/],
    [{ availability_zone: 'moon' }, 400, /availability zone is not available/],
    [{ availability_zone: 'nova:worker1' }, 403, /forced_host/],
    [{ key_name: 'none' }, 400, /Invalid key_name/],
    [{ nonsense: 1 }, 400, /'nonsense' was unexpected/],
    [{ min_count: 11 }, 403, /Quota exceeded for instances: Requested 11/],
  ];
  const before = (await demo.call('GET', 'compute', '/servers')).body.servers.length;
  for (const [more, status, message] of refused) {
    const answer = await boot(more);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.text, message);
  }
  assert.equal((await demo.call('GET', 'compute', '/servers')).body.servers.length, before);
});

test('actions change the state, and in the wrong state are 409', async () => {
  const id = await bootActive();
  const refused = await act(id, { 'os-start': null });
  assert.equal(refused.status, 409);
  assert.equal(
    refused.body.conflictingRequest.message,
    `Cannot 'start' instance ${id} while it is in vm_state active`,
  );
  assert.equal((await act(id, { 'os-stop': null })).status, 202);
  await reaches(id, 'SHUTOFF');
  assert.equal((await act(id, { reboot: { type: 'SOFT' } })).status, 409);
  await act(id, { 'os-start': null });
  await reaches(id, 'ACTIVE');
  await act(id, { lock: null });
  assert.equal((await demo.call('DELETE', 'compute', `/servers/${id}`)).status, 409);
  await act(id, { unlock: null });
  await act(id, { resize: { flavorRef: '84' } });
  assert.equal((await reaches(id, 'VERIFY_RESIZE')).flavor.ram, 1024);
  assert.equal((await act(id, { confirmResize: null })).status, 204);
  await reaches(id, 'ACTIVE');
  await demo.call('DELETE', 'compute', `/servers/${id}`);
  await isGone(id);
});

test('microversions change what is shown, and an unknown one is a 406', async () => {
  const id = await bootActive({ tags: ['slice-1'] });
  const at = async (version: string) =>
    (
      await demo.call('GET', 'compute', `/servers/${id}`, undefined, {
        'openstack-api-version': `compute ${version}`,
      })
    ).body.server;
  assert.equal((await at('2.1')).tags, undefined);
  assert.deepEqual((await at('2.26')).tags, ['slice-1']);
  assert.equal((await at('2.46')).flavor.id, '42');
  assert.equal((await at('2.47')).flavor.original_name, 'm1.nano');
  const unknown = await demo.call('GET', 'compute', '/servers', undefined, {
    'openstack-api-version': 'compute 2.94',
  });
  assert.equal(unknown.status, 406);
  assert.match(unknown.body.computeFault.message, /Minimum is 2\.1 and maximum is 2\.93/);
  await demo.call('DELETE', 'compute', `/servers/${id}`);
  await isGone(id);
});

test('servers are listed by project, name, status and tags, page by page', async () => {
  const ids: string[] = [];
  for (const name of ['page-1', 'page-2', 'page-3']) ids.push(await bootActive({ name, tags: [name] }));
  const names = async (query: string, session = demo) => {
    const answer = await session.call('GET', 'compute', `/servers?${query}`, undefined, LATEST);
    return answer.body.servers.map((server: { name: string }) => server.name);
  };
  assert.deepEqual(await names('name=^page-'), ['page-3', 'page-2', 'page-1']);
  assert.deepEqual(await names('tags=page-2'), ['page-2']);
  assert.deepEqual(await names('name=page&status=SHUTOFF'), []);
  assert.deepEqual(await names('name=page', admin), []);
  assert.deepEqual(await names(`name=page&all_tenants=1&project_id=${demo.projectId}`, admin), [
    'page-3',
    'page-2',
    'page-1',
  ]);

  const seen: string[] = [];
  let path: string | undefined = '/servers?name=page&limit=2';
  while (path) {
    const page: Page = (await demo.call('GET', 'compute', path)).body;
    seen.push(...page.servers.map((server: { name: string }) => server.name));
    const next: string | undefined = page.servers_links?.[0].href;
    path = next?.slice(next.indexOf('/servers'));
  }
  assert.deepEqual(seen, ['page-3', 'page-2', 'page-1']);
  for (const id of ids) await demo.call('DELETE', 'compute', `/servers/${id}`);
  for (const id of ids) await isGone(id);
});

test('a full cloud ends builds in ERROR with NoValidHost', async () => {
  const small = await start({ hypervisors: 1 });
  try {
    const session = await logIn(small);
    const server = { name: 'big', imageRef: imageId, flavorRef: '5', networks: 'none', min_count: 2 };
    await session.call('POST', 'compute', '/servers', { server }, LATEST);
    const list = () => session.call('GET', 'compute', '/servers/detail', undefined, LATEST);
    const found = await until(list, (answer) =>
      answer.body.servers.every((item: { status: string }) => item.status !== 'BUILD'),
    );
    const failed = found.body.servers.filter((item: { status: string }) => item.status === 'ERROR');
    assert.equal(failed.length, 2, 'a disk of 160 GB fits on no host of 150 GB');
    assert.match(failed[0].fault.message, /No valid host was found/);
  } finally {
    await small.close();
  }
});

test('a volume is attached, cannot be deleted meanwhile, and comes free again', async () => {
  const id = await bootActive();
  const made = await demo.call('POST', 'volume', `/${demo.projectId}/volumes`, {
    volume: { size: 1, name: 'data' },
  });
  assert.equal(made.status, 202);
  assert.equal(made.body.volume.status, 'creating');
  const volume = made.body.volume.id;
  const has = (status: string) =>
    until(
      async () => (await demo.call('GET', 'volume', `/${demo.projectId}/volumes/${volume}`)).body.volume,
      (found) => (found?.status ?? 'gone') === status,
    );
  await has('available');
  const path = `/servers/${id}/os-volume_attachments`;
  assert.equal(
    (await demo.call('POST', 'compute', path, { volumeAttachment: { volumeId: volume } })).status,
    200,
  );
  assert.equal((await has('in-use')).attachments[0].server_id, id);
  assert.equal((await demo.call('DELETE', 'volume', `/${demo.projectId}/volumes/${volume}`)).status, 400);
  assert.equal((await demo.call('DELETE', 'compute', `${path}/${volume}`)).status, 202);
  await has('available');
  const extend = { 'os-extend': { new_size: 2 } };
  assert.equal(
    (await demo.call('POST', 'volume', `/${demo.projectId}/volumes/${volume}/action`, extend)).status,
    202,
  );
  assert.equal((await has('available')).size, 2);
  await demo.call('DELETE', 'volume', `/${demo.projectId}/volumes/${volume}`);
  await has('gone');
  await demo.call('DELETE', 'compute', `/servers/${id}`);
  await isGone(id);
});

test('volumes beyond the quota are a 413 with Retry-After', async () => {
  const answer = await demo.call('POST', 'volume', `/${demo.projectId}/volumes`, { volume: { size: 1001 } });
  assert.equal(answer.status, 413);
  assert.equal(answer.headers.get('retry-after'), '0');
  assert.match(answer.body.overLimit.message, /^VolumeSizeExceedsAvailableQuota/);
});

test('another project’s path in Cinder is refused', async () => {
  const answer = await demo.call('GET', 'volume', `/${admin.projectId}/volumes`);
  assert.equal(answer.status, 400);
  assert.equal(answer.body.badRequest.message, 'Malformed request url');
});

test('quotas are shown, changed by admins only, and not below what is used', async () => {
  const id = await bootActive();
  const path = `/os-quota-sets/${demo.projectId}`;
  const detail = await demo.call('GET', 'compute', `${path}/detail`, undefined, LATEST);
  assert.ok(detail.body.quota_set.cores.in_use >= 1);
  assert.equal((await demo.call('PUT', 'compute', path, { quota_set: { cores: 1 } })).status, 403);
  const low = await admin.call('PUT', 'compute', path, { quota_set: { instances: 0 } });
  assert.match(low.body.badRequest.message, /must be greater than or equal to already used/);
  await demo.call('DELETE', 'compute', `/servers/${id}`);
  await isGone(id);
});

test('the flavors and images of the original are there', async () => {
  const flavors = (await demo.call('GET', 'compute', '/flavors/detail')).body.flavors;
  const small = flavors.find((flavor: { name: string }) => flavor.name === 'm1.small');
  assert.deepEqual([small.vcpus, small.ram, small.disk], [1, 1536, 10]);
  const images = (await demo.call('GET', 'image', '/images')).body.images;
  const names = images.map((image: { name: string }) => image.name);
  for (const name of [
    'ubuntu-20.04-server-cloudimg',
    'ubuntu-22.04-server-cloudimg',
    'centos-8-stream-cloudimg',
    'alpine-linux-cloudimg',
  ]) {
    assert.ok(names.includes(name), name);
  }
});

test('a server that is asked for in a wrong form is refused in Nova’s words', async () => {
  const refusal = async (more: object, version = '2.1') => {
    const server = { name: 'x', flavorRef: '1', ...more };
    const headers = { 'x-openstack-nova-api-version': version };
    const answer = await demo.call('POST', 'compute', '/servers', { server }, headers);
    return `${answer.status} ${answer.body.badRequest?.message}`;
  };
  assert.match(await refusal({ networks: 'none' }), /^400 .*networks.*'none' is not of type 'array'$/);
  assert.match(await refusal({ networks: [{ uuid: 'x' }] }), /^400 Bad networks format: network uuid/);
  assert.match(await refusal({ networks: [{ tag: 'x' }] }), /^400 .*'tag' was unexpected\)$/);
  assert.match(await refusal({ user_data: 'x' }), /^400 .*'x' is not a 'base64'$/);
  assert.match(
    await refusal({ metadata: { 'a/b': 'c' } }),
    /^400 .*'a\/b' does not match any of the regexes/,
  );
  assert.match(await refusal({ config_drive: 'maybe' }), /^400 .*'maybe' is not one of \[True, 'True'/);
  assert.match(await refusal({ networks: [], hostname: 'A_B' }, '2.90'), /^400 .*hostname.*does not match/);
});
