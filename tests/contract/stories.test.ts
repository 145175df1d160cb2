// What a user lives through with a slice of ten nodes, on the sandbox and on a real cloud alike: the whole mesh over REST,
// processes that are killed, hands of others in the cloud. What the cloud holds, its own API says, asked without our client.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Api, type Json, signUp } from '../support/api.ts';
import { type Mesh, removeMesh, startMesh, until } from '../support/mesh.ts';
import { administrator, logIn, type Openstack, removeProject } from '../support/openstack.ts';
import { isRealCloud } from './contract.ts';

const NODES = 10;
/** Room for ten nodes and two more. */
const QUOTAS = 'instances=12,cores=40,ram=51200,networks=10,subnets=10,ports=100';
const SLOW_MS = 300_000;
const NAME = `stories-${process.pid}`;

let mesh: Mesh;
let user: Api;
/** The user's project, as the cloud's administrator sees it. */
let cloud: Openstack;
let id = '';
before(async () => {
  mesh = await startMesh({ env: { OPENSTACK_QUOTAS: QUOTAS, SLICE_CHECK_INTERVAL_S: '0' } });
  user = await signUp(mesh.gateway, NAME);
});
after(async () => {
  if (!mesh) return;
  try {
    // What a failed test left must not stay in a real cloud, nor outlive its project.
    if (id !== '') {
      await user.send('DELETE', `/api/slices/${id}`);
      await untilGone();
    }
    await removeProject(admin(), `pucp-${NAME}`);
  } finally {
    await removeMesh(mesh);
  }
});

function untilGone(): Promise<unknown> {
  return until(
    () => user.list('GET', '/api/slices').catch(() => [{}]),
    (slices) => slices.length === 0,
    SLOW_MS,
  );
}

function admin() {
  const sandbox = `http://127.0.0.1:${mesh.ports.SANDBOX_PORT}/identity/v3`;
  return isRealCloud ? administrator() : { authUrl: sandbox, name: 'admin', password: 'sandbox' };
}

function spec(nodes: number): Json {
  return {
    name: 'story',
    infrastructure: 'openstack',
    networks: [
      { name: 'left', cidr: '10.81.0.0/24', network_type: 'private' },
      { name: 'right', cidr: '10.82.0.0/24', network_type: 'private' },
    ],
    nodes: Array.from({ length: nodes }, (_, index) => ({
      name: `vm${index + 1}`,
      image: 'cirros',
      flavor: 'm1.tiny',
      networks: [index % 2 === 0 ? 'left' : 'right'],
    })),
  };
}

const slice = (): Promise<Json> => user.json('GET', `/api/slices/${id}`);

/** Whatever is away for a moment, the answer comes. */
async function settled(status: string): Promise<Json> {
  const last = await until(
    () => slice().catch(() => ({})),
    (one) => one.status === status || one.status === 'error',
    SLOW_MS,
  );
  assert.equal(last.status, status, last.error_message);
  return last;
}

/** Every kind of thing in the project that slices are made of, by the cloud's own lists. */
async function held() {
  const list = async (kind: string): Promise<Json[]> =>
    (await cloud.call('GET', 'network', `/${kind}?project_id=${cloud.projectId}`))[kind.replace('-', '_')];
  const { servers } = await cloud.call('GET', 'compute', '/servers/detail');
  const { volumes } = await cloud.call('GET', 'volumev3', '/volumes/detail');
  const ports = await list('ports');
  const groups = await list('security-groups');
  return {
    servers: servers as Json[],
    volumes: volumes as Json[],
    networks: await list('networks'),
    subnets: await list('subnets'),
    routers: await list('routers'),
    floatingips: await list('floatingips'),
    ports: ports.filter(({ device_owner }) => device_owner !== 'network:dhcp'),
    groups: groups.filter(({ name }) => name !== 'default'),
  };
}

