// Slices that somebody else has changed behind the orchestrator's back, and slices that are hard to be rid of: over REST,
// with the user's own means of the openstack service.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Api, type Json, signIn, slice } from '../support/api.ts';
import { type Mesh, removeMesh, startMesh, until } from '../support/mesh.ts';

let mesh: Mesh;
let user: Api;
let admin: Api;
before(async () => {
  mesh = await startMesh({ env: { SLICE_CHECK_INTERVAL_S: '2' } });
  user = await signIn(mesh.gateway, 'testuser', 'testpass123');
  admin = await signIn(mesh.gateway, 'admin', 'admin123');
});
after(() => removeMesh(mesh));

test('a server deleted at the cloud shows as drift by itself, and a repair brings it back', async () => {
  const id = await deployed('drifting', 2);
  const [first, second] = (await user.json('GET', `/api/slices/${id}`)).nodes;
  await user.json('DELETE', `/api/openstack/instances/${first.vm_id}`);

  const drifted = await until(
    () => user.json('GET', `/api/slices/${id}`),
    ({ drift }) => drift?.in_sync === false,
  );
  assert.equal(drifted.status, 'active');
  assert.deepEqual(drifted.drift.items, [
    { resource_kind: 'server', resource_name: 'vm1', cloud_id: '', action: 'create', reason: 'missing' },
  ]);
  const [listed] = await user.list('GET', '/api/slices');
  assert.equal(listed.drift.summary, 'server vm1: missing');
  assert.match((await user.json('GET', `/api/slices/${id}/status`)).message, /server vm1: missing/);

  assert.equal((await user.json('POST', `/api/slices/${id}/repair`, {})).status, 'deploying');
  const repaired = await untilStatus(id, 'active');
  assert.equal((await user.json('POST', `/api/slices/${id}/check`, {})).in_sync, true);
  assert.equal(repaired.nodes[0].ip_address, first.ip_address);
  assert.notEqual(repaired.nodes[0].vm_id, first.vm_id);
  assert.equal(repaired.nodes[1].vm_id, second.vm_id);
  assert.match((await user.json('POST', `/api/slices/${id}/repair`, {})).message, /^Nothing to do/);
  const told = (await history(id)).filter(({ type }) => type === 'drift');
  assert.deepEqual(
    told.map(({ message }) => message),
    ['The cloud differs from the slice, and a repair brings it back: server vm1: missing'],
  );
  await deleted(id);
});

test('a slice half of which is gone is deleted, and so is one that is still being deployed', async () => {
  const half = await deployed('half-gone', 2);
  const [{ vm_id }] = (await user.json('GET', `/api/slices/${half}`)).nodes;
  await user.json('DELETE', `/api/openstack/instances/${vm_id}`);
  await deleted(half);

  const { id: early } = await user.json('POST', '/api/slices', slice('early', 3));
  await until(
    () => user.json('GET', `/api/slices/${early}`),
    ({ percent }) => percent > 0,
  );
  await deleted(early);
});

test('a user’s own port on a network of the slice holds up its removal, is named, and nothing else is left', async () => {
  const id = await deployed('held');
  const [{ openstack_network_id: network_id }] = (await user.json('GET', `/api/slices/${id}`)).networks;
  const port = await user.json('POST', '/api/openstack/ports', { network_id, name: 'my own' });
  await user.json('DELETE', `/api/slices/${id}`);

  const held = await until(
    () => user.json('GET', `/api/slices/${id}`),
    ({ error_message }) => error_message !== '',
  );
  assert.equal(held.status, 'deleting');
  assert.match(held.error_message, new RegExp(`in use by port ${port.id} \\("my own"\\)`));
  assert.match((await user.json('GET', `/api/slices/${id}/status`)).message, new RegExp(port.id));
  assert.deepEqual(await serversOf(id), []);

  await user.json('DELETE', `/api/openstack/ports/${port.id}`);
  await untilGone(id);
});

test('an admin abandons a slice that its user cannot get rid of, and finds it in the audit log', async () => {
  const id = await deployed('hopeless');
  assert.equal((await user.send('POST', `/api/slices/${id}/abandon`, { reason: 'mine' })).status, 403);
  assert.equal((await user.send('GET', '/api/audit')).status, 403);
  assert.equal((await admin.send('POST', `/api/slices/${id}/abandon`, {})).status, 400);

  const entry = await admin.json('POST', `/api/slices/${id}/abandon`, { reason: 'the cloud is gone' });

  assert.deepEqual([entry.actor, entry.owner, entry.action], ['admin', 'testuser', 'abandon']);
  assert.equal((await user.send('GET', `/api/slices/${id}`)).status, 404);
  const [latest] = await admin.list('GET', '/api/audit?page_size=1');
  assert.deepEqual(latest, entry);
  const left = entry.left.find(({ resource_kind }: Json) => resource_kind === 'server');
  assert.equal((await user.json('GET', `/api/openstack/instances/${left.cloud_id}`)).status, 'active');
  const last = (await history(id)).at(-1);
  assert.deepEqual([last?.type, last?.status], ['state', 'abandoned']);
});

async function deployed(name: string, nodes = 1): Promise<string> {
  const { id } = await user.json('POST', '/api/slices', slice(name, nodes));
  await untilStatus(id, 'active');
  return id;
}

function untilStatus(id: string, wanted: string): Promise<Json> {
  return until(
    () => user.json('GET', `/api/slices/${id}`),
    ({ status }) => status === wanted,
  );
}

async function deleted(id: string): Promise<void> {
  await user.json('DELETE', `/api/slices/${id}`);
  await untilGone(id);
}

async function untilGone(id: string): Promise<void> {
  await until(
    () => user.list('GET', '/api/slices'),
    (slices) => !slices.some((one) => one.id === id),
  );
  assert.deepEqual(await serversOf(id), []);
  const networks = await user.list('GET', '/api/openstack/networks');
  assert.deepEqual(
    networks.filter(({ slice_id }) => slice_id === id),
    [],
  );
}

async function serversOf(id: string): Promise<Json[]> {
  return (await user.list('GET', '/api/openstack/instances')).filter(({ slice_id }) => slice_id === id);
}

async function history(id: string): Promise<Json[]> {
  const lines = await (await user.send('GET', `/api/slices/${id}/events?after=0&follow=false`)).text();
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
