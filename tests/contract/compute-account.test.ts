// What belongs to users and to the cloud beside instances: key pairs, flavors, usage, hosts. And whom it belongs to.

import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { CallOptions } from '#common/rpc-client.ts';
import {
  ComputeServiceService,
  CreateFlavorRequest,
  GetUsageRequest,
  ListKeyPairsRequest,
} from '#proto/pucp/openstack/v1/compute_service.ts';
import { ListFlavorsRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type ComputeClient, connectCompute, isRefused, runningInstance } from './compute.ts';
import {
  type Contract,
  type ContractUser,
  failureOf,
  isRealCloud,
  startContract,
  until,
} from './contract.ts';

type Rpc = keyof typeof ComputeServiceService;

const ED25519 =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJbfzzPZmyqz5ZJ1Qw5cQh0bQ6dQFqTf4mCw6cOZ7l5T someone@laptop';

let contract: Contract;
let compute: ComputeClient & { close(): void };
let owner: ContractUser;
/** Users with key pairs. */
const people: ContractUser[] = [];

before(async () => {
  contract = await startContract();
  compute = connectCompute(contract);
  owner = await contract.user();
  people.push(owner);
});
after(async () => {
  compute.close();
  try {
    await removeLeftovers();
  } finally {
    await contract.close();
  }
});

/** What a test that failed left: neither key pairs nor flavors lie in a project. */
async function removeLeftovers(): Promise<void> {
  const { cloud, within } = contract;
  const { nova } = cloud.project('home');
  for (const { name } of await nova.listKeypairs(within)) {
    if (people.some(({ userId }) => name.includes(userId))) await nova.deleteKeypair(name, within);
  }
  for (const { id, name } of await nova.listAllFlavors(within)) {
    if (name.startsWith(contract.name(''))) await nova.deleteFlavor(id, within);
  }
}

const names = async (options: CallOptions, userId = '') => {
  const { keyPairs } = await compute.listKeyPairs(ListKeyPairsRequest.fromPartial({ userId }), options);
  return keyPairs.map(({ name }) => name);
};

test('a key pair is made, its private key shown once, and an instance started with it', async () => {
  const { options } = owner;
  const made = await compute.createKeyPair({ name: 'my laptop', publicKey: '' }, options);
  assert.equal(made.name, 'my laptop');
  assert.match(made.publicKey, /^ssh-\w+ /);
  const half = createPublicKey(createPrivateKey(made.privateKey)).export({ format: 'jwk' });
  assert.equal(half.kty, 'RSA');
  const shown = await compute.getKeyPair({ name: 'my laptop', userId: '' }, options);
  assert.equal(shown.fingerprint, made.fingerprint);
  assert.equal(shown.publicKey, made.publicKey);
  assert(shown.createdAt);
  assert(!JSON.stringify(shown).includes('PRIVATE'));
  const again = await failureOf(compute.createKeyPair({ name: 'my laptop', publicKey: '' }, options));
  assert.equal(again.code, 'ALREADY_EXISTS');
  assert(!again.message.includes(owner.userId), again.message);

  const fields = { instanceName: contract.name('keyed'), keyName: 'my laptop' };
  const { id, keyName } = await runningInstance(contract, owner, fields);
  assert.equal(keyName, 'my laptop');
  await contract.client.deleteInstance({ id }, options);
  await compute.deleteKeyPair({ name: 'my laptop', userId: '' }, options);
  assert.deepEqual(await names(options), []);
  await isRefused(compute.deleteKeyPair({ name: 'my laptop', userId: '' }, options), 'NOT_FOUND');
});

