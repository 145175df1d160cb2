import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Client, connect } from '#common/rpc-client.ts';
import {
  type IdentityServiceServer,
  IdentityServiceService,
  ListKeystoneRolesRequest,
  ListKeystoneUsersRequest,
  ListMembersRequest,
  UpdateProjectRequest,
} from '#proto/pucp/openstack/v1/identity_service.ts';
import {
  CreateProjectRequest,
  CreateVolumeRequest,
  ListVolumesRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, type ContractUser, failureOf, startContract } from './contract.ts';
import { countThings, fillProject } from './project-things.ts';
import { slice } from './slice.ts';

let contract: Contract;
let identity: Client<IdentityServiceServer> & { close(): void };
before(async () => {
  contract = await startContract();
  identity = connect<IdentityServiceServer>(IdentityServiceService, contract.url);
});
after(async () => {
  identity.close();
  await contract.close();
});

const page = { pageSize: 0, pageToken: '' };

async function further(owner: ContractUser, stem: string): Promise<{ projectId: string; name: string }> {
  const name = contract.name(stem);
  const request = CreateProjectRequest.fromPartial({ projectName: name });
  const { id } = await contract.client.createProject(request, owner.options);
  return { projectId: id, name };
}

test('a project is shown by id and by name, to its owner and to admins', async () => {
  const owner = await contract.user();
  const admin = await contract.user('admin');
  const { projectId, name } = await further(owner, 'shown');
  const project = await identity.getProject({ projectId }, owner.options);
  assert.equal(project.projectName, name);
  assert.equal(project.userId, owner.userId);
  assert.equal(project.enabled, true);
  assert.deepEqual(await identity.getProject({ projectId: name }, owner.options), project);
  assert.deepEqual(await identity.getProject({ projectId }, admin.options), project);
  const home = contract.config.cloud.projectName ?? '';
  assert.equal((await identity.getProject({ projectId: home }, admin.options)).userId, 'system');
  assert.equal((await failureOf(identity.getProject({ projectId: home }, owner.options))).code, 'NOT_FOUND');
});

test('a project is renamed, described, and found under its new name by another replica', async () => {
  const owner = await contract.user();
  const { projectId, name } = await further(owner, 'old');
  const replica = await contract.another();
  const second = connect<IdentityServiceServer>(IdentityServiceService, replica.url);
  try {
    const projectName = contract.name('new');
    const request = UpdateProjectRequest.fromPartial({
      projectId: name,
      projectName,
      description: 'A course',
    });
    const changed = await identity.updateProject(request, owner.options);
    assert.equal(changed.projectName, projectName);
    assert.equal(changed.userId, owner.userId);
    const found = await second.getProject({ projectId: projectName }, owner.options);
    assert.equal(found.id, projectId);
    assert.equal(found.description, 'A course');
    const same = UpdateProjectRequest.fromPartial({ projectId });
    assert.deepEqual(await identity.updateProject(same, owner.options), changed);
    assert.equal(
      (await failureOf(identity.getProject({ projectId: name }, owner.options))).code,
      'NOT_FOUND',
    );
  } finally {
    second.close();
    await replica.close();
  }
});

test('all mistakes in a change are told at once, and a name that is taken is refused', async () => {
  const owner = await contract.user();
  const { projectId, name } = await further(owner, 'one');
  const bad = { projectId, projectName: 'x'.repeat(65), description: 'x'.repeat(2001) };
  const failure = await failureOf(
    identity.updateProject(UpdateProjectRequest.fromPartial(bad), owner.options),
  );
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['project_name', 'description'],
  );
  const other = await further(owner, 'two');
  const twice = UpdateProjectRequest.fromPartial({ projectId: other.projectId, projectName: name });
  const taken = await failureOf(identity.updateProject(twice, owner.options));
  assert.equal(taken.reason, 'PROJECT_EXISTS');
});

test('nothing can be made in a disabled project until it is enabled again', async () => {
  const { client } = contract;
  const owner = await contract.user();
  const { projectId } = await further(owner, 'disabled');
  const volume = CreateVolumeRequest.fromPartial({ name: contract.name('v'), sizeGib: 1, projectId });
  await client.createVolume(volume, owner.options);
  const off = UpdateProjectRequest.fromPartial({ projectId, enabled: false });
  assert.equal((await identity.updateProject(off, owner.options)).enabled, false);
  assert.equal((await failureOf(client.createVolume(volume, owner.options))).reason, 'PROJECT_DISABLED');
  const all = ListVolumesRequest.fromPartial({});
  assert.deepEqual((await client.listVolumes(all, owner.options)).volumes, []);
  assert.equal((await identity.getProject({ projectId }, owner.options)).enabled, false);
  await identity.updateProject(UpdateProjectRequest.fromPartial({ projectId, enabled: true }), owner.options);
  assert.equal((await client.listVolumes(all, owner.options)).volumes.length, 1);
});

