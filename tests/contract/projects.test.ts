import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect } from '#common/rpc-client.ts';
import {
  CreateProjectRequest,
  CreateVolumeRequest,
  ListVolumesRequest,
  type OpenstackServiceServer,
  OpenstackServiceService,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, failureOf, isRealCloud, startContract } from './contract.ts';

let contract: Contract;
before(async () => {
  contract = await startContract();
});
after(() => contract.close());

const page = { pageSize: 0, pageToken: '' };

test('a user begins with no project, and gets one with quotas when something is made', async () => {
  const { client } = contract;
  const { options, userId, username } = await contract.user();
  assert.deepEqual(await client.listProjects(page, options), { projects: [], nextPageToken: '' });

  await client.createVolume(volume(contract.name('first')), options);
  const { projects } = await client.listProjects(page, options);
  assert.equal(projects.length, 1);
  const [project] = projects;
  assert(project);
  assert.equal(project.userId, userId);
  assert.equal(project.projectName, `pucp-${username}`);
  assert.equal(project.openstackProjectId, project.id);

  const byName = await client.getQuotas({ projectId: project.projectName }, options);
  const byId = await client.getQuotas({ projectId: project.id }, options);
  assert.deepEqual(byName, byId);
  assert.equal(byId.compute.instances, 20);
  assert.equal(byId.compute.cores, 40);
  assert.equal(byId.compute.ram, 51200);
  assert.equal(byId.compute.floating_ips, 10);
  assert.equal(byId.network.network, 100);
  assert.equal(byId.network.port, 500);
  assert.equal(byId.volume.gigabytes, 100);
});

test('calls that come at once, also to two replicas, make one project', async () => {
  const { cloud, within } = contract;
  const { options, userId } = await contract.user();
  const replica = await contract.another();
  const second = connect<OpenstackServiceServer>(OpenstackServiceService, replica.url);
  try {
    const clients = [contract.client, second, contract.client, second];
    await Promise.all(
      clients.map((client, index) => client.createVolume(volume(contract.name(`at-once-${index}`)), options)),
    );
  } finally {
    second.close();
    await replica.close();
  }
  const tagged = await cloud.project('home').keystone.listProjects({ tags: [`pucp:user=${userId}`] }, within);
  assert.equal(tagged.length, 1);
  const { volumes } = await contract.client.listVolumes(ListVolumesRequest.fromPartial({}), options);
  assert.equal(volumes.length, 4);
});

test('a further project has the quotas asked for, and its owner alone sees it', async () => {
  const { client } = contract;
  const owner = await contract.user();
  const other = await contract.user();
  const name = contract.name('further');
  const request = {
    projectName: name,
    description: 'A course',
    quotaVcpus: 8,
    quotaRam: 4096,
    quotaDisk: 20,
  };
  const made = await client.createProject(CreateProjectRequest.fromPartial(request), owner.options);
  assert.equal(made.projectName, name);
  assert.equal(made.openstackProjectId, made.id);
  const quotas = await client.getQuotas({ projectId: made.id }, owner.options);
  assert.equal(quotas.compute.cores, 8);
  assert.equal(quotas.compute.ram, 4096);
  assert.equal(quotas.volume.gigabytes, 20);

  const { projects } = await client.listProjects(page, owner.options);
  assert.deepEqual(
    projects.map(({ projectName, description }) => ({ projectName, description })),
    [{ projectName: name, description: 'A course' }],
  );
  assert.deepEqual((await client.listProjects(page, other.options)).projects, []);
  const admin = await contract.user('admin');
  const all = await client.listProjects(page, admin.options);
  assert.equal(all.projects.find(({ id }) => id === made.id)?.userId, owner.userId);
  assert.equal(
    all.projects.find(({ projectName }) => projectName === contract.config.cloud.projectName)?.userId,
    'system',
  );

  const again = CreateProjectRequest.fromPartial({ projectName: name });
  const taken = await failureOf(client.createProject(again, other.options));
  assert.equal(taken.code, 'ALREADY_EXISTS');
  assert.match(taken.message, new RegExp(name));
  assert.deepEqual((await client.listProjects(page, other.options)).projects, []);
});

test('a user gives nobody more than a user may, and all mistakes are told at once', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const request = CreateProjectRequest.fromPartial({
    projectName: '',
    quotaVcpus: 1_000_000,
    quotaRam: -1,
    members: [{ user: '', role: 'admin' }],
  });
  const failure = await failureOf(client.createProject(request, options));
  assert.equal(failure.code, 'INVALID_ARGUMENT');
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['project_name', 'quota_vcpus', 'quota_ram', 'members[0].user', 'members[0].role'],
  );
  const stranger = CreateProjectRequest.fromPartial({
    projectName: contract.name('members'),
    members: [{ user: contract.name('nobody'), role: '' }],
  });
  const unknown = await failureOf(client.createProject(stranger, options));
  assert.equal(unknown.code, 'INVALID_ARGUMENT');
  assert.match(unknown.message, /nobody/);
});

test('a member that is named has the role in the project', async () => {
  const { client, cloud, within } = contract;
  const { options } = await contract.user();
  const { auth } = contract.config.cloud;
  assert(auth.type === 'password');
  const members = [{ user: auth.username, role: 'reader' }];
  const request = CreateProjectRequest.fromPartial({ projectName: contract.name('shared'), members });
  const { id } = await client.createProject(request, options);
  const given = await cloud.project('home').keystone.listRoleAssignments({ projectId: id }, within);
  const words = given.map(({ user, role }) => `${user?.name} is ${role.name}`);
  assert(words.includes(`${auth.username} is reader`), words.join(', '));
});

test('a user has ten further projects at most, also when they are asked for at once', {
  // Twelve projects with their quotas take a real cloud half a minute, and it is our own count that is looked at.
  skip: isRealCloud,
}, async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const calls = Array.from({ length: 12 }, (_, index) => {
    const projectName = contract.name(`many-${index}`);
    return client.createProject(CreateProjectRequest.fromPartial({ projectName }), options);
  });
  const results = await Promise.allSettled(calls);
  const refused = results.filter((result) => result.status === 'rejected');
  assert(refused.length >= 2);
  for (const { reason } of refused) assert.equal(reason.reason, 'TOO_MANY_PROJECTS');
  const { projects } = await client.listProjects(page, options);
  assert.equal(projects.length, 12 - refused.length);
});

test('a guest may look and not touch', async () => {
  const { client } = contract;
  const { options } = await contract.user('guest');
  assert.deepEqual((await client.listProjects(page, options)).projects, []);
  const request = CreateProjectRequest.fromPartial({ projectName: contract.name('guest') });
  assert.equal((await failureOf(client.createProject(request, options))).code, 'PERMISSION_DENIED');
});

function volume(name: string) {
  return CreateVolumeRequest.fromPartial({ name, sizeGib: 1 });
}
