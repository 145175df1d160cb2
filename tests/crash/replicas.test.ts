// Two replicas of slice and of openstack on one database: they share the work, and one that is stopped past its lease finds,
// when it goes on, that another one has ended it.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { testDatabaseUrl } from '../support/database.ts';
import { type Mesh, removeMesh, startMesh, until } from '../support/mesh.ts';
import { NODES, type RingUser, ringUser } from './rings.ts';

const ROOT = resolve(import.meta.dirname, '../..');

let mesh: Mesh;
let ring: RingUser;
let shared: Record<string, string>;
const replicas: ChildProcess[] = [];
before(async () => {
  const env = {
    DATABASE_URL: await testDatabaseUrl(),
    JWT_SECRET_KEY: 'a secret of the replicas, long enough to sign',
    SLICE_WORKERS: '1',
  };
  mesh = await startMesh({ env });
  ring = await ringUser(mesh);
  shared = {
    ...env,
    HOST: '127.0.0.1',
    AUTH_SERVICE_URL: `http://localhost:${mesh.ports.AUTH_PORT}`,
    OPENSTACK_AUTH_URL: `http://127.0.0.1:${mesh.ports.SANDBOX_PORT}/identity/v3`,
    OPENSTACK_USERNAME: 'admin',
    OPENSTACK_PASSWORD: 'sandbox',
    OPENSTACK_PROJECT_NAME: 'admin',
  };
});
after(async () => {
  for (const replica of replicas) replica.kill('SIGKILL');
  if (mesh) await removeMesh(mesh);
});

test('a worker that is stopped past its lease loses its slice, and makes no duplicate when it goes on', async () => {
  const id = await ring.deployHalf();
  await mesh.pauseService('openstack');
  await mesh.pauseService('slice');
  try {
    await startPair();
    const holds = () =>
      ring.assertHolds([{ id, nodes: NODES }]).then(
        () => '',
        (error: unknown) => String(error),
      );
    await until(holds, (problem) => problem === '', 120_000);
  } finally {
    await mesh.continueService('openstack');
    await mesh.continueService('slice');
  }
  await ring.untilStatus(id, 'active');
  await ring.assertHolds([{ id, nodes: NODES }]);
  await ring.remove(id);
});

test('two replicas share the work, and each slice is worked on by one', async () => {
  const pair = await startPair();
  const ids: string[] = [];
  for (let count = 0; count < 4; count += 1) ids.push(await ring.create(2));
  for (const id of ids) await ring.untilStatus(id, 'active');
  await ring.assertHolds(ids.map((id) => ({ id, nodes: 2 })));
  const begun = ids.filter((id) =>
    pair.lines().some((line) => line.includes('work begins') && line.includes(id)),
  );
  assert(begun.length > 0, 'the second replica had its share');
  for (const id of ids) await ring.user.json('DELETE', `/api/slices/${id}`);
  for (const id of ids) await ring.untilGone(id);
  await ring.assertHolds([]);
});

/** One more slice service with an openstack service of its own. */
async function startPair() {
  const openstack = await startProcess('openstack', { OPENSTACK_PORT: '0' });
  const url = `http://127.0.0.1:${openstack.port}`;
  return await startProcess('slice', { SLICE_PORT: '0', OPENSTACK_SERVICE_URL: url });
}

async function startProcess(name: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [join(ROOT, `services/${name}/main.ts`)], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...shared, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  replicas.push(child);
  const lines: string[] = [];
  const listening = new Promise<number>((done) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      const { message, port } = JSON.parse(line) as { message?: string; port?: number };
      if (message === 'listening' && port) done(port);
    });
  });
  const exited = once(child, 'exit').then(() =>
    assert.fail(`${name} ended before it listened:\n${lines.join('\n')}`),
  );
  const port = await Promise.race([listening, exited]);
  exited.catch(() => {});
  return { port, lines: () => lines };
}
