// What the client relies on of OpenStack, asked of the cloud itself with nothing of ours in between: one test for each item of
// docs/openstack-client.md whose facts can be asked for cheaply. The sandbox and a real cloud must answer alike.

import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { silentLog } from '#common/log.ts';
import { wait } from '#common/time.ts';
import { startSandbox } from '../../sandbox/openstack/server.ts';

type Reply = { readonly status: number; readonly headers: Headers; readonly body: Json };
/** Answers are looked into as they come: what a fact needs is asserted where it is read. */
type Json = { readonly [key: string]: Json | undefined };

const isRealCloud = process.env.CONTRACT_CLOUD === 'env';

const sandbox = isRealCloud ? undefined : await startSandbox({ port: 0, log: silentLog, buildDelayMs: 100 });
const admin = {
  url: (sandbox?.authUrl ?? process.env.OS_AUTH_URL ?? '').replace(/\/+$/, '').replace(/(\/v3)?$/, '/v3'),
  name: sandbox ? 'admin' : (process.env.OS_USERNAME ?? ''),
  password: sandbox ? 'sandbox' : (process.env.OS_PASSWORD ?? ''),
};
const prefix = `facts-${randomBytes(3).toString('hex')}`;
const removals: (() => Promise<unknown>)[] = [];
let token = '';
let catalog: readonly Json[] = [];

async function call(method: string, url: string, json?: unknown, headers: object = {}): Promise<Reply> {
  const answer = await fetch(url, {
    method,
    redirect: 'manual',
    headers: { 'x-auth-token': token, 'content-type': 'application/json', ...headers },
    body: json === undefined ? null : JSON.stringify(json),
  });
  const text = await answer.text();
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // HTML or nothing.
  }
  return { status: answer.status, headers: answer.headers, body: body as Json };
}

const list = (value: Json | undefined) => (value ?? []) as unknown as readonly Json[];

async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await isTrue())) {
    assert.ok(Date.now() < deadline, `${what} did not come`);
    await wait(100);
  }
}

const authenticate = (auth: object) =>
  call('POST', `${admin.url}/auth/tokens`, { auth }, { 'x-auth-token': '' });
const byPassword = {
  methods: ['password'],
  password: { user: { name: admin.name, password: admin.password, domain: { id: 'default' } } },
};
const home = { project: { name: 'admin', domain: { id: 'default' } } };

/** The address of a service by its type, as the catalog has it, with the version it may leave out. */
function at(type: string, path: string): string {
  const service = catalog.find((one) => String(one.type) === type);
  const endpoint = list(service?.endpoints).find((one) => String(one.interface) === 'public');
  const base = String(endpoint?.url).replace(/\/+$/, '');
  const version = { network: '/v2.0', image: '/v2' }[type] ?? '';
  return (base.endsWith(version) ? base : base + version) + path;
}

const make = async (url: string, key: string, more: object = {}): Promise<Json> => {
  const { status, body } = await call('POST', url, { [key]: { name: prefix, ...more } });
  assert.ok([200, 201, 202].includes(status), JSON.stringify(body));
  const made = body[key] ?? {};
  removals.unshift(() => call('DELETE', `${url}/${made.id}`));
  return made;
};

const NETWORKS_NONE = { 'openstack-api-version': 'compute 2.37' };
async function smallServer() {
  const [flavor] = list((await call('GET', at('compute', '/flavors?sort_key=memory_mb'))).body.flavors);
  const [image] = list((await call('GET', at('image', '/images?visibility=public'))).body.images);
  return { name: prefix, flavorRef: flavor?.id, imageRef: image?.id, networks: 'none' };
}

before(async () => {
  const { headers, body } = await authenticate({ identity: byPassword, scope: home });
  token = headers.get('x-subject-token') ?? '';
  catalog = list(body.token?.catalog);
});
after(async () => {
  for (const remove of removals) await remove();
  await sandbox?.close();
});

