// The slices of examples/, posted as they are: each runs, has the nodes and links that its README tells of, and leaves
// nothing behind. On the sandbox, or with --cloud on a real OpenStack.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { isRealCloud } from '../contract/contract.ts';
import { type Api, type Json, signIn, signUp } from '../support/api.ts';
import { type Mesh, removeMesh, startMesh, until } from '../support/mesh.ts';
import { administrator, removeProject } from '../support/openstack.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../examples');
const CLASS = join(EXAMPLES, 'class');
const run = promisify(execFile);
const ADMIN_PASSWORD = 'an-admin-of-the-examples-1';
const NAME = `examples-${process.pid}`;
/** The class of the example; five of other names where thirty would take a small machine a quarter of an hour. */
const students = isRealCloud
  ? Array.from({ length: 5 }, (_, index) => `${NAME}-${index}`)
  : readFileSync(join(CLASS, 'students.txt'), 'utf8').trim().split('\n');

let mesh: Mesh;
let user: Api;
let admin: Api;
before(async () => {
  const unlimited = { LOGIN_RATE_LIMIT_PER_MINUTE: '0', RATE_LIMIT_PER_MINUTE: '0' };
  // Demo accounts are the sandbox's alone.
  mesh = await startMesh({ env: { ...unlimited, ...(isRealCloud && { ADMIN_PASSWORD }) } });
  user = await signUp(mesh.gateway, NAME);
  admin = await signIn(mesh.gateway, 'admin', isRealCloud ? ADMIN_PASSWORD : 'admin123');
});
after(async () => {
  await removeMesh(mesh);
  if (!isRealCloud) return;
  for (const name of [NAME, ...students]) await removeProject(administrator(), `pucp-${name}`);
});

/** Posts a file, waits until its slice runs, looks at it, and removes it. */
async function deployed(file: string, look: (slice: Json) => void | Promise<void>): Promise<void> {
  const { id } = await user.json('POST', '/api/slices', readExample(file));
  const slice = await settled(user, id);
  assert.equal(slice.status, 'active', slice.error_message);
  assert.deepEqual(
    slice.nodes.filter((node: Json) => node.status !== 'active'),
    [],
  );
  await look(slice);
  await user.json('DELETE', `/api/slices/${id}`);
  await until(
    () => user.list('GET', '/api/slices'),
    (slices) => slices.length === 0,
    120_000,
  );
  await checkEmpty();
}

function readExample(file: string): Json {
  return JSON.parse(readFileSync(join(EXAMPLES, file), 'utf8'));
}

async function settled(api: Api, id: string): Promise<Json> {
  return until(
    () => api.json('GET', `/api/slices/${id}`),
    ({ status }) => status === 'active' || status === 'error',
    300_000,
  );
}

/** The cloud itself has no server, no port, no network of ours, and nothing else that slices are made of. */
async function checkEmpty(): Promise<void> {
  const kinds = ['instances', 'networks', 'ports', 'subnets', 'routers', 'floating-ips', 'volumes'];
  const left = await Promise.all(kinds.map((kind) => user.list('GET', `/api/openstack/${kind}`)));
  const groups = await user.list('GET', '/api/openstack/security-groups');
  const isOurs = (one: Json) => !(one.is_external || one.external || one.shared || one.name === 'default');
  assert.deepEqual([...left.flat(), ...groups].filter(isOurs), []);
}

/** The networks that a node is on, in the order of its interfaces. */
function networksOf(slice: Json, name: string): string[] {
  const node = slice.nodes.find((one: Json) => one.name === name);
  return node.interfaces.map(({ network }: Json) => network);
}

test('each example is tested here', () => {
  const files = readdirSync(EXAMPLES).filter((name) => name.endsWith('.json'));
  const source = readFileSync(import.meta.filename, 'utf8');
  for (const file of files) assert.ok(source.includes(`deployed('${file}'`), file);
  const readme = readFileSync(join(EXAMPLES, 'README.md'), 'utf8');
  for (const file of files) assert.ok(readme.includes(`(${file})`), `${file} is in the README`);
});

test('two tiers: the database is reached by the web servers alone', () =>
  deployed('two-tier.json', async (slice) => {
    assert.deepEqual(networksOf(slice, 'web-1'), ['front', 'back']);
    const db = slice.nodes.find(({ name }: Json) => name === 'db');
    assert.equal(db.ip_address, '192.168.20.10');
    assert.deepEqual(db.security_groups, ['database']);
    const groups = await user.list('GET', '/api/openstack/security-groups');
    const web = groups.find(({ name }: Json) => name === 'two-tier-web');
    const database = groups.find(({ name }: Json) => name === 'two-tier-database');
    const letIn = database.rules.filter(({ direction }: Json) => direction === 'ingress');
    assert.deepEqual(new Set(letIn.map((rule: Json) => rule.remote_group_id)), new Set([web.id]));
  }));