test('the project of the slices is not disabled by its owner', async () => {
  const { client } = contract;
  const owner = await contract.user();
  const volume = CreateVolumeRequest.fromPartial({ name: contract.name('v'), sizeGib: 1 });
  await client.createVolume(volume, owner.options);
  const projectId = (await client.listProjects(page, owner.options)).projects[0]?.id ?? '';
  const off = UpdateProjectRequest.fromPartial({ projectId, enabled: false });
  const failure = await failureOf(identity.updateProject(off, owner.options));
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['enabled'],
  );
});

test('a project that is deleted takes everything in it along, and its quotas', async () => {
  const { cloud, within } = contract;
  const owner = await contract.user();
  const { projectId } = await further(owner, 'full');
  await fillProject(contract, projectId);
  const there = await countThings(contract, projectId);
  assert(
    Object.values(there).every((count) => count > 0),
    JSON.stringify(there),
  );

  await identity.deleteProject({ projectId }, owner.options);
  const left = await countThings(contract, projectId);
  assert.deepEqual(left, Object.fromEntries(Object.keys(there).map((kind) => [kind, 0])));
  const { keystone, neutron, cinder } = cloud.project('home');
  assert.equal((await failureOf(keystone.getProject(projectId, within))).code, 'NOT_FOUND');
  // What our quotas were set to instead.
  const { floatingip } = await neutron.getQuotas(projectId, within);
  assert.notEqual(floatingip, contract.config.quotas.floating_ips);
  assert.notEqual((await cinder.getQuotas(projectId, within)).gigabytes, contract.config.quotas.gigabytes);
  assert.equal((await failureOf(identity.deleteProject({ projectId }, owner.options))).code, 'NOT_FOUND');
  assert.deepEqual((await contract.client.listProjects(page, owner.options)).projects, []);
});

test('the project of the slices stays while one is in it, and is made anew when it is needed again', async () => {
  const { client } = contract;
  const owner = await contract.user();
  const admin = await contract.user('admin');
  const sliceId = contract.name('slice');
  await client.deploySlice(slice({ id: sliceId, name: sliceId, cidr: '10.78.0.0/24' }), owner.options);
  const projectId = (await client.listProjects(page, owner.options)).projects[0]?.id ?? '';
  for (const { options } of [owner, admin]) {
    const failure = await failureOf(identity.deleteProject({ projectId }, options));
    assert.equal(failure.reason, 'PROJECT_HAS_SLICES');
    assert.match(failure.message, new RegExp(sliceId));
  }
  assert.equal((await identity.getProject({ projectId }, owner.options)).enabled, true);
  await client.destroySlice({ sliceId }, owner.options);
  await identity.deleteProject({ projectId }, owner.options);
  assert.deepEqual((await client.listProjects(page, owner.options)).projects, []);

  const volume = CreateVolumeRequest.fromPartial({ name: contract.name('v'), sizeGib: 1 });
  await client.createVolume(volume, owner.options);
  const { projects } = await client.listProjects(page, owner.options);
  assert.equal(projects.length, 1);
  assert.notEqual(projects[0]?.id, projectId);
});

test('what the orchestrator did not make, it neither changes nor removes', async () => {
  const { cloud, within } = contract;
  const admin = await contract.user('admin');
  const foreign = await cloud
    .project('home')
    .keystone.createProject({ name: contract.name('foreign') }, within);
  const home = contract.config.cloud.projectName ?? '';
  for (const projectId of [foreign.id, home]) {
    const removed = await failureOf(identity.deleteProject({ projectId }, admin.options));
    assert.equal(removed.reason, 'PROJECT_FOREIGN');
    const off = UpdateProjectRequest.fromPartial({ projectId, enabled: false });
    assert.equal((await failureOf(identity.updateProject(off, admin.options))).reason, 'PROJECT_FOREIGN');
  }
});