test('two users have key pairs of one name, and neither sees the other’s', async () => {
  const other = await contract.user();
  people.push(other);
  const admin = await contract.user('admin');
  const imported = await compute.createKeyPair({ name: 'laptop', publicKey: ` ${ED25519}\n` }, owner.options);
  assert.equal(imported.privateKey, '');
  assert.equal(imported.publicKey, ED25519);
  await compute.createKeyPair({ name: 'only mine', publicKey: ED25519 }, owner.options);
  assert.deepEqual(await names(other.options), []);
  await compute.createKeyPair({ name: 'laptop', publicKey: '' }, other.options);
  assert.deepEqual(await names(owner.options), ['laptop', 'only mine']);
  assert.deepEqual(await names(other.options), ['laptop']);
  assert.deepEqual(await names(admin.options), []);
  assert.deepEqual(await names(admin.options, owner.userId), ['laptop', 'only mine']);
  await isRefused(names(other.options, owner.userId), 'NOT_FOUND');
  for (const userId of ['', owner.userId]) {
    const named = { name: 'only mine', userId };
    await isRefused(compute.getKeyPair(named, other.options), 'NOT_FOUND');
    await isRefused(compute.deleteKeyPair(named, other.options), 'NOT_FOUND');
  }
  const keyed = runningInstance(contract, other, { instanceName: 'x', keyName: 'only mine' });
  await isRefused(keyed, 'INVALID_ARGUMENT', /key pair "only mine" does not exist; there are: laptop$/);

  await compute.deleteKeyPair({ name: 'laptop', userId: '' }, other.options);
  assert.deepEqual(await names(owner.options), ['laptop', 'only mine']);
  await compute.deleteKeyPair({ name: 'laptop', userId: '' }, owner.options);
  await compute.deleteKeyPair({ name: 'only mine', userId: owner.userId }, admin.options);
  assert.deepEqual(await names(owner.options), []);
});

test('nobody has more key pairs than a fair part, and a cloud without room says who shares it', async () => {
  const hoarder = await contract.user();
  people.push(hoarder);
  const make = (name: string) => compute.createKeyPair({ name, publicKey: ED25519 }, hoarder.options);
  for (let count = 0; count < 20; count += 1) await make(`key ${count}`);
  await isRefused(
    make('one more'),
    'RESOURCE_EXHAUSTED',
    /You have 20 key pairs, and 20 are the most: delete/,
  );
  for (const name of await names(hoarder.options)) {
    await compute.deleteKeyPair({ name, userId: '' }, hoarder.options);
  }
  // On a real cloud others make key pairs at the same time.
  if (isRealCloud) return;
  const { nova, projectId } = contract.cloud.project('home');
  const home = await projectId(contract.within);
  await nova.setQuotas(home, { key_pairs: 0 }, contract.within);
  await isRefused(make('none'), 'RESOURCE_EXHAUSTED', /all users .* share .* "key_pairs"/);
  await nova.setQuotas(home, { key_pairs: -1 }, contract.within);
});

test('every mistake in a request for a key pair is told', async () => {
  for (const publicKey of [
    'hello',
    'ssh-rsa AAAA',
    ED25519.replace('ed25519', 'rsa'),
    `${ED25519}\n${ED25519}`,
  ]) {
    const failure = await failureOf(compute.createKeyPair({ name: 'a/b', publicKey }, owner.options));
    assert.deepEqual(
      failure.violations.map(({ field }) => field),
      ['name', 'public_key'],
    );
  }
});

test('an admin makes a flavor that all see at once, and deletes it', async () => {
  const admin = await contract.user('admin');
  const { options } = owner;
  const name = contract.name('tiny');
  const sizes = { vcpus: 1, ram: 96, disk: 1, swap: 8 };
  const all = ListFlavorsRequest.fromPartial({});
  await contract.client.listFlavors(all, options);
  const request = CreateFlavorRequest.fromPartial({ name, ...sizes });
  const made = await compute.createFlavor(request, admin.options);
  const { vcpus, ram, disk, swap, isPublic } = made;
  assert.deepEqual({ vcpus, ram, disk, swap, isPublic }, { ...sizes, isPublic: true });
  const { flavors } = await contract.client.listFlavors(all, options);
  assert.deepEqual(
    flavors.find(({ id }) => id === made.id),
    made,
  );
  assert.deepEqual(await compute.getFlavor({ id: name }, options), made);
  assert.deepEqual(await compute.getFlavor({ id: made.id }, options), made);
  const aliased = await compute.getFlavor({ id: 'nano' }, options);
  assert(aliased.aliases.includes('nano'));
  await isRefused(compute.createFlavor(request, admin.options), 'ALREADY_EXISTS', new RegExp(name));
  const wrong = CreateFlavorRequest.fromPartial({ disk: -1, id: 'a/b' });
  const failure = await failureOf(compute.createFlavor(wrong, admin.options));
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['name', 'id', 'vcpus', 'ram', 'disk'],
  );
  await isRefused(compute.createFlavor(request, options), 'PERMISSION_DENIED');
  await isRefused(compute.deleteFlavor({ id: name }, options), 'PERMISSION_DENIED');

  await compute.deleteFlavor({ id: name }, admin.options);
  await isRefused(compute.getFlavor({ id: name }, options), 'NOT_FOUND');
  await isRefused(compute.deleteFlavor({ id: name }, admin.options), 'NOT_FOUND');
});

