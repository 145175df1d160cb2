// Slices that begin and end by the clock, also when the service that keeps it is killed meanwhile, and single nodes that
// are switched off and on.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Api, type Json, signIn, slice } from '../support/api.ts';
import { type Mesh, removeMesh, startMesh, until } from '../support/mesh.ts';

let mesh: Mesh;
let user: Api;
let admin: Api;
before(async () => {
  mesh = await startMesh({ env: { SLICE_MAX_LIFETIME_DAYS: '10' } });
  user = await signIn(mesh.gateway, 'testuser', 'testpass123');
  admin = await signIn(mesh.gateway, 'admin', 'admin123');
});
after(() => removeMesh(mesh));

test('a slice starts and ends at its times, though the service is killed before each', async () => {
  const start_at = inSeconds(4);
  const created = await user.json('POST', '/api/slices', { ...slice('timed', 2), start_at });
  assert.equal(created.status, 'scheduled');
  const { id } = created;
  assert.equal((await user.json('GET', `/api/slices/${id}`)).start_at, start_at);
  await mesh.killService('slice');
  await untilStatus(id, 'active');

  const renewed = await until(
    () => user.json('POST', `/api/slices/${id}/renew`, { expires_at: inSeconds(4) }),
    ({ expires_at }) => expires_at !== undefined,
  );
  assert.equal(renewed.status, 'active');
  await mesh.killService('slice');
  await until(
    () => user.list('GET', '/api/slices').catch(() => [id]),
    (slices) => slices.length === 0,
  );
  assert.deepEqual(await user.list('GET', '/api/openstack/instances'), []);
  const history = await (await user.send('GET', `/api/slices/${id}/events?follow=false`)).text();
  assert.match(history, /The slice has come to its end at 2/);
});

test('renewing has limits for owners, none for admins, and strangers do not find the slice', async () => {
  const draft = { ...slice('kept'), deploy: false, expires_at: inSeconds(3600) };
  const { id } = await user.json('POST', '/api/slices', draft);
  const tooFar = await user.send('POST', `/api/slices/${id}/renew`, { hours: 11 * 24 });
  assert.equal(tooFar.status, 400);
  assert.match(await tooFar.text(), /at most 10 days ahead/);
  assert.equal((await user.json('POST', `/api/slices/${id}/renew`, { hours: 48 })).renewals, 1);
  assert.equal((await user.send('POST', `/api/slices/${id}/renew`, { exempt: true })).status, 403);
  const freed = await admin.json('POST', `/api/slices/${id}/renew`, { exempt: true });
  assert.equal(freed.expires_at, null);
  const past = await user.send('POST', '/api/slices', { ...slice('late'), expires_at: inSeconds(-5) });
  assert.equal(past.status, 400);
  assert.match(await past.text(), /"field":"expires_at"/);
  const stranger = await newUser();
  assert.equal((await stranger.send('POST', `/api/slices/${id}/renew`, { hours: 1 })).status, 404);
  await user.json('DELETE', `/api/slices/${id}`);
});

test('one node is stopped, started and restarted while the others run', async () => {
  const { id } = await user.json('POST', '/api/slices', slice('power', 3));
  await untilStatus(id, 'active');
  const answer = await user.json('POST', `/api/slices/${id}/nodes/vm2/stop`);
  assert.equal(answer.status, 'stopping');
  assert.deepEqual(nodesOf(await untilStatus(id, 'active')), ['vm1 active', 'vm2 shutoff', 'vm3 active']);
  const servers = await user.list('GET', '/api/openstack/instances');
  assert.deepEqual(servers.map(({ status }) => status).sort(), ['active', 'active', 'shutoff']);
  await user.json('POST', `/api/slices/${id}/nodes/vm1/restart`);
  assert.deepEqual(nodesOf(await untilStatus(id, 'active')), ['vm1 active', 'vm2 shutoff', 'vm3 active']);
  await user.json('POST', `/api/slices/${id}/nodes/vm2/start`);
  assert.deepEqual(nodesOf(await untilStatus(id, 'active')), ['vm1 active', 'vm2 active', 'vm3 active']);

  const unknown = await user.send('POST', `/api/slices/${id}/nodes/vm9/stop`);
  assert.equal(unknown.status, 404);
  assert.match(await unknown.text(), /has no node \\"vm9\\"; it has vm1, vm2, vm3/);
  const stranger = await newUser();
  for (const verb of ['stop', 'start', 'restart']) {
    assert.equal((await stranger.send('POST', `/api/slices/${id}/nodes/vm1/${verb}`)).status, 404);
  }
  await user.json('DELETE', `/api/slices/${id}`);
});

function untilStatus(id: string, wanted: string): Promise<Json> {
  return until(
    () => user.json('GET', `/api/slices/${id}`).catch((error: unknown) => ({ error })),
    ({ status }) => status === wanted,
  );
}

function nodesOf({ nodes }: Json): string[] {
  return nodes.map(({ name, status }: Json) => `${name} ${status}`);
}

function inSeconds(seconds: number): string {
  return new Date(Math.round(Date.now() / 1000 + seconds) * 1000).toISOString().replace('.000', '');
}

async function newUser(): Promise<Api> {
  const username = `user${Date.now()}`;
  const account = { username, email: `${username}@example.org`, password: 'a-long-passphrase-1' };
  const response = await user.send('POST', '/api/auth/register', account);
  assert.equal(response.status, 201, await response.text());
  return signIn(mesh.gateway, account.username, account.password);
}
