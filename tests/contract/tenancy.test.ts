import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Knex, openDatabase } from '#common/database.ts';
import { silentLog } from '#common/log.ts';
import { connect } from '#common/rpc-client.ts';
import {
  CreateVolumeRequest,
  ListNetworksRequest,
  ListVolumesRequest,
  type OpenstackServiceServer,
  OpenstackServiceService,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { createKeystoneProjects } from '../../services/openstack/keystone-projects.ts';
import { migrations } from '../../services/openstack/migrations/all.ts';
import { removeProject } from '../../services/openstack/project-contents.ts';
import { createStore } from '../../services/openstack/store.ts';
import { type Contract, failureOf, startContract, until } from './contract.ts';
import { NOTHING, remains, slice } from './slice.ts';

let contract: Contract;
let knex: Knex;
before(async () => {
  contract = await startContract();
  const { databaseUrl: url } = contract.config;
  knex = await openDatabase({ url, schema: 'openstack', migrations, log: silentLog });
});
after(async () => {
  await knex.destroy();
  await contract.close();
});

const page = { pageSize: 0, pageToken: '' };
const volume = (name: string) => CreateVolumeRequest.fromPartial({ name, sizeGib: 1 });

test('a project that only bears the user’s name is not taken for the user’s', async () => {
  const { client, cloud, within } = contract;
  const { options, username } = await contract.user();
  const foreign = await cloud.project('home').keystone.createProject({ name: `pucp-${username}` }, within);
  await client.createVolume(volume(contract.name('own')), options);
  const { projects } = await client.listProjects(page, options);
  assert.equal(projects.length, 1);
  assert.notEqual(projects[0]?.id, foreign.id);
  assert.match(projects[0]?.projectName ?? '', new RegExp(`^pucp-${username}-[0-9a-f]{8}$`));
});

test('a project whose making a crash cut short is completed and used', async () => {
  const { client, cloud, within } = contract;
  const { options, userId } = await contract.user();
  await client.createVolume(volume(contract.name('before')), options);
  const [made] = (await client.listProjects(page, options)).projects;
  const projectId = made?.id ?? '';
  // As after a kill -9 right behind the project's creation: no role, no quotas, no row.
  const { keystone, nova, ...home } = cloud.project('home');
  const { userId: ownId } = await home.identity(within);
  const role = await keystone.findRole('member', within);
  await keystone.revokeRole({ projectId, userId: ownId, roleId: role.id }, within);
  await nova.deleteQuotas(projectId, within);
  await knex('projects').where({ user_id: userId }).delete();

  const replica = await contract.another();
  const second = connect<OpenstackServiceServer>(OpenstackServiceService, replica.url);
  try {
    await second.createVolume(volume(contract.name('after')), options);
    const { projects } = await second.listProjects(page, options);
    assert.deepEqual(
      projects.map(({ id }) => id),
      [projectId],
    );
    assert.equal((await second.getQuotas({ projectId }, options)).compute.instances, 20);
    const { volumes } = await second.listVolumes(ListVolumesRequest.fromPartial({}), options);
    assert.equal(volumes.length, 2);
  } finally {
    second.close();
    await replica.close();
  }
});

test('a project that was removed behind our back is made anew', async () => {
  const { client, cloud, within } = contract;
  const { options } = await contract.user();
  const { id } = await client.createVolume(volume(contract.name('old')), options);
  const [old] = (await client.listProjects(page, options)).projects;
  await client.deleteVolume({ id }, options).catch(() => undefined);
  await removeVolumes(old?.id ?? '');
  await removeProject(cloud, old?.id ?? '', within);

  const replica = await contract.another();
  const second = connect<OpenstackServiceServer>(OpenstackServiceService, replica.url);
  try {
    assert.deepEqual((await second.listProjects(page, options)).projects, []);
    assert.deepEqual((await second.listVolumes(ListVolumesRequest.fromPartial({}), options)).volumes, []);
    await second.createVolume(volume(contract.name('new')), options);
    const { projects } = await second.listProjects(page, options);
    assert.equal(projects.length, 1);
    assert.notEqual(projects[0]?.id, old?.id);
  } finally {
    second.close();
    await replica.close();
  }
});

test('a further project that a crash left half made is removed by the sweep, and no other', async () => {
  const { cloud, config, within } = contract;
  const store = createStore(knex);
  const { projectRole: role, quotas } = config;
  const projects = createKeystoneProjects({ cloud, store, log: silentLog, role, quotas });
  const { keystone } = cloud.project('home');
  const name = contract.name('half');
  const row = await store.beginProject({ name, userId: 'nobody' });
  const tags = ['pucp', `pucp:installation=${await store.installationId()}`, `pucp:project=${row.id}`];
  await keystone.createProject({ name, tags }, within);
  const bystander = contract.name('bystander');
  await keystone.createProject({ name: bystander, tags: ['pucp'] }, within);

  await projects.sweep(600, within);
  assert.equal((await keystone.listProjects({ name }, within)).length, 1, 'it may still be under way');
  await projects.sweep(0, within);
  assert.deepEqual(await keystone.listProjects({ name }, within), []);
  assert.equal((await keystone.listProjects({ name: bystander }, within)).length, 1);
  assert.deepEqual(await store.abandonedProjects(0), []);
});

test('in one project for all, users still see only what is theirs', async () => {
  const shared = await startContract({ changes: () => ({ tenancy: 'shared' }) });
  const { client } = shared;
  const made: { id: string; options: { token: string } }[] = [];
  const ana = await shared.user();
  const eve = await shared.user();
  const sliceId = shared.name('slice');
  try {
    const all = ListVolumesRequest.fromPartial({});
    for (const { options, username } of [ana, eve]) {
      const { id } = await client.createVolume(volume(shared.name(`of-${username}`)), options);
      made.push({ id, options });
    }
    const [first, second] = made;
    const seen = await client.listVolumes(all, ana.options);
    assert.deepEqual(
      seen.volumes.map(({ id }) => id),
      [first?.id],
    );
    const hidden = await failureOf(client.deleteVolume({ id: second?.id ?? '' }, ana.options));
    assert.equal(hidden.code, 'NOT_FOUND');
    const { projects } = await client.listProjects(page, eve.options);
    assert.deepEqual(
      projects.map(({ projectName, userId }) => ({ projectName, userId })),
      [{ projectName: shared.config.cloud.projectName, userId: 'system' }],
    );
    const more = { projectName: shared.name('more'), description: '', members: [] };
    const refused = await failureOf(client.createProject(more, eve.options));
    assert.equal(refused.reason, 'TENANCY_SHARED');
    const lab = slice({ id: sliceId, name: sliceId, cidr: '10.95.0.0/24' });
    const [network] = (await client.deploySlice(lab, ana.options)).createdNetworks;
    const networks = ListNetworksRequest.fromPartial({});
    const lists = await Promise.all([ana, eve].map(({ options }) => client.listNetworks(networks, options)));
    const shows = lists.map((list) => list.networks.some(({ id }) => id === network?.networkId));
    assert.deepEqual(shows, [true, false]);
    const taken = await failureOf(client.deploySlice(lab, eve.options));
    assert.equal(taken.reason, 'SLICE_ID_TAKEN');
    await client.destroySlice({ sliceId }, ana.options);
    assert.deepEqual(await remains(shared, sliceId), NOTHING);

    const admin = await shared.user('admin');
    const everything = await client.listVolumes(all, admin.options);
    for (const { id } of made) assert(everything.volumes.some((one) => one.id === id));
  } finally {
    await client.destroySlice({ sliceId }, ana.options);
    const { cinder } = shared.cloud.project('home');
    for (const { id } of made) {
      await until(async () => (await cinder.getVolume(id, shared.within)).status === 'available');
      await cinder.deleteVolume(id, shared.within);
    }
    await shared.close();
  }
});

async function removeVolumes(projectId: string): Promise<void> {
  const { cinder } = contract.cloud.project('home');
  const list = () => cinder.listVolumes({ allProjects: true, projectId }, contract.within);
  await until(async () => {
    const left = await list();
    for (const { id, status } of left) {
      if (status === 'available') await cinder.deleteVolume(id, contract.within);
    }
    return left.length === 0;
  });
}
