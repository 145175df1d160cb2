import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, logIn, passwordAuth, request, type Session, start, until } from './testing.ts';

const SERVERS = 1000;
const BATCH = 100;
const NEWEST = { 'x-openstack-nova-api-version': '2.93' };

type Named = { readonly id: string; readonly name: string };

async function makeNetwork(session: Session): Promise<string> {
  const network = await session.call('POST', 'network', '/networks', { network: { name: 'big' } });
  const { id } = network.body.network;
  await session.call('POST', 'network', '/subnets', {
    subnet: { network_id: id, ip_version: 4, cidr: '10.0.0.0/16', enable_dhcp: false },
  });
  return id;
}

/** What every server of a test asks for besides its name and networks. */
async function tinyServer(session: Session): Promise<object> {
  const { images } = (await session.call('GET', 'image', '/images?name=cirros')).body;
  const { flavors } = (await session.call('GET', 'compute', '/flavors')).body;
  const flavor = flavors.find(({ name }: Named) => name === 'm1.tiny');
  return { imageRef: images[0].id, flavorRef: flavor.id };
}

function makeServers(session: Session, server: object): Promise<Answer> {
  return session.call('POST', 'compute', '/servers', { server }, NEWEST);
}

/** Follows the links to the last page. */
async function allPages(session: Session, service: 'compute' | 'network', path: string, key: string) {
  const items: Named[] = [];
  let pages = 0;
  let target: string | undefined = path;
  while (target !== undefined) {
    const answer: Answer = await session.call('GET', service, target, undefined, NEWEST);
    assert.equal(answer.status, 200, answer.text);
    items.push(...answer.body[key]);
    pages += 1;
    const links: { rel: string; href: string }[] = answer.body[`${key}_links`] ?? [];
    const next = links.find(({ rel }) => rel === 'next')?.href;
    target = next && `${path.split('?')[0]}?${next.split('?')[1]}`;
  }
  return { items, pages };
}

test('a project of a thousand servers is made, listed, paged and filtered', async () => {
  const sandbox = await start({ hypervisors: 60 });
  const admin = await logIn(sandbox);
  const network = await makeNetwork(admin);
  const tiny = await tinyServer(admin);
  for (let batch = 0; batch < SERVERS / BATCH; batch += 1) {
    const wish = { ...tiny, networks: [{ uuid: network }], name: `web-${batch}`, tags: [`batch-${batch}`] };
    const made = await makeServers(admin, { ...wish, min_count: BATCH, max_count: BATCH });
    assert.equal(made.status, 202, made.text);
  }
  const get = async (query: string): Promise<Named[]> =>
    (await admin.call('GET', 'compute', `/servers?${query}`, undefined, NEWEST)).body.servers;
  await until(
    () => get('status=ACTIVE'),
    (active) => active.length === SERVERS,
  );

  const { items, pages } = await allPages(admin, 'compute', '/servers?limit=70', 'servers');
  assert.equal(pages, Math.ceil(SERVERS / 70));
  assert.equal(new Set(items.map(({ id }) => id)).size, SERVERS);
  assert.equal((await get('name=^web-3-')).length, BATCH);
  assert.equal((await get('tags=batch-3')).length, BATCH);
  assert.equal((await get('status=ERROR')).length, 0);
  const names = (await get('sort_key=display_name&sort_dir=asc')).map(({ name }) => name);
  assert.deepEqual(names, names.toSorted());

  const ports = await allPages(admin, 'network', '/ports?limit=300&device_owner=compute:nova', 'ports');
  assert.equal(new Set(ports.items.map(({ id }) => id)).size, SERVERS);
  assert.equal(ports.pages, Math.ceil(SERVERS / 300));
  const details = await admin.call('GET', 'compute', '/servers/detail', undefined, NEWEST);
  const addresses = details.body.servers.map((server: { addresses: { big: { addr: string }[] } }) =>
    server.addresses.big.map(({ addr }) => addr).join(),
  );
  assert.equal(new Set(addresses).size, SERVERS);
  await sandbox.close();
});