test('1: a token comes with 201, in a header, and ends at a time in UTC', async () => {
  const { status, headers, body } = await authenticate({ identity: byPassword, scope: home });
  assert.equal(status, 201);
  assert.ok(headers.get('x-subject-token'));
  assert.match(String(body.token?.expires_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
  assert.match(String(body.token?.issued_at), /Z$/);
});

test('2: every service answers 401 to a token that nobody issued', async () => {
  for (const url of [
    at('identity', '').replace(/(\/v3)?$/, '/v3/projects'),
    at('compute', '/servers'),
    at('network', '/networks'),
    at('image', '/images'),
    at('volumev3', '/volumes'),
  ]) {
    assert.equal((await call('GET', url, undefined, { 'x-auth-token': 'nobody' })).status, 401, url);
  }
});

test('4: no scope gives no catalog; the system has one; a project without a role or name is a 401', async () => {
  const bare = await authenticate({ identity: byPassword, scope: 'unscoped' });
  assert.equal(bare.status, 201, JSON.stringify(bare.body));
  assert.equal(list(bare.body.token?.catalog).length, 0);
  const system = await authenticate({ identity: byPassword, scope: { system: { all: true } } });
  assert.equal(system.status, 201);
  assert.ok(system.body.token?.system?.all);
  const nobody = { project: { id: '0'.repeat(32) } };
  assert.equal((await authenticate({ identity: byPassword, scope: nobody })).status, 401);
});

test('4: an application credential brings its project; a scope beside it is refused, and it cannot be rescoped', async () => {
  const me = (await call('GET', `${admin.url}/auth/tokens`, undefined, { 'x-subject-token': token })).body;
  const users = `${admin.url}/users/${me.token?.user?.id}/application_credentials`;
  const { id, secret } = await make(users, 'application_credential');
  const identity = { methods: ['application_credential'], application_credential: { id, secret } };
  const own = await authenticate({ identity });
  assert.equal(own.status, 201);
  assert.equal(own.body.token?.project?.name, 'admin');
  assert.equal((await authenticate({ identity, scope: home })).status, 401);
  const held = { methods: ['token'], token: { id: own.headers.get('x-subject-token') } };
  assert.equal((await authenticate({ identity: held, scope: home })).status, 403);
});

test('7: version documents come with 300 or 200, in the shapes that are read', async () => {
  const keystone = await call('GET', admin.url.replace(/v3$/, ''));
  assert.equal(keystone.status, 300);
  assert.ok(keystone.body.versions?.values?.length);
  const nova = await call('GET', `${at('compute', '')}/`);
  assert.equal(nova.status, 200);
  assert.ok(nova.body.version?.min_version);
  const cinder = await call('GET', `${at('volumev3', '').replace(/\/v3\/.*/, '/v3/')}`);
  assert.ok(cinder.body.versions?.[0]?.min_version);
});

test('8: a version beyond the newest is a 406, and Cinder’s type in the header is volume', async () => {
  const asked = (type: string, path: string, version: string) =>
    call('GET', at(type, path), undefined, { 'openstack-api-version': version });
  assert.equal((await asked('compute', '/servers', 'compute 2.999')).status, 406);
  assert.equal((await asked('volumev3', '/volumes', 'volume 3.999')).status, 406);
  const named = await asked('volumev3', '/volumes', 'volume 3.50');
  assert.equal(named.headers.get('openstack-api-version'), 'volume 3.50');
});

test('9, 26, 29: a network is made with 201 and deleted with 204, then 404; its group rules exist once', async () => {
  const group = await make(at('network', '/security-groups'), 'security_group');
  assert.deepEqual(
    list(group.security_group_rules)
      .map((one) => `${one.direction} ${one.ethertype}`)
      .sort(),
    ['egress IPv4', 'egress IPv6'],
  );
  const rule = { security_group_id: group.id, direction: 'egress', ethertype: 'IPv4' };
  const twice = await call('POST', at('network', '/security-group-rules'), { security_group_rule: rule });
  assert.deepEqual([twice.status, twice.body.NeutronError?.type], [409, 'SecurityGroupRuleExists']);
  const made = await call('POST', at('network', '/networks'), { network: { name: prefix } });
  assert.equal(made.status, 201);
  const url = at('network', `/networks/${made.body.network?.id}`);
  assert.deepEqual([(await call('DELETE', url)).status, (await call('DELETE', url)).status], [204, 404]);
  const tagged = await call('POST', at('network', '/networks'), { network: { name: prefix, tags: ['a'] } });
  assert.equal(tagged.status, 400);
});

test('13: every service gives the request an id', async () => {
  for (const [type, path] of [
    ['compute', '/servers'],
    ['network', '/networks'],
    ['image', '/images'],
    ['volumev3', '/volumes'],
  ] as const) {
    const { headers } = await call('GET', at(type, path));
    assert.match(headers.get('x-openstack-request-id') ?? '', /^req-/, type);
  }
  assert.match(
    (await call('GET', at('compute', '/servers'))).headers.get('x-compute-request-id') ?? '',
    /^req-/,
  );
});

test('14: each service says in its own way that something is not there', async () => {
  const id = '00000000-0000-0000-0000-000000000000';
  const nova = await call('GET', at('compute', `/servers/${id}`));
  assert.deepEqual([nova.status, nova.body.itemNotFound?.code], [404, 404]);
  const cinder = await call('GET', at('volumev3', `/volumes/${id}`));
  assert.deepEqual([cinder.status, cinder.body.itemNotFound?.code], [404, 404]);
  const neutron = await call('GET', at('network', `/networks/${id}`));
  assert.deepEqual([neutron.status, neutron.body.NeutronError?.type], [404, 'NetworkNotFound']);
  const keystone = await call('GET', `${admin.url}/projects/${id}`);
  assert.deepEqual([keystone.status, keystone.body.error?.code], [404, 404]);
  const glance = await call('GET', at('image', `/images/${id}`));
  assert.equal(glance.status, 404);
  assert.match(JSON.stringify(glance.body), /No image found with ID/);
});

test('14: a change upon an old revision is a 412', async () => {
  const { id } = await make(at('network', '/networks'), 'network');
  const url = at('network', `/networks/${id}`);
  const change = { network: { description: 'x' } };
  const stale = await call('PUT', url, change, { 'if-match': 'revision_number=999' });
  assert.deepEqual([stale.status, stale.body.NeutronError?.type], [412, 'RevisionNumberConstraintFailed']);
});

test('17: a marker that is gone is a 400 of Nova and Glance and a 404 of Neutron and Cinder', async () => {
  const gone = '?limit=1&marker=00000000-0000-0000-0000-000000000000';
  const status = async (type: string, path: string) => (await call('GET', at(type, path + gone))).status;
  assert.equal(await status('compute', '/servers'), 400);
  assert.equal(await status('image', '/images'), 400);
  assert.equal(await status('network', '/networks'), 404);
  assert.equal(await status('volumev3', '/volumes'), 404);
});

test('21: a zone that does not exist is a 400', async () => {
  const server = { ...(await smallServer()), availability_zone: 'moon' };
  const refused = await call('POST', at('compute', '/servers'), { server }, NETWORKS_NONE);
  assert.equal(refused.status, 400);
  assert.match(String(refused.body.badRequest?.message), /zone/);
});

test('23: quotas of a project with what is used of them, in three ways', async () => {
  const projectId = (await call('GET', `${admin.url}/auth/tokens`, undefined, { 'x-subject-token': token }))
    .body.token?.project?.id;
  const nova = await call('GET', at('compute', `/os-quota-sets/${projectId}/detail`));
  assert.ok(Object.hasOwn(nova.body.quota_set?.instances ?? {}, 'in_use'));
  const cinder = await call('GET', at('volumev3', `/os-quota-sets/${projectId}?usage=True`));
  assert.ok(Object.hasOwn(cinder.body.quota_set?.gigabytes ?? {}, 'in_use'));
  const neutron = await call('GET', at('network', `/quotas/${projectId}/details.json`));
  assert.ok(Object.hasOwn(neutron.body.quota?.network ?? {}, 'used'));
});

test('24, 25, 28: a subnet and a network with a port are in use; names need not be unique; no addresses left is told', async () => {
  const network = await make(at('network', '/networks'), 'network');
  await make(at('network', '/networks'), 'network');
  const subnet = await make(at('network', '/subnets'), 'subnet', {
    network_id: network.id,
    ip_version: 4,
    cidr: '10.99.0.0/29',
    enable_dhcp: false,
    allocation_pools: [{ start: '10.99.0.2', end: '10.99.0.2' }],
  });
  assert.equal(network.tenant_id, network.project_id);
  await make(at('network', '/ports'), 'port', { network_id: network.id });
  const types = async (method: string, path: string, json?: object) => {
    const { status, body } = await call(method, at('network', path), json);
    return [status, body.NeutronError?.type];
  };
  assert.deepEqual(await types('DELETE', `/subnets/${subnet.id}`), [409, 'SubnetInUse']);
  assert.deepEqual(await types('DELETE', `/networks/${network.id}`), [409, 'NetworkInUse']);
  const another = { port: { network_id: network.id } };
  assert.deepEqual(await types('POST', '/ports', another), [409, 'IpAddressGenerationFailure']);
});

test('27: a VLAN that is taken is a 409', async () => {
  const vlan = {
    'provider:network_type': 'vlan',
    'provider:physical_network': 'physnet1',
    'provider:segmentation_id': randomInt(2_000, 3_000),
  };
  await make(at('network', '/networks'), 'network', vlan);
  const twice = await call('POST', at('network', '/networks'), { network: { name: prefix, ...vlan } });
  assert.deepEqual([twice.status, twice.body.NeutronError?.type], [409, 'VlanIdInUse']);
});

test('9, 31: a volume is made and deleted later than asked for', async () => {
  const volume = await make(at('volumev3', '/volumes'), 'volume', { size: 1 });
  assert.equal(volume.status, 'creating');
  const url = at('volumev3', `/volumes/${volume.id}`);
  await until(async () => String((await call('GET', url)).body.volume?.status) === 'available', 'the volume');
  assert.equal((await call('DELETE', url)).status, 202);
  await until(async () => (await call('GET', url)).status === 404, 'its end');
});

test('32: an image begins queued, belongs to its project, and a body is not taken twice', async () => {
  const base = at('image', '/images');
  const image = (await call('POST', base, { name: prefix, disk_format: 'raw', container_format: 'bare' }))
    .body;
  removals.unshift(() => call('DELETE', `${base}/${image.id}`));
  assert.deepEqual([image.status, image.visibility], ['queued', 'shared']);
  const upload = () =>
    call('PUT', `${base}/${image.id}/file`, 'x', { 'content-type': 'application/octet-stream' });
  assert.equal((await upload()).status, 204);
  const active = (await call('GET', `${base}/${image.id}`)).body;
  assert.deepEqual([active.status, active.os_hash_algo], ['active', 'sha512']);
  assert.equal((await upload()).status, 409);
});

test('14, 33: a project’s name is taken once, a role is granted twice as once; over quota is 403, 409 or 413; its default group outlives it', async () => {
  const projects = `${admin.url}/projects`;
  const project = await make(projects, 'project', { domain_id: 'default' });
  const again = await call('POST', projects, { project: { name: prefix, domain_id: 'default' } });
  assert.equal(again.status, 409);
  const me = await call('GET', `${admin.url}/auth/tokens`, undefined, { 'x-subject-token': token });
  const role = list((await call('GET', `${admin.url}/roles?name=member`)).body.roles)[0];
  const scope = { project: { id: project.id } };
  assert.equal((await authenticate({ identity: byPassword, scope })).status, 401);
  const grant = `${projects}/${project.id}/users/${me.body.token?.user?.id}/roles/${role?.id}`;
  assert.deepEqual([(await call('PUT', grant)).status, (await call('PUT', grant)).status], [204, 204]);

  const quotaSet = { quota_set: { volumes: 0 } };
  await call('PUT', at('volumev3', `/os-quota-sets/${project.id}`), quotaSet);
  await call('PUT', at('compute', `/os-quota-sets/${project.id}`), { quota_set: { instances: 0 } });
  await call('PUT', at('network', `/quotas/${project.id}`), { quota: { network: 0 } });
  const { headers } = await authenticate({ identity: byPassword, scope });
  const as = { 'x-auth-token': headers.get('x-subject-token') };
  const network = await call('POST', at('network', '/networks'), { network: { name: prefix } }, as);
  assert.deepEqual([network.status, network.body.NeutronError?.type], [409, 'OverQuota']);
  const volumes = at('volumev3', '/volumes').replace(/\/v3\/\w+/, `/v3/${project.id}`);
  const volume = await call('POST', volumes, { volume: { name: prefix, size: 1 } }, as);
  assert.deepEqual([volume.status, volume.headers.get('retry-after')], [413, '0']);
  const server = await smallServer();
  const refused = await call('POST', at('compute', '/servers'), { server }, { ...as, ...NETWORKS_NONE });
  assert.equal(refused.status, 403);
  assert.match(String(refused.body.forbidden?.message), /Quota exceeded for instances/);

  const groups = at('network', `/security-groups?project_id=${project.id}`);
  const own = await call('GET', at('network', '/security-groups'), undefined, as);
  assert.equal(list(own.body.security_groups).length, 1);
  assert.equal((await call('DELETE', `${projects}/${project.id}`)).status, 204);
  const [left] = list((await call('GET', groups)).body.security_groups);
  assert.equal(String(left?.name), 'default');
  assert.equal((await call('DELETE', at('network', `/security-groups/${left?.id}`))).status, 204);
});

test('34: what was made is there at once, in a list as by its id: this cloud does not lag', async () => {
  for (let count = 0; count < 5; count += 1) {
    const { id } = await make(at('network', '/networks'), 'network');
    assert.equal((await call('GET', at('network', `/networks/${id}`))).status, 200);
    const { body } = await call('GET', at('network', `/networks?name=${prefix}`));
    assert.ok(list(body.networks).some((one) => one.id === id));
  }
});