test('what a project’s instances took is told to its owner and to admins', async () => {
  const user = await contract.user();
  const admin = await contract.user('admin');
  await isRefused(compute.getUsage(GetUsageRequest.fromPartial({}), user.options), 'NOT_FOUND');
  const { id, projectId } = await runningInstance(contract, user, { instanceName: contract.name('used') });
  // Nova counts a server some moments after it says that the server is active.
  await until(async () => {
    const { instances } = await compute.getUsage(GetUsageRequest.fromPartial({}), user.options);
    return instances.length > 0;
  }, `the usage of ${projectId} has an instance`);
  for (const request of [{}, { projectId }]) {
    const usage = await compute.getUsage(GetUsageRequest.fromPartial(request), user.options);
    assert.equal(usage.projectId, projectId);
    assert.match(usage.projectName, /^pucp-/);
    const [one] = usage.instances;
    assert.equal(one?.instanceId, id);
    assert.equal(one?.status, 'active');
    assert(usage.hours >= 0 && usage.hours < 1);
    assert.equal(usage.ramMibHours, usage.hours * (one?.ramMib ?? -1));
  }
  const seen = await compute.getUsage(GetUsageRequest.fromPartial({ projectId }), admin.options);
  assert.equal(seen.instances.length, 1);
  const long = { startTime: '2001-01-01T00:00:00.000Z', endTime: '2001-02-01T00:00:00.000Z' };
  const past = await compute.getUsage(GetUsageRequest.fromPartial(long), user.options);
  assert.deepEqual(past.instances, []);
  assert.equal(past.startTime, long.startTime);
  const turned = GetUsageRequest.fromPartial({ startTime: long.endTime, endTime: long.startTime });
  await isRefused(compute.getUsage(turned, user.options), 'INVALID_ARGUMENT', /start_time/);
});

test('hypervisors are listed for admins only', async () => {
  const admin = await contract.user('admin');
  const page = { pageSize: 0, pageToken: '' };
  const { hypervisors } = await compute.listHypervisors(page, admin.options);
  const [first] = hypervisors;
  assert(first && first.vcpus > 0 && first.ramMib > 0 && first.state === 'up' && first.hostname !== '');
  await isRefused(compute.listHypervisors(page, owner.options), 'PERMISSION_DENIED');
});

type Things = { readonly project: string; readonly instance: string; readonly user: string };

