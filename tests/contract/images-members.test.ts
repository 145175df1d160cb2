// Images that are shared one by one, and with everybody.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Client, connect } from '#common/rpc-client.ts';
import {
  CreateImageRequest,
  type ImagesServiceServer,
  ImagesServiceService,
  ListImageSharesRequest,
  UpdateImageRequest,
} from '#proto/pucp/openstack/v1/images_service.ts';
import {
  CreateProjectRequest,
  CreateVolumeRequest,
  ListImagesRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { isRefused } from './compute.ts';
import { type Contract, type ContractUser, startContract } from './contract.ts';

let contract: Contract;
let images: Client<ImagesServiceServer> & { close(): void };
let owner: ContractUser;
let receiver: ContractUser;
/** The receiver's default project. */
let projectId: string;
before(async () => {
  contract = await startContract();
  images = connect<ImagesServiceServer>(ImagesServiceService, contract.url);
  owner = await contract.user();
  receiver = await contract.user();
  const disk = CreateVolumeRequest.fromPartial({ name: 'first', sizeGib: 1 });
  projectId = (await contract.client.createVolume(disk, receiver.options)).projectId;
});
after(async () => {
  images.close();
  const { glance } = contract.cloud.project('home');
  for (const { id, name } of await glance.listImages({ visibility: 'all' }, contract.within)) {
    if (name?.startsWith(contract.name(''))) await glance.deleteImage(id, contract.within);
  }
  await contract.close();
});

async function makeImage(stem: string, visibility: string, { options } = owner): Promise<string> {
  const chunk = Buffer.from('a disk');
  const wish = { name: contract.name(stem), diskFormat: 'raw', visibility, chunk };
  async function* pieces() {
    yield CreateImageRequest.fromPartial(wish);
  }
  let id = '';
  for await (const answer of images.createImage(pieces(), options)) id = answer.id;
  return id;
}

async function lists(id: string, { options }: ContractUser, visibility = ''): Promise<boolean> {
  const request = ListImagesRequest.fromPartial({ visibility });
  return (await contract.client.listImages(request, options)).images.some((one) => one.id === id);
}

async function sharesOf({ options }: ContractUser, fields: Partial<ListImageSharesRequest> = {}) {
  const { shares } = await images.listImageShares(ListImageSharesRequest.fromPartial(fields), options);
  return shares.map(({ imageId, status }) => `${imageId} ${status}`);
}

const page = { pageSize: 0, pageToken: '' };

test('an image is offered to another user, who accepts it, starts from it, and loses it again', async () => {
  const id = await makeImage('offered', 'shared');
  const name = contract.name('offered');
  const say = (status: string) => images.updateImageMember({ id, projectId, status }, receiver.options);
  await isRefused(images.getImage({ id }, receiver.options), 'NOT_FOUND');
  await isRefused(say('accepted'), 'NOT_FOUND');
  const made = await images.addImageMember({ id, projectId: '', userId: receiver.userId }, owner.options);
  assert.deepEqual([made.imageId, made.projectId, made.status], [id, projectId, 'pending']);
  assert(made.createdAt);
  const again = images.addImageMember({ id, projectId, userId: '' }, owner.options);
  await isRefused(again, 'ALREADY_EXISTS', new RegExp(projectId));

  assert.equal((await images.getImage({ id }, receiver.options)).name, name);
  assert.deepEqual(await sharesOf(receiver), [`${id} pending`]);
  assert.deepEqual(await sharesOf(receiver, { status: 'accepted' }), []);
  assert.deepEqual(await sharesOf(owner), []);
  assert(!(await lists(id, receiver)), 'what is only offered is in no list');
  const disk = CreateVolumeRequest.fromPartial({ name: 'copy', sizeGib: 1, imageId: name });
  await isRefused(contract.client.createVolume(disk, receiver.options), 'INVALID_ARGUMENT', /does not exist/);

  await isRefused(say('perhaps'), 'INVALID_ARGUMENT', /status: must be one of pending, accepted, rejected/);
  assert.equal((await say('accepted')).status, 'accepted');
  assert.deepEqual(await sharesOf(receiver, { status: 'accepted', projectId }), [`${id} accepted`]);
  assert(await lists(id, receiver));
  assert(await lists(id, receiver, 'shared'));
  assert.equal((await contract.client.createVolume(disk, receiver.options)).projectId, projectId);
  const change = UpdateImageRequest.fromPartial({ id, name: 'mine' });
  await isRefused(images.updateImage(change, receiver.options), 'NOT_FOUND');
  await isRefused(images.deleteImage({ id }, receiver.options), 'NOT_FOUND');
  await isRefused(images.removeImageMember({ id, projectId }, receiver.options), 'NOT_FOUND');

  assert.equal((await say('rejected')).status, 'rejected');
  assert(!(await lists(id, receiver)));
  assert.equal((await say('accepted')).status, 'accepted');
  await images.removeImageMember({ id, projectId }, owner.options);
  await images.removeImageMember({ id, projectId }, owner.options);
  assert(!(await lists(id, receiver)));
  await isRefused(images.getImage({ id }, receiver.options), 'NOT_FOUND');
});

test('the owner sees all members, a receiver itself, and everyone else no image', async () => {
  const id = await makeImage('members', 'shared');
  const third = await contract.user();
  const further = CreateProjectRequest.fromPartial({ projectName: contract.name('third') });
  const project = await contract.client.createProject(further, third.options);
  for (const one of [projectId, project.id]) {
    await images.addImageMember({ id, projectId: one, userId: '' }, owner.options);
  }
  const seen = async ({ options }: ContractUser) => {
    const { members } = await images.listImageMembers({ id, ...page }, options);
    return members.map((one) => one.projectId);
  };
  const both = [projectId, project.id].sort();
  assert.deepEqual(await seen(owner), both);
  assert.deepEqual(await seen(await contract.user('admin')), both);
  assert.deepEqual(await seen(receiver), [projectId]);
  assert.deepEqual(await seen(third), [project.id]);
  await isRefused(seen(await contract.user()), 'NOT_FOUND');
  const foreign = { id, projectId: project.id, status: 'accepted' };
  await isRefused(images.updateImageMember(foreign, receiver.options), 'NOT_FOUND');
});

test('an image is shared when it may be, with somebody who is there', async () => {
  const id = await makeImage('private', 'private');
  const { options } = owner;
  const add = (wish: { projectId?: string; userId?: string }) =>
    images.addImageMember({ id, projectId: '', userId: '', ...wish }, options);
  await isRefused(add({ projectId }), 'FAILED_PRECONDITION', /is private: change its visibility to shared/);
  assert.deepEqual((await images.listImageMembers({ id, ...page }, options)).members, []);
  await images.updateImage(UpdateImageRequest.fromPartial({ id, visibility: 'shared' }), options);
  await isRefused(add({}), 'INVALID_ARGUMENT', /either a project_id or a user_id/);
  await isRefused(add({ projectId, userId: receiver.userId }), 'INVALID_ARGUMENT', /either/);
  await isRefused(add({ userId: owner.userId }), 'INVALID_ARGUMENT', /user_id: is where the image lies/);
  await isRefused(add({ userId: randomUUID() }), 'NOT_FOUND', /has no project/);
  await isRefused(add({ projectId: 'f'.repeat(32) }), 'NOT_FOUND');
  await add({ projectId });
  await images.updateImage(UpdateImageRequest.fromPartial({ id, visibility: 'private' }), options);
  await isRefused(images.getImage({ id }, receiver.options), 'NOT_FOUND');
});

test('a community image is found by whoever asks for it, and never before one of the same name', async () => {
  const admin = await contract.user('admin');
  const name = contract.name('common');
  const own = await makeImage('common', 'private');
  const community = await makeImage('common', 'community', admin);
  assert(!(await lists(community, owner)));
  assert(await lists(community, owner, 'community'));
  assert.equal((await images.getImage({ id: community }, owner.options)).visibility, 'community');
  const disk = CreateVolumeRequest.fromPartial({ name: 'd', sizeGib: 1, imageId: community });
  assert((await contract.client.createVolume(disk, owner.options)).id);
  // The newer one is not taken: `own` is still its owner's.
  const { images: named } = await contract.client.listImages(
    ListImagesRequest.fromPartial({ name }),
    owner.options,
  );
  assert.deepEqual(
    named.map(({ id }) => id),
    [own],
  );
  await isRefused(images.deleteImage({ id: community }, owner.options), 'NOT_FOUND');
});