test('a project that Keystone lost is forgotten by its deletion', async () => {
  const { cloud, within } = contract;
  const owner = await contract.user();
  const { projectId, name } = await further(owner, 'lost');
  await cloud.project('home').keystone.deleteProject(projectId, within);
  const replica = await contract.another();
  const second = connect<IdentityServiceServer>(IdentityServiceService, replica.url);
  try {
    await second.deleteProject({ projectId: name }, owner.options);
    assert.equal((await failureOf(second.deleteProject({ projectId }, owner.options))).code, 'NOT_FOUND');
  } finally {
    second.close();
    await replica.close();
  }
});

test('members are given roles, listed, and taken out again', async () => {
  const { auth } = contract.config.cloud;
  assert(auth.type === 'password');
  const owner = await contract.user();
  const { projectId } = await further(owner, 'members');
  const { options } = owner;
  const list = async (filter: Partial<ListMembersRequest> = {}) => {
    const request = ListMembersRequest.fromPartial({ projectId, ...filter });
    const { members } = await identity.listMembers(request, options);
    return members.map(({ user, role }) => `${user} is ${role}`);
  };
  const before = await list();
  const asReader = { projectId, user: auth.username, role: 'reader' };
  const added = await identity.addMember(asReader, options);
  assert.equal(added.user, auth.username);
  assert.deepEqual(await identity.addMember({ ...asReader, user: added.userId }, options), added);
  assert.deepEqual(await list({ role: 'reader' }), [`${auth.username} is reader`]);
  assert.deepEqual(await list({ user: added.userId }), [...before, `${auth.username} is reader`].sort());
  assert.deepEqual(await list({ user: contract.name('nobody') }), []);
  const first = await identity.listMembers(
    ListMembersRequest.fromPartial({ projectId, pageSize: 1 }),
    options,
  );
  const rest = ListMembersRequest.fromPartial({ projectId, pageToken: first.nextPageToken });
  assert.equal((await identity.listMembers(rest, options)).members.length, before.length);

  await identity.removeMember(asReader, options);
  assert.deepEqual(await list(), before);
  assert.equal((await failureOf(identity.removeMember(asReader, options))).reason, 'MEMBER_NOT_FOUND');
});

test('nobody takes the orchestrator’s own role, and only admins give roles that rule', async () => {
  const { auth } = contract.config.cloud;
  assert(auth.type === 'password');
  const owner = await contract.user();
  const admin = await contract.user('admin');
  const { projectId } = await further(owner, 'roles');
  const own = { projectId, user: auth.username, role: '' };
  for (const { options } of [owner, admin]) {
    assert.equal((await failureOf(identity.removeMember(own, options))).reason, 'ROLE_NEEDED');
  }
  const nobody = contract.name('nobody');
  const asAdmin = { projectId, user: nobody, role: 'admin' };
  const refused = await failureOf(identity.addMember(asAdmin, owner.options));
  assert.deepEqual(
    refused.violations.map(({ field }) => field),
    ['user', 'role'],
  );
  assert.match(refused.message, /only admins/);
  const unknown = await failureOf(identity.addMember({ ...asAdmin, role: 'queen' }, admin.options));
  assert.match(unknown.message, /role "queen" does not exist; there are: .*member/);
  assert.match(unknown.message, new RegExp(`user "${nobody}" does not exist; there are: .*${auth.username}`));
});

test('admins see the users and roles of the cloud, page by page', async () => {
  const { auth } = contract.config.cloud;
  assert(auth.type === 'password');
  const admin = await contract.user('admin');
  const byName = ListKeystoneUsersRequest.fromPartial({ name: auth.username.toUpperCase() });
  const { users } = await identity.listKeystoneUsers(byName, admin.options);
  assert(users.some(({ name, enabled }) => name === auth.username && enabled));
  const { roles } = await identity.listKeystoneRoles(ListKeystoneRolesRequest.fromPartial({}), admin.options);
  const names = roles.map(({ name }) => name);
  assert(names.includes('member') && names.includes('reader'));
  const one = ListKeystoneRolesRequest.fromPartial({ pageSize: 1 });
  const first = await identity.listKeystoneRoles(one, admin.options);
  const rest = ListKeystoneRolesRequest.fromPartial({ pageToken: first.nextPageToken });
  const second = await identity.listKeystoneRoles(rest, admin.options);
  assert.deepEqual([...first.roles, ...second.roles], roles);
  const { options } = await contract.user('professor');
  assert.equal((await failureOf(identity.listKeystoneUsers(byName, options))).code, 'PERMISSION_DENIED');
});
