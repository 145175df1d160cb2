import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Client, connect } from '#common/rpc-client.ts';
import type { Volume } from '#proto/pucp/openstack/v1/openstack.ts';
import {
  type BootVolume,
  CreateInstanceRequest,
  CreateVolumeRequest,
  ListVolumesRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import {
  CreateVolumeSnapshotRequest,
  ListVolumeSnapshotsRequest,
  ListVolumeTypesRequest,
  type StorageServiceServer,
  StorageServiceService,
} from '#proto/pucp/openstack/v1/storage_service.ts';
import { type Contract, type ContractUser, failureOf, startContract, until } from './contract.ts';

let contract: Contract;
let storage: Client<StorageServiceServer> & { close(): void };
let owner: ContractUser;
before(async () => {
  contract = await startContract();
  storage = connect<StorageServiceServer>(StorageServiceService, contract.url);
  owner = await contract.user();
});
after(async () => {
  storage.close();
  await contract.close();
});

async function reach(id: string, status: string): Promise<Volume> {
  let last: Volume | undefined;
  await until(async () => {
    last = await storage.getVolume({ id }, owner.options);
    return last.status === status;
  }, `volume ${id} is ${status}`);
  assert(last);
  return last;
}

async function makeVolume(fields: Partial<CreateVolumeRequest> = {}): Promise<Volume> {
  const request = CreateVolumeRequest.fromPartial({ name: contract.name('disk'), sizeGib: 1, ...fields });
  const { id } = await contract.client.createVolume(request, owner.options);
  return await reach(id, 'available');
}

async function makeSnapshot(volumeId: string, name = contract.name('moment')) {
  const request = CreateVolumeSnapshotRequest.fromPartial({ volumeId, name });
  const made = await storage.createVolumeSnapshot(request, owner.options);
  await until(async () => {
    const { status } = await storage.getVolumeSnapshot({ id: made.id }, owner.options);
    return status === 'available';
  }, 'the snapshot is available');
  return made;
}

async function isGone(call: () => Promise<unknown>): Promise<boolean> {
  const error = await call().catch((caught: unknown) => caught);
  return (error as { code?: string }).code === 'NOT_FOUND';
}

test('a volume is shown, renamed and found by its name and status', async () => {
  const { options } = owner;
  const volume = await makeVolume({ description: 'first' });
  assert.equal(volume.description, 'first');
  const name = contract.name('renamed');
  const renamed = await storage.updateVolume({ id: volume.id, name }, options);
  assert.deepEqual([renamed.name, renamed.description], [name, 'first']);
  const cleared = await storage.updateVolume({ id: volume.id, description: '' }, options);
  assert.deepEqual([cleared.name, cleared.description], [name, '']);
  assert.equal((await storage.updateVolume({ id: volume.id }, options)).name, name);
  const { client } = contract;
  const found = await client.listVolumes(
    ListVolumesRequest.fromPartial({ name, status: 'available' }),
    options,
  );
  assert.deepEqual(
    found.volumes.map(({ id }) => id),
    [volume.id],
  );
  const others = await client.listVolumes(ListVolumesRequest.fromPartial({ name, status: 'error' }), options);
  assert.deepEqual(others.volumes, []);
  const wrong = await failureOf(
    storage.updateVolume({ id: volume.id, name: 'x'.repeat(256), description: 'y'.repeat(256) }, options),
  );
  assert.deepEqual(
    wrong.violations.map(({ field }) => field),
    ['name', 'description'],
  );
});

test('a volume grows, never shrinks, and asking again for the size it has changes nothing', async () => {
  const { options } = owner;
  const { id } = await makeVolume();
  await storage.extendVolume({ id, sizeGib: 2 }, options);
  const grown = await reach(id, 'available');
  assert.equal(grown.sizeGib, 2);
  assert.equal((await storage.extendVolume({ id, sizeGib: 2 }, options)).status, 'available');
  const shrunk = await failureOf(storage.extendVolume({ id, sizeGib: 1 }, options));
  assert.equal(shrunk.code, 'INVALID_ARGUMENT');
  assert.match(shrunk.message, /size_gib.*2 GiB/);
  const tooLarge = await failureOf(storage.extendVolume({ id, sizeGib: 100_000 }, options));
  assert.equal(tooLarge.code, 'RESOURCE_EXHAUSTED');
  assert.equal(tooLarge.reason, 'QUOTA_EXCEEDED');
});

test('a volume grows while a server has it', async () => {
  const { options } = owner;
  const volume = await makeVolume();
  const instanceId = await makeServer(undefined);
  await contract.client.attachVolume({ id: volume.id, instanceId, device: '' }, options);
  await reach(volume.id, 'in-use');
  const nowhere = contract.client.attachVolume({ id: volume.id, instanceId: '', device: '' }, options);
  assert.match((await failureOf(nowhere)).message, /instance_id: is missing/);
  await storage.extendVolume({ id: volume.id, sizeGib: 2 }, options);
  await until(async () => {
    const { sizeGib, status } = await storage.getVolume({ id: volume.id }, options);
    return sizeGib === 2 && status === 'in-use';
  }, 'the volume has grown');
  await removeServer(instanceId);
});

test('a snapshot is taken, listed, renamed, made into a volume, and removed', async () => {
  const { client } = contract;
  const { options } = owner;
  const volume = await makeVolume({ sizeGib: 2 });
  const made = await makeSnapshot(volume.id);
  assert.equal(made.volumeId, volume.id);
  assert.equal(made.sizeGib, 2);
  assert.equal(made.projectId, volume.projectId);
  const second = await makeSnapshot(volume.id, contract.name('later'));
  const list = (fields: Partial<ListVolumeSnapshotsRequest>) =>
    storage.listVolumeSnapshots(ListVolumeSnapshotsRequest.fromPartial(fields), options);
  const both = await list({ volumeId: volume.id });
  assert.deepEqual(both.snapshots.map(({ id }) => id).sort(), [made.id, second.id].sort());
  const page = await list({ volumeId: volume.id, pageSize: 1 });
  const rest = await list({ volumeId: volume.id, pageSize: 1, pageToken: page.nextPageToken });
  assert.deepEqual(
    [...page.snapshots, ...rest.snapshots].map(({ id }) => id),
    both.snapshots.map(({ id }) => id),
  );
  assert.equal(rest.nextPageToken, '');
  assert.deepEqual((await list({ status: 'error' })).snapshots, []);
  const name = contract.name('kept');
  const renamed = await storage.updateVolumeSnapshot({ id: made.id, name, description: 'text' }, options);
  assert.deepEqual([renamed.name, renamed.description], [name, 'text']);

  const small = CreateVolumeRequest.fromPartial({ name: 'x', sizeGib: 1, snapshotId: made.id });
  assert.match((await failureOf(client.createVolume(small, options))).message, /the snapshot needs 2 GiB/);
  const copy = await makeVolume({ sizeGib: 0, snapshotId: made.id });
  assert.deepEqual([copy.sizeGib, copy.snapshotId], [2, made.id]);

  const kept = await failureOf(client.deleteVolume({ id: volume.id }, options));
  assert.equal(kept.code, 'ABORTED');
  assert.match(kept.message, new RegExp(`has snapshots: delete .*"${second.name}".* first`));
  for (const { id } of [made, second]) {
    const { message } = await storage.deleteVolumeSnapshot({ id }, options);
    assert.match(message, /deleted/);
    await until(() => isGone(() => storage.getVolumeSnapshot({ id }, options)), 'the snapshot is gone');
  }
  await client.deleteVolume({ id: volume.id }, options);
  await until(() => isGone(() => storage.getVolume({ id: volume.id }, options)), 'the volume is gone');
});

test('more snapshots than the quota allows are refused as such', async () => {
  const { options } = owner;
  const volume = await makeVolume();
  await contract.cloud.project('home').cinder.setQuotas(volume.projectId, { snapshots: 0 }, contract.within);
  const request = CreateVolumeSnapshotRequest.fromPartial({ volumeId: volume.id, name: 'one too many' });
  const failure = await failureOf(storage.createVolumeSnapshot(request, options));
  assert.deepEqual([failure.code, failure.reason], ['RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED']);
  assert.equal(failure.metadata.status, '413');
  await contract.cloud.project('home').cinder.setQuotas(volume.projectId, { snapshots: 10 }, contract.within);
});

test('types of volumes are listed, and one of them is the default', async () => {
  const { volumeTypes } = await storage.listVolumeTypes(
    ListVolumeTypesRequest.fromPartial({}),
    owner.options,
  );
  assert(volumeTypes.length > 0);
  assert.equal(volumeTypes.filter(({ isDefault }) => isDefault).length, 1);
});

async function makeServer(bootVolume: Partial<BootVolume> | undefined, imageId = 'cirros'): Promise<string> {
  const request = CreateInstanceRequest.fromPartial({
    instanceName: contract.name('booted'),
    imageId,
    flavorId: 'nano',
    bootVolume,
  });
  const { id } = await contract.client.createInstance(request, owner.options);
  await until(async () => {
    const { status, errorMessage } = await contract.client.getInstance({ id }, owner.options);
    assert.notEqual(status, 'error', errorMessage);
    return status === 'active';
  }, 'the server runs');
  return id;
}

async function volumesAt(instanceId: string): Promise<Volume[]> {
  const { volumes } = await contract.client.listVolumes(ListVolumesRequest.fromPartial({}), owner.options);
  return volumes.filter(({ attachments }) => attachments.some((one) => one.instanceId === instanceId));
}

async function removeServer(id: string): Promise<void> {
  await contract.client.deleteInstance({ id }, owner.options);
  await until(() => isGone(() => contract.client.getInstance({ id }, owner.options)), 'the server is gone');
}

test('a server boots from a new volume made from an image, which goes away with it', async () => {
  const { volumeTypes } = await storage.listVolumeTypes(
    ListVolumeTypesRequest.fromPartial({}),
    owner.options,
  );
  const id = await makeServer({ sizeGib: 2, volumeType: volumeTypes[0]?.name ?? '' });
  const { imageId } = await contract.client.getInstance({ id }, owner.options);
  assert.equal(imageId, '');
  const [volume, ...others] = await volumesAt(id);
  assert(volume);
  assert.deepEqual(others, []);
  assert.deepEqual([volume.sizeGib, volume.bootable, volume.status], [2, true, 'in-use']);
  await removeServer(id);
  await until(() => isGone(() => storage.getVolume({ id: volume.id }, owner.options)), 'the volume is gone');
});

test('a boot volume stays if asked, and the next server boots from it', async () => {
  const first = await makeServer({ deleteOnTermination: false });
  const [volume] = await volumesAt(first);
  assert(volume);
  const busy = await failureOf(makeServer({ volumeId: volume.id }, ''));
  assert.match(busy.message, /boot_volume\.volume_id: .*in-use/);
  await removeServer(first);
  await reach(volume.id, 'available');
  const second = await makeServer({ volumeId: volume.id }, '');
  assert.equal((await volumesAt(second))[0]?.id, volume.id);
  await removeServer(second);
  await reach(volume.id, 'available');
});

test('a boot volume that cannot be is refused with all its mistakes', async () => {
  const small = await failureOf(makeServer({ sizeGib: -1, volumeType: 'golden' }, 'no-such-image'));
  assert.deepEqual(small.violations.map(({ field }) => field).sort(), [
    'boot_volume.size_gib',
    'boot_volume.volume_type',
    'image_id',
  ]);
  assert.match(small.message, /golden.*there are: /);
  const empty = await makeVolume();
  const both = await failureOf(makeServer({ volumeId: empty.id }));
  assert.deepEqual(both.violations.map(({ field }) => field).sort(), ['boot_volume.volume_id', 'image_id']);
  assert.match(both.message, /cannot be booted/);
  const nowhere = randomUUID();
  const absent = await failureOf(makeServer({ volumeId: nowhere }, ''));
  assert.match(absent.message, new RegExp(`volume "${nowhere}" does not exist`));
});

test('volumes and snapshots of someone else do not exist', async () => {
  const stranger = await contract.user('professor');
  const volume = await makeVolume();
  const snapshot = await makeSnapshot(volume.id);
  const calls = (volumeId: string, id: string) => [
    () => storage.getVolume({ id: volumeId }, stranger.options),
    () => storage.updateVolume({ id: volumeId, name: 'mine' }, stranger.options),
    () => storage.extendVolume({ id: volumeId, sizeGib: 3 }, stranger.options),
    () =>
      storage.createVolumeSnapshot(
        CreateVolumeSnapshotRequest.fromPartial({ volumeId, name: 'mine' }),
        stranger.options,
      ),
    () => storage.getVolumeSnapshot({ id }, stranger.options),
    () => storage.updateVolumeSnapshot({ id, name: 'mine' }, stranger.options),
    () => storage.deleteVolumeSnapshot({ id }, stranger.options),
    () =>
      contract.client.createVolume(
        CreateVolumeRequest.fromPartial({ name: 'mine', sizeGib: 1, snapshotId: id }),
        stranger.options,
      ),
  ];
  const nothing = [randomUUID(), randomUUID()] as const;
  const absent = calls(...nothing);
  for (const [index, call] of calls(volume.id, snapshot.id).entries()) {
    const hidden = await failureOf(call());
    const never = await failureOf(absent[index]?.() ?? assert.fail());
    assert.equal(hidden.code, 'NOT_FOUND', hidden.message);
    const words = hidden.message.replace(volume.id, nothing[0]).replace(snapshot.id, nothing[1]);
    assert.deepEqual([hidden.reason, words], [never.reason, never.message]);
  }
  const { snapshots } = await storage.listVolumeSnapshots(
    ListVolumeSnapshotsRequest.fromPartial({}),
    stranger.options,
  );
  assert.deepEqual(snapshots, []);
  const admin = await contract.user('admin');
  const seen = await storage.listVolumeSnapshots(
    ListVolumeSnapshotsRequest.fromPartial({ projectId: volume.projectId }),
    admin.options,
  );
  assert(seen.snapshots.some(({ id }) => id === snapshot.id));
});

test('guests look and do not touch', async () => {
  const guest = await contract.user('guest');
  const failure = await failureOf(storage.extendVolume({ id: randomUUID(), sizeGib: 3 }, guest.options));
  assert.equal(failure.code, 'PERMISSION_DENIED');
});
