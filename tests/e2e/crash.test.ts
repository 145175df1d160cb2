// What is left after Ctrl-C and after kill -9: everything that was stored, and nothing else running.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signIn, slice } from '../support/api.ts';
import { removeMesh, startMesh, until } from '../support/mesh.ts';

test('after Ctrl-C the next start finds the slices and their servers again', async () => {
  const first = await startMesh();
  const before = await signIn(first.gateway, 'testuser', 'testpass123');
  const { id } = await before.json('POST', '/api/slices', slice('kept'));
  await until(
    () => before.json('GET', `/api/slices/${id}`),
    ({ status }) => status === 'active',
  );
  await first.stop();
  await assert.rejects(fetch(`${first.gateway}/health`), 'nothing listens any more');

  const second = await startMesh({ dataDir: first.dataDir, ports: first.ports });
  try {
    const after = await signIn(second.gateway, 'testuser', 'testpass123');
    const found = await after.json('GET', `/api/slices/${id}`);
    assert.equal(found.status, 'active');
    const vm = found.nodes[0].vm_id;
    assert.equal((await after.json('GET', `/api/openstack/instances/${vm}`)).status, 'active');
    await after.json('DELETE', `/api/slices/${id}`);
    await until(
      () => after.list('GET', '/api/slices'),
      (slices) => slices.length === 0,
    );
  } finally {
    await removeMesh(second);
  }
});

test('after kill -9 of every process in the middle of a deployment, the next start finishes it', async () => {
  const first = await startMesh();
  const before = await signIn(first.gateway, 'testuser', 'testpass123');
  const { id } = await before.json('POST', '/api/slices', slice('cut-short', 4));
  await until(
    () => before.json('GET', `/api/slices/${id}`),
    ({ percent }) => percent > 0,
  );
  await first.kill();

  const second = await startMesh({ dataDir: first.dataDir, ports: first.ports });
  try {
    const after = await signIn(second.gateway, 'testuser', 'testpass123');
    const found = await until(
      () => after.json('GET', `/api/slices/${id}`),
      ({ status }) => status !== 'deploying',
    );
    assert.equal(found.status, 'active', found.error_message);
    const servers = await after.list('GET', '/api/openstack/instances');
    assert.equal(servers.length, 4, 'no duplicate and none missing');
    await after.json('DELETE', `/api/slices/${id}`);
    await until(
      () => after.list('GET', '/api/slices'),
      (left) => left.length === 0,
    );
    assert.deepEqual(await after.list('GET', '/api/openstack/instances'), []);
    const networks = await after.list('GET', '/api/openstack/networks');
    assert.deepEqual(
      networks.filter(({ slice_id }) => slice_id === id),
      [],
    );
  } finally {
    await removeMesh(second);
  }
});

test('after kill -9 of the launcher alone, what it started ends and the next start works', async () => {
  const first = await startMesh();
  await first.killLauncher();
  const second = await startMesh({ dataDir: first.dataDir, ports: first.ports });
  try {
    await signIn(second.gateway, 'testuser', 'testpass123');
  } finally {
    await removeMesh(second);
  }
});

test('a database that is killed comes back, and until then is told as such', async () => {
  const mesh = await startMesh();
  try {
    const user = await signIn(mesh.gateway, 'testuser', 'testpass123');
    await mesh.killDatabase();
    const statuses = new Set<number>();
    await until(
      async () => {
        const { status } = await user.send('GET', '/api/slices');
        statuses.add(status);
        return status;
      },
      (status) => status === 200,
    );
    assert.deepEqual(
      [...statuses].filter((status) => status !== 200 && status !== 503),
      [],
    );
  } finally {
    await removeMesh(mesh);
  }
});