test('what was made and deleted again and again leaves nothing behind', async () => {
  const sandbox = await start({ hypervisors: 3, buildDelayMs: 2 });
  const admin = await logIn(sandbox);
  const tiny = await tinyServer(admin);
  const bytes = { 'content-type': 'application/octet-stream' };

  const cycle = async () => {
    const made = await admin.call('POST', 'identity', '/projects', { project: { name: 'passing' } });
    const project: string = made.body.project.id;
    const users = (await admin.call('GET', 'identity', '/users?name=admin')).body.users;
    const roles = (await admin.call('GET', 'identity', '/roles?name=admin')).body.roles;
    await admin.call('PUT', 'identity', `/projects/${project}/users/${users[0].id}/roles/${roles[0].id}`);
    const user = await logIn(sandbox, 'admin', 'sandbox', 'passing');
    await admin.call('PUT', 'network', `/quotas/${project}`, { quota: { port: 900 } });
    await admin.call('PUT', 'compute', `/os-quota-sets/${project}`, { quota_set: { cores: 30 } });
    const network = await makeNetwork(user);
    const volume = { name: 'v', size: 1 };
    const { id: volumeId } = (await user.call('POST', 'volume', `/${project}/volumes`, { volume })).body
      .volume;
    const image = { name: 'i', disk_format: 'raw', container_format: 'bare' };
    const { id: imageId } = (await user.call('POST', 'image', '/images', image)).body;
    await user.call('PUT', 'image', `/images/${imageId}/file`, 'x'.repeat(100_000), bytes);
    await makeServers(user, {
      ...tiny,
      networks: [{ uuid: network }],
      name: 's',
      min_count: 5,
      max_count: 5,
    });
    const servers = async (): Promise<(Named & { status: string })[]> =>
      (await user.call('GET', 'compute', '/servers/detail')).body.servers;
    const active = await until(servers, (all) => all.every(({ status }) => status === 'ACTIVE'));
    assert.equal(active.length, 5);

    for (const { id } of active) await user.call('DELETE', 'compute', `/servers/${id}`);
    await until(servers, (all) => all.length === 0);
    const gone = async (path: string) => (await user.call('GET', 'volume', path)).status === 404;
    await until(
      async () => {
        await user.call('DELETE', 'volume', `/${project}/volumes/${volumeId}`);
        return gone(`/${project}/volumes/${volumeId}`);
      },
      (isGone) => isGone,
    );
    await user.call('DELETE', 'image', `/images/${imageId}`);
    assert.equal((await user.call('DELETE', 'network', `/networks/${network}`)).status, 204);
    const groups = (await user.call('GET', 'network', `/security-groups?project_id=${project}`)).body;
    await admin.call('DELETE', 'network', `/quotas/${project}`);
    await admin.call('DELETE', 'compute', `/os-quota-sets/${project}`);
    await admin.call('DELETE', 'identity', '/auth/tokens', undefined, { 'x-subject-token': user.token });
    await admin.call('DELETE', 'identity', `/projects/${project}`);
    for (const { id } of groups.security_groups)
      await admin.call('DELETE', 'network', `/security-groups/${id}`);
  };
  const rows = async () => (await request(`${sandbox.url}/_sandbox/state`, 'GET')).body;

  await cycle();
  const before = await until(rows, ({ rows: { taskRows } }) => taskRows === 0);
  for (let time = 0; time < 8; time += 1) await cycle();
  const after = await until(rows, ({ rows: { taskRows } }) => taskRows === 0);
  assert.deepEqual(after, before);
  await sandbox.close();
});

test('tokens that are over are forgotten when somebody logs in', async () => {
  const sandbox = await start({ tokenLifetimeMs: 200 });
  const scope = { project: { name: 'admin', domain: { id: 'default' } } };
  const logInOnce = () =>
    request(`${sandbox.authUrl}/auth/tokens`, 'POST', passwordAuth('admin', 'sandbox', scope));
  for (let time = 0; time < 50; time += 1) await logInOnce();
  const tokens = async () => {
    await logInOnce();
    return (await request(`${sandbox.url}/_sandbox/state`, 'GET')).body.rows.tokens;
  };
  assert.ok((await until(tokens, (count) => count < 50)) < 50);
  await sandbox.close();
});
