import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMarker, neutronFilter, neutronMark, ownerOf, serverMark, volumeMark } from './tagging.ts';
import { context, failureOf, startFakeCloud } from './testing/fake-cloud.ts';

test('many networks are made in one call', async () => {
  await using fake = await startFakeCloud();
  fake.on('POST', '/network/v2.0/networks', { status: 201, json: { networks: [{ id: '1' }, { id: '2' }] } });
  const { neutron } = fake.cloud.project('home');
  const made = await neutron.networks.createMany([{ name: 'a' }, { name: 'b' }], context());
  assert.equal(made.length, 2);
  assert.deepEqual(fake.requests[0]?.body, { networks: [{ name: 'a' }, { name: 'b' }] });
  assert.deepEqual(await neutron.networks.createMany([], context()), []);
  assert.equal(fake.requests.length, 1);
});

test('a new server’s administrator password goes no further', async () => {
  await using fake = await startFakeCloud();
  const json = { server: { id: 's1', adminPass: 'hush' } };
  fake.on('POST', '/compute/v2.1/servers', { status: 202, json });
  const server = { name: 'vm1', flavorRef: 'f', imageRef: 'i', networks: [{ port: 'p' }], tags: ['t'] };
  const made = await fake.cloud.project('home').nova.createServer(server, context());
  assert.deepEqual(made, { id: 's1' });
  assert.deepEqual(fake.requests[0]?.body, { server });
});

test('the address of a console stands in no record of the call', async () => {
  await using fake = await startFakeCloud();
  const remote_console = { protocol: 'vnc', type: 'novnc', url: 'http://c/vnc?token=hush' };
  fake.on('POST', '/compute/v2.1/servers/s1/remote-consoles', { json: { remote_console } });
  const { nova } = fake.cloud.project('home');
  const made = await nova.createConsole('s1', { protocol: 'vnc', type: 'novnc' }, context());
  assert.equal(made.url, remote_console.url);
  assert.ok(fake.calls.some(({ route }) => route === '/servers/{id}/remote-consoles'));
  assert.doesNotMatch(JSON.stringify(fake.calls), /hush/);
});

test('lists are filtered as each service reads it', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', '/compute/v2.1/servers/detail', { json: { servers: [] } });
  fake.on('GET', '/network/v2.0/ports', { json: { ports: [] } });
  fake.on('GET', '/volume/v3/home-id/volumes/detail', { json: { volumes: [] } });
  const { nova, neutron, cinder } = fake.cloud.project('home');
  await nova.listServers({ name: 'vm.1', tags: ['a', 'b'], allProjects: true, projectId: 'p' }, context());
  await neutron.ports.list({ device_id: ['r1', 'r2'], fields: ['id', 'name'], tags: ['a', 'b'] }, context());
  await cinder.listVolumes({ metadata: { k: 'v' } }, context());
  const [servers, ports, volumes] = fake.requests.map(({ query }) => query);
  assert.equal(servers?.get('name'), '^vm\\.1$');
  assert.equal(servers?.get('tags'), 'a,b');
  assert.equal(servers?.get('all_tenants'), '1');
  assert.equal(servers?.get('project_id'), 'p');
  assert.deepEqual(ports?.getAll('device_id'), ['r1', 'r2']);
  assert.deepEqual(ports?.getAll('fields'), ['id', 'name']);
  assert.equal(ports?.get('tags'), 'a,b');
  assert.equal(volumes?.get('metadata'), '{"k":"v"}');
});

test('connecting a router that is connected, or disconnecting one that is not, is no error', async () => {
  await using fake = await startFakeCloud();
  const { neutron } = fake.cloud.project('home');
  const say = (status: number, type: string, message: string) => ({
    status,
    json: { NeutronError: { type, message, detail: '' } },
  });
  const add = '/network/v2.0/routers/r1/add_router_interface';
  fake.on('PUT', add, say(400, 'BadRequest', 'Bad router request: Router already has a port on subnet s.'));
  await neutron.addRouterInterface('r1', { subnet_id: 's' }, context());
  fake.on('PUT', add, say(409, 'PortInUse', 'Port already has an attached device r1.'));
  await neutron.addRouterInterface('r1', { port_id: 'p' }, context());
  fake.on('PUT', add, say(409, 'PortInUse', 'Port already has an attached device r2.'));
  assert.equal(
    (await failureOf(neutron.addRouterInterface('r1', { port_id: 'p' }, context()))).reason,
    'IN_USE',
  );
  const remove = '/network/v2.0/routers/r1/remove_router_interface';
  fake.on(
    'PUT',
    remove,
    say(404, 'RouterInterfaceNotFoundForSubnet', 'Router r1 has no interface on subnet s'),
  );
  await neutron.removeRouterInterface('r1', { subnet_id: 's' }, context());
});

test('a role that the cloud does not have, or a name that two users share, is said in words', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', '/identity/v3/roles', { json: { roles: [] } });
  fake.on('GET', '/identity/v3/users', { json: { users: [{ id: '1' }, { id: '2' }] } });
  const { keystone } = fake.cloud.project('home');
  assert.equal((await failureOf(keystone.findRole('member', context()))).reason, 'ROLE_NOT_FOUND');
  assert.equal((await failureOf(keystone.findUser('ana', {}, context()))).reason, 'USER_AMBIGUOUS');
});

test('a marker is written as each kind keeps it, and read back from each', () => {
  const marker = createMarker('pucp-slice', '6a9c1b52');
  assert.deepEqual(neutronMark(marker), { description: 'pucp-slice:6a9c1b52' });
  assert.deepEqual(serverMark(marker), { tags: ['pucp-slice:6a9c1b52'] });
  assert.deepEqual(volumeMark(marker), { metadata: { 'pucp-slice': '6a9c1b52' } });
  for (const resource of [neutronMark(marker), serverMark(marker), volumeMark(marker)]) {
    assert.equal(ownerOf('pucp-slice', resource), '6a9c1b52');
  }
  assert.equal(ownerOf('pucp-slice', { description: 'something a person wrote', tags: ['x'] }), undefined);
  assert.deepEqual(neutronFilter(marker, createMarker('pucp-slice', 'b')), {
    description: ['pucp-slice:6a9c1b52', 'pucp-slice:b'],
  });
});

test('a marker that Nova could not keep is refused before anything is made', () => {
  assert.throws(() => createMarker('pucp-slice', 'a,b'), { reason: 'MARKER_INVALID' });
  assert.throws(() => createMarker('pucp-slice', 'a/b'), { reason: 'MARKER_INVALID' });
  assert.throws(() => createMarker('pucp-slice', 'x'.repeat(60)), { reason: 'MARKER_INVALID' });
});
