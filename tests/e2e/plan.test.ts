// Looking before leaping, over REST: plans, requests that are only checked, and what does not fit.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Api, type Json, signIn, slice } from '../support/api.ts';
import { type Mesh, removeMesh, startMesh, until } from '../support/mesh.ts';

let mesh: Mesh;
let user: Api;
before(async () => {
  mesh = await startMesh();
  user = await signIn(mesh.gateway, 'testuser', 'testpass123');
});
after(() => removeMesh(mesh));

test('a slice is planned before it is stored and before it is deployed, and the plan shown is the plan run', async () => {
  const asked = slice('planned');
  const response = await user.send('POST', '/api/slices?validate_only=true', asked);
  assert.equal(response.status, 200, 'nothing was created');
  const checked: Json = await response.json();
  assert.deepEqual([checked.id, checked.status, checked.plan.summary], ['', null, '4 to create']);
  assert.deepEqual(await user.list('GET', '/api/slices'), []);
  const misspelt = await user.send('POST', '/api/slices?validate=true', asked);
  assert.equal(misspelt.status, 400);
  assert.deepEqual(await user.list('GET', '/api/slices'), []);

  const draft = await user.send('POST', '/api/slices', { ...asked, deploy: false });
  assert.equal(draft.status, 201);
  const { id }: Json = await draft.json();
  const plan = await user.json('POST', `/api/slices/${id}/plan`);
  assert.deepEqual(
    plan.steps.map(({ action, resource_kind, resource_name, reason }: Json) => [
      action,
      resource_kind,
      resource_name,
      reason,
    ]),
    [
      ['create', 'network', 'net1', 'missing'],
      ['create', 'subnet', 'net1', 'missing'],
      ['create', 'port', 'vm1-net1', 'missing'],
      ['create', 'server', 'vm1', 'missing'],
    ],
  );
  assert.deepEqual(
    await user.list('GET', '/api/openstack/projects'),
    [],
    'nothing was made, not even a project',
  );
  const instances = plan.quotas.find(({ name }: Json) => name === 'instances');
  assert.deepEqual([instances.needed, instances.used], [1, 0]);
  const other = await user.send('POST', `/api/slices/${id}/deploy`, { plan_digest: 'of another plan' });
  assert.equal(other.status, 409);
  const { reason }: Json = await other.json();
  assert.equal(reason, 'PLAN_OUTDATED');
  await user.json('POST', `/api/slices/${id}/deploy`, { plan_digest: plan.digest });
  const running = await until(
    () => user.json('GET', `/api/slices/${id}`),
    ({ status }) => status === 'active' || status === 'error',
  );
  assert.equal(running.status, 'active', running.error_message);
  const kept = await user.json('POST', `/api/slices/${id}/plan`);
  assert.deepEqual([kept.counts, kept.summary, kept.quotas], [{ keep: 4 }, 'nothing to do', []]);
});

test('a slice that does not fit into the project is refused with all numbers, and nothing is left of it', async () => {
  const asked = slice('too-big');
  // The user's project has room for 10 volumes.
  asked.nodes[0].volumes = Array.from({ length: 11 }, () => ({ size: 1 }));
  const count = (await user.list('GET', '/api/slices')).length;
  const refused = await user.send('POST', '/api/slices', asked);
  assert.equal(refused.status, 429);
  const { reason, error, metadata }: Json = await refused.json();
  assert.equal(reason, 'QUOTA_EXCEEDED');
  assert.match(error, /volumes: 11 needed, 0 of 10 used/);
  assert.deepEqual(metadata, {
    volumes_needed: '11',
    volumes_used: '0',
    volumes_reserved: '0',
    volumes_limit: '10',
  });
  assert.equal((await user.list('GET', '/api/slices')).length, count);
});