const named = ({ project, instance: id, user: userId }: Things) => {
  const page = { pageSize: 0, pageToken: '' };
  const key = { name: 'key', userId };
  return {
    pauseInstance: (o) => compute.pauseInstance({ id }, o),
    unpauseInstance: (o) => compute.unpauseInstance({ id }, o),
    suspendInstance: (o) => compute.suspendInstance({ id }, o),
    resumeInstance: (o) => compute.resumeInstance({ id }, o),
    shelveInstance: (o) => compute.shelveInstance({ id }, o),
    unshelveInstance: (o) => compute.unshelveInstance({ id }, o),
    lockInstance: (o) => compute.lockInstance({ id }, o),
    unlockInstance: (o) => compute.unlockInstance({ id }, o),
    resizeInstance: (o) => compute.resizeInstance({ id, flavorId: 'micro' }, o),
    confirmInstanceResize: (o) => compute.confirmInstanceResize({ id }, o),
    revertInstanceResize: (o) => compute.revertInstanceResize({ id }, o),
    rebuildInstance: (o) => compute.rebuildInstance({ id, imageId: 'cirros' }, o),
    snapshotInstance: (o) => compute.snapshotInstance({ id, name: 'x', metadata: {} }, o),
    getConsoleLog: (o) => compute.getConsoleLog({ id, lines: 0 }, o),
    updateInstance: (o) => compute.updateInstance({ id, instanceName: 'x' }, o),
    mergeInstanceMetadata: (o) => compute.mergeInstanceMetadata({ id, metadata: { a: 'b' } }, o),
    replaceInstanceMetadata: (o) => compute.replaceInstanceMetadata({ id, metadata: {} }, o),
    deleteInstanceMetadata: (o) => compute.deleteInstanceMetadata({ id, key: 'a' }, o),
    listInstancePorts: (o) => compute.listInstancePorts({ id, ...page }, o),
    attachInstancePort: (o) => compute.attachInstancePort({ id, network: 'x', portId: '', ipAddress: '' }, o),
    detachInstancePort: (o) => compute.detachInstancePort({ id, portId: randomUUID() }, o),
    listInstanceVolumes: (o) => compute.listInstanceVolumes({ id, ...page }, o),
    listKeyPairs: (o) => compute.listKeyPairs({ userId, ...page }, o),
    getKeyPair: (o) => compute.getKeyPair(key, o),
    deleteKeyPair: (o) => compute.deleteKeyPair(key, o),
    getUsage: (o) => compute.getUsage(GetUsageRequest.fromPartial({ projectId: project }), o),
  } satisfies Partial<Record<Rpc, (options: CallOptions) => Promise<unknown>>>;
};

/** Rpcs whose requests name nothing that someone else could own. */
const NAMELESS: readonly Rpc[] = [
  'createKeyPair',
  'getFlavor',
  'createFlavor',
  'deleteFlavor',
  'listHypervisors',
  'listFlavorAccess',
  'addFlavorAccess',
  'removeFlavorAccess',
  'getFlavorExtraSpecs',
  'mergeFlavorExtraSpecs',
  'deleteFlavorExtraSpec',
];

test('every rpc of compute hides what is someone else’s in the words for what never existed', async () => {
  const { options, userId } = owner;
  const fields = { instanceName: contract.name('mine') };
  const { id: instance, projectId: project } = await runningInstance(contract, owner, fields);
  await compute.createKeyPair({ name: 'key', publicKey: ED25519 }, options);
  const things: Things = { project, instance, user: userId };
  const nothing: Things = {
    project: randomUUID().replaceAll('-', ''),
    instance: randomUUID(),
    user: randomUUID(),
  };
  const hidden = named(things);
  assert.deepEqual([...Object.keys(hidden), ...NAMELESS].sort(), Object.keys(ComputeServiceService).sort());

  const stranger = await contract.user('professor');
  for (const [rpc, call] of Object.entries(named(nothing))) {
    const absent = await failureOf(call(stranger.options));
    const foreign = await failureOf(hidden[rpc as keyof typeof hidden](stranger.options));
    assert.equal(absent.code, 'NOT_FOUND', `${rpc}: ${absent.message}`);
    const words = (['project', 'instance', 'user'] as const).reduce(
      (text, kind) => text.replaceAll(things[kind], nothing[kind]),
      foreign.message,
    );
    assert.deepEqual(
      { rpc, code: foreign.code, reason: foreign.reason, words },
      { rpc, code: absent.code, reason: absent.reason, words: absent.message },
    );
  }
  const { status, taskState, locked, metadata } = await contract.client.getInstance(
    { id: instance },
    options,
  );
  assert.deepEqual({ status, taskState, locked }, { status: 'active', taskState: '', locked: false });
  assert.deepEqual(metadata, { created_by: 'pucp-orchestrator' });
  assert.deepEqual(await names(options), ['key']);
  await compute.deleteKeyPair({ name: 'key', userId: '' }, options);

  const guest = await contract.user('guest');
  await isRefused(compute.pauseInstance({ id: instance }, guest.options), 'PERMISSION_DENIED');
  await isRefused(compute.createKeyPair({ name: 'k', publicKey: '' }, guest.options), 'PERMISSION_DENIED');
});