test('a ring of routers: six segments, ports that pass on what is not theirs, and a way out', () =>
  deployed('ospf-ring.json', async (slice) => {
    assert.equal(slice.connections.length, 6);
    assert.equal(new Set(slice.connections.map(({ network }: Json) => network)).size, 6);
    assert.equal(new Set(slice.networks.map(({ cidr }: Json) => cidr)).size, 7);
    assert.deepEqual(networksOf(slice, 'router-node-1'), [
      'router-management',
      'router-node-1-router-node-2',
      'router-node-6-router-node-1',
    ]);
    for (const node of slice.nodes) assert.equal(node.forwarding, true);
    const ports = await user.list('GET', '/api/openstack/ports');
    const ofServers = ports.filter(({ device_owner }: Json) => device_owner.startsWith('compute:'));
    assert.equal(ofServers.length, 18);
    for (const port of ofServers) assert.equal(port.port_security_enabled, false);
    assert.equal((await user.list('GET', '/api/openstack/routers')).length, 1);
  }));

test('a star: one link for each spoke, and every node reaches the outside', () =>
  deployed('star-internet.json', async (slice) => {
    assert.deepEqual(
      slice.connections.map(({ source, target }: Json) => `${source} ${target}`),
      ['node-1 node-2', 'node-1 node-3', 'node-1 node-4', 'node-1 node-5'],
    );
    for (const node of slice.nodes) assert.equal(node.interfaces[0].network, 'management');
    const [router] = await user.list('GET', '/api/openstack/routers');
    assert.ok(router.external_gateway.network_id, JSON.stringify(router));
    assert.deepEqual(
      router.interfaces.map(({ ip_address }: Json) => ip_address),
      ['192.168.201.1'],
    );
  }));

test('a tree of fifteen: a root, six branches, eight leaves', () =>
  deployed('tree-15.json', (slice) => {
    assert.equal(slice.node_count, 15);
    assert.equal(slice.network_count, 14);
    const count = (what: string) => slice.nodes.filter(({ name }: Json) => name.startsWith(what)).length;
    assert.deepEqual([count('root'), count('branch-'), count('leaf-')], [1, 6, 8]);
    const networks = slice.nodes.map((node: Json) => node.interfaces.length);
    assert.deepEqual(networks, [2, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1]);
  }));

test('a file server: a disk that is in it, and an address outside', () =>
  deployed('volume-floating-ip.json', async (slice) => {
    const [node] = slice.nodes;
    assert.match(node.floating_ip, /^\d+\.\d+\.\d+\.\d+$/);
    assert.deepEqual(
      node.volumes.map(({ name, size, status }: Json) => [name, size, status]),
      [['data', 10, 'in-use']],
    );
  }));

test('a lab sheet: ports have the addresses that it says, in the order that it says', () =>
  deployed('fixed-addresses.json', (slice) => {
    const addresses = slice.nodes.map((node: Json) =>
      node.interfaces.map((one: Json) => `${one.network} ${one.ip_address}`),
    );
    assert.deepEqual(addresses, [
      ['left-router 10.1.0.2'],
      ['left-router 10.1.0.3', 'router-right 10.2.0.3'],
      ['router-right 10.2.0.2'],
    ]);
    assert.equal(slice.nodes[0].interfaces[0].mac_address, 'fa:16:3e:00:01:02');
  }));

test('a class: each student has an account, a project and a running slice', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pucp-class-'));
  const env = { ...process.env, GATEWAY: mesh.gateway };
  const script = (...given: string[]) => run(join(CLASS, 'class.sh'), given, { env, timeout: 300_000 });
  try {
    const roster = join(folder, 'students.txt');
    writeFileSync(roster, students.map((name) => `${name}\n`).join(''));
    const started = await script('deploy', roster, join(CLASS, 'lab.json'));
    const list = join(folder, 'class.csv');
    writeFileSync(list, started.stdout);
    assert.equal(started.stdout.trim().split('\n').length, students.length);
    const states = () => admin.list('GET', '/api/slices');
    const slices = await until(
      states,
      (all) => all.length === students.length && all.every(({ status }) => status === 'active'),
      300_000,
    );
    assert.deepEqual(slices.map(({ username }) => username).sort(), students.toSorted());
    const projects = slices.map(({ openstack_project_id: project }) => project);
    assert.equal(new Set(projects).size, students.length);
    const { stdout } = await script('status', list);
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split('  ').slice(0, 3).join(' ')),
      students.map((name) => `${name} active 100 %`),
    );
    await script('delete', list);
    await until(states, (all) => all.length === 0, 300_000);
    const servers = await admin.list('GET', '/api/openstack/instances');
    assert.deepEqual(
      servers.filter(({ project_id: project }) => projects.includes(project)),
      [],
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