function assertHolds(what: Awaited<ReturnType<typeof held>>, nodes: number): void {
  const counts = Object.fromEntries(Object.entries(what).map(([kind, list]) => [kind, list.length]));
  const networks = nodes > 0 ? 2 : 0;
  assert.deepEqual(counts, {
    ...{ servers: nodes, ports: nodes, networks, subnets: networks },
    ...{ volumes: 0, routers: 0, floatingips: 0, groups: 0 },
  });
  assert.deepEqual(
    what.servers.filter(({ status }) => status !== 'ACTIVE'),
    [],
  );
  assert.equal(new Set(what.servers.map(({ name }) => name)).size, nodes, 'each server is there once');
}

test('ten nodes are deployed though both services are killed with -9 in the middle', async () => {
  id = (await user.json('POST', '/api/slices', spec(NODES))).id;
  await until(slice, ({ percent }) => percent > 25, SLOW_MS);
  await mesh.killService('openstack');
  await mesh.killService('slice');
  const { openstack_project_id: projectId, nodes } = await settled('active');
  cloud = await logIn(admin(), { id: projectId });
  assertHolds(await held(), NODES);
  const shown = nodes.map((node: Json) => node.vm_id).sort();
  assert.deepEqual((await held()).servers.map((server) => server.id).sort(), shown);
});

test('a server that somebody deletes in the cloud shows as drift, and a repair brings it back', async () => {
  const { nodes } = await slice();
  const [victim, neighbour] = nodes;
  await cloud.call('DELETE', 'compute', `/servers/${victim.vm_id}`);
  await until(
    async () => (await held()).servers.length,
    (count) => count === NODES - 1,
    SLOW_MS,
  );
  const { in_sync, items } = await user.json('POST', `/api/slices/${id}/check`, {});
  assert.equal(in_sync, false);
  assert.deepEqual(
    items.map((one: Json) => `${one.resource_kind} ${one.resource_name}: ${one.action}`),
    ['server vm1: create'],
  );
  await user.json('POST', `/api/slices/${id}/repair`, {});
  const repaired = await settled('active');
  assert.equal(repaired.nodes[0].ip_address, victim.ip_address);
  assert.notEqual(repaired.nodes[0].vm_id, victim.vm_id);
  assert.equal(repaired.nodes[1].vm_id, neighbour.vm_id);
  assertHolds(await held(), NODES);
});

test('what does not fit is refused with the numbers, and nothing of it is made', async () => {
  const refused = await user.send('POST', '/api/slices', { ...spec(3), name: 'too-much' });
  assert.equal(refused.status, 429);
  const { reason, error } = (await refused.json()) as Json;
  assert.equal(reason, 'QUOTA_EXCEEDED');
  assert.match(error, /instances: 3 needed, 10 of 12 used/);
  assert.equal((await user.list('GET', '/api/slices')).length, 1);
  assertHolds(await held(), NODES);
});

test('a change adds and removes only what differs', async () => {
  const before = await slice();
  const wish = await user.json('GET', `/api/slices/${id}/spec`);
  const nodes = wish.nodes.filter(({ name }: Json) => name !== 'vm10');
  await user.json('PUT', `/api/slices/${id}`, { ...wish, nodes: [...nodes, { ...nodes[0], name: 'vm11' }] });
  const changed = await settled('active');
  assertHolds(await held(), NODES);
  const ids = ({ nodes: all }: Json) =>
    new Map<string, string>(all.map((node: Json) => [node.name, node.vm_id]));
  const [old, now] = [ids(before), ids(changed)];
  assert.deepEqual(
    [...now.keys()].filter((name) => !old.has(name)),
    ['vm11'],
  );
  assert.deepEqual(
    [...old.keys()].filter((name) => !now.has(name)),
    ['vm10'],
  );
  for (const [name, vmId] of now) if (old.has(name)) assert.equal(vmId, old.get(name), `${name} stayed`);
});

test('a removal leaves nothing, by every list that the cloud has', async () => {
  await user.json('DELETE', `/api/slices/${id}`);
  await untilGone();
  assertHolds(await held(), 0);
});
