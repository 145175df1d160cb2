// Real processes, killed and stopped in the middle of their work: whoever is left, or comes back, ends it without help, and
// the sandbox's tables hold what was asked for, once.

import { after, before, test } from 'node:test';
import { wait } from '#common/time.ts';
import { type Mesh, removeMesh, startMesh } from '../support/mesh.ts';
import { NODES, type RingUser, ringUser } from './rings.ts';

let mesh: Mesh;
let ring: RingUser;
before(async () => {
  mesh = await startMesh();
  ring = await ringUser(mesh);
});
after(() => mesh && removeMesh(mesh));

const victims: readonly (readonly string[])[] = [
  ['openstack'],
  ['slice'],
  ['slice', 'openstack'],
  ['gateway'],
];

for (const names of victims) {
  test(`a deployment ends though ${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} killed in its middle`, async () => {
    const id = await ring.deployHalf();
    for (const name of names) await mesh.killService(name);
    await ring.untilStatus(id, 'active');
    await ring.assertHolds([{ id, nodes: NODES }]);
    await ring.remove(id);
  });
}

test('a deployment ends though PostgreSQL is killed in its middle', async () => {
  const id = await ring.deployHalf();
  await mesh.killDatabase();
  await ring.untilStatus(id, 'active');
  await ring.assertHolds([{ id, nodes: NODES }]);
  await ring.remove(id);
});

test('a removal ends though both services are killed in its middle', async () => {
  const id = await ring.deployHalf(2);
  await ring.untilStatus(id, 'active');
  await ring.user.json('DELETE', `/api/slices/${id}`);
  await mesh.killService('openstack');
  await mesh.killService('slice');
  await ring.untilGone(id);
  await ring.assertHolds([]);
});

test('a slice that is deleted while it is deployed is gone though openstack is killed meanwhile', async () => {
  const id = await ring.deployHalf();
  await ring.user.json('DELETE', `/api/slices/${id}`);
  await mesh.killService('openstack');
  await ring.untilGone(id);
  await ring.assertHolds([]);
});

test('a service that is stopped past its lease and goes on later makes no duplicate', async () => {
  for (const name of ['openstack', 'slice'] as const) {
    const id = await ring.deployHalf();
    await mesh.pauseService(name);
    try {
      // Longer than a worker may be silent before it loses its slice.
      await wait(12_000);
    } finally {
      await mesh.continueService(name);
    }
    await ring.untilStatus(id, 'active');
    await ring.assertHolds([{ id, nodes: NODES }]);
    await ring.remove(id);
  }
});
