import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Client, connect } from '#common/rpc-client.ts';
import type { ImageDetails } from '#proto/pucp/openstack/v1/images.ts';
import {
  CreateImageRequest,
  type CreateImageResponse,
  type ImagesServiceServer,
  ImagesServiceService,
  UpdateImageRequest,
} from '#proto/pucp/openstack/v1/images_service.ts';
import { CreateProjectRequest, CreateVolumeRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { createUploadSweeper } from '../../services/openstack/uploads.ts';
import {
  type Contract,
  type ContractUser,
  failureOf,
  isRealCloud,
  startContract,
  until,
} from './contract.ts';

const MIB = 1024 * 1024;

let contract: Contract;
let images: Client<ImagesServiceServer> & { close(): void };
let owner: ContractUser;
before(async () => {
  contract = await startContract();
  images = connect<ImagesServiceServer>(ImagesServiceService, contract.url);
  owner = await contract.user();
});
after(async () => {
  images.close();
  const { glance } = contract.cloud.project('home');
  for (const { id } of await leftOvers()) await glance.deleteImage(id, contract.within);
  await contract.close();
});

/** Images of this run, whatever their state. */
async function leftOvers() {
  const all = await contract.cloud.project('home').glance.listImages({}, contract.within);
  return all.filter(({ name }) => name?.startsWith(contract.name('')));
}

async function named(name: string) {
  return (await leftOvers()).filter((image) => image.name === name);
}

const wish = (fields: Partial<CreateImageRequest>) =>
  CreateImageRequest.fromPartial({ name: contract.name('image'), diskFormat: 'raw', ...fields });

async function* pieces(
  first: CreateImageRequest,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
): AsyncGenerator<CreateImageRequest> {
  yield first;
  for await (const chunk of chunks) yield CreateImageRequest.fromPartial({ chunk });
}

async function upload(
  fields: Partial<CreateImageRequest>,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer> = [Buffer.from('the bytes of an image')],
  options: ContractUser['options'] & { signal?: AbortSignal } = owner.options,
): Promise<{ image: ImageDetails; answers: CreateImageResponse[] }> {
  const answers: CreateImageResponse[] = [];
  const { timeoutMs: _, ...streaming } = options;
  for await (const answer of images.createImage(pieces(wish(fields), chunks), streaming))
    answers.push(answer);
  return { image: answers.at(-1)?.image ?? assert.fail('no image came'), answers };
}

const sha512 = (bytes: Buffer) => createHash('sha512').update(bytes).digest('hex');

test('an image is uploaded with its checksum, shown, listed, changed and removed', async () => {
  const { options } = owner;
  const bytes = randomBytes(300_000);
  const name = contract.name('small');
  const sum = createHash('sha256').update(bytes).digest('hex').toUpperCase();
  const { image, answers } = await upload(
    {
      name,
      minRam: 64,
      sha256: sum,
      contentLength: bytes.length,
      properties: ['os_distro=debian', 'empty='],
    },
    [bytes.subarray(0, 100_000), bytes.subarray(100_000)],
  );
  assert.equal(answers[0]?.id, image.id);
  assert.equal(answers[0]?.bytesTotal, bytes.length);
  assert.equal(answers.at(-1)?.bytesSent, bytes.length);
  assert.equal(image.status, 'active');
  assert.equal(image.size, bytes.length);
  assert.equal(image.visibility, 'private');
  assert.deepEqual([image.hashAlgo, image.hashValue], ['sha512', sha512(bytes)]);
  assert.equal(image.checksum, createHash('md5').update(bytes).digest('hex'));
  assert.deepEqual(image.properties, { os_distro: 'debian', empty: '' });
  assert.deepEqual([image.diskFormat, image.containerFormat, image.minRam], ['raw', 'bare', 64]);
  assert.deepEqual(await images.getImage({ id: image.id }, options), image);

  const list = async ({ options: whose }: ContractUser) =>
    (await contract.client.listImages({}, whose)).images.filter((one) => one.id === image.id).length;
  assert.equal(await list(owner), 1, 'its owner finds it at once');
  assert.equal(await list(await contract.user()), 0, 'nobody else does');

  const changed = await images.updateImage(
    UpdateImageRequest.fromPartial({
      id: image.id,
      name: `${name}-2`,
      minDisk: 1,
      visibility: 'shared',
      protected: true,
      properties: { os_version: '12' },
      removeProperties: ['empty', 'never-there'],
    }),
    options,
  );
  assert.deepEqual([changed.name, changed.minDisk, changed.minRam], [`${name}-2`, 1, 64]);
  assert.deepEqual([changed.visibility, changed.protected], ['shared', true]);
  assert.deepEqual(changed.properties, { os_distro: 'debian', os_version: '12' });
  const kept = await failureOf(images.deleteImage({ id: image.id }, options));
  assert.deepEqual([kept.code, kept.reason], ['FAILED_PRECONDITION', 'IMAGE_PROTECTED']);
  await images.updateImage(UpdateImageRequest.fromPartial({ id: image.id, protected: false }), options);
  assert.match((await images.deleteImage({ id: image.id }, options)).message, /deleted/);
  assert.equal((await failureOf(images.getImage({ id: image.id }, options))).code, 'NOT_FOUND');
  assert.equal(await list(owner), 0, 'the list has forgotten it');
});

test('64 MiB go through in bounded memory, and the progress is told', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = () => {
    // What the first pass finds unused, the second one frees.
    collect();
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const piece = randomBytes(64 * 1024);
  const pieceCount = 1024;
  const hash = createHash('sha512');
  for (let index = 0; index < pieceCount; index += 1) hash.update(piece);
  const before = held();
  let peak = 0;
  const chunks = (function* () {
    for (let index = 0; index < pieceCount; index += 1) {
      if (index % 256 === 0) peak = Math.max(peak, held() - before);
      yield piece;
    }
  })();
  const { image, answers } = await upload(
    { name: contract.name('large'), sha512: hash.digest('hex'), contentLength: 64 * MIB },
    chunks,
  );
  assert.equal(image.size, 64 * MIB);
  assert(peak < 16 * MIB, `${Math.round(peak / MIB)} MiB were held at once`);
  const sent = answers.map(({ bytesSent }) => bytesSent);
  assert.deepEqual(
    sent,
    sent.toSorted((a, b) => a - b),
  );
  await images.deleteImage({ id: image.id }, owner.options);
});

test('a wrong checksum or length is refused, and nothing stays behind', async () => {
  const name = contract.name('wrong');
  const sums = { md5: '0'.repeat(32), sha256: '0'.repeat(64), sha512: '0'.repeat(128) };
  const failure = await failureOf(upload({ name, ...sums, contentLength: 4 }));
  assert.deepEqual([failure.code, failure.reason], ['INVALID_ARGUMENT', 'CHECKSUM_MISMATCH']);
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['md5', 'sha256', 'sha512', 'content_length'],
  );
  const empty = await failureOf(upload({ name }, []));
  assert.match(empty.message, /chunk: is empty/);
  assert.deepEqual(await named(name), []);
});

test('every mistake is told at once, before anything is made', async () => {
  const failure = await failureOf(
    upload({
      name: '',
      diskFormat: 'floppy',
      containerFormat: 'box',
      visibility: 'secret',
      minDisk: -1,
      minRam: -1,
      md5: 'xyz',
      properties: ['nonsense', 'owner=me', 'block_device_mapping=[]'],
    }),
  );
  assert.equal(failure.code, 'INVALID_ARGUMENT');
  assert.deepEqual(failure.violations.map(({ field }) => field).sort(), [
    'container_format',
    'disk_format',
    'md5',
    'min_disk',
    'min_ram',
    'name',
    'properties.block_device_mapping',
    'properties.owner',
    'properties[0]',
    'visibility',
  ]);
});

test('an upload that is cancelled halfway leaves no image behind', async () => {
  const name = contract.name('cancelled');
  const leave = new AbortController();
  const chunks = (async function* () {
    yield randomBytes(MIB);
    await until(async () => (await named(name))[0]?.status === 'saving', 'Glance reads');
    leave.abort();
    yield randomBytes(MIB);
  })();
  const failure = await failureOf(upload({ name }, chunks, { ...owner.options, signal: leave.signal }));
  assert.equal(failure.code, 'CANCELLED');
  await until(async () => (await named(name)).length === 0, 'the image is gone');
});

test('an upload whose source fails ends with that failure and leaves no image behind', async () => {
  const name = contract.name('broken');
  const chunks = (async function* () {
    yield randomBytes(MIB);
    throw new Error('the disk is broken');
  })();
  await assert.rejects(upload({ name }, chunks), /the disk is broken/);
  await until(async () => (await named(name)).length === 0, 'the image is gone');
});

test('only admins make images public', async () => {
  const name = contract.name('public');
  const refused = await failureOf(upload({ name, visibility: 'public' }));
  assert.deepEqual([refused.code, refused.reason], ['PERMISSION_DENIED', 'VISIBILITY_FOR_ADMINS']);
  assert.deepEqual(await named(name), []);
  const { image } = await upload({ name });
  const id = image.id;
  const change = UpdateImageRequest.fromPartial({ id, visibility: 'public' });
  assert.equal((await failureOf(images.updateImage(change, owner.options))).code, 'PERMISSION_DENIED');
  const admin = await contract.user('admin');
  assert.equal((await images.updateImage(change, admin.options)).visibility, 'public');
  const stranger = await contract.user('guest');
  assert.equal((await images.getImage({ id }, stranger.options)).name, name);
  const { images: listed } = await contract.client.listImages({}, stranger.options);
  assert(listed.some((one) => one.id === id));
  await images.deleteImage({ id }, admin.options);

  const { image: own } = await upload({ name, visibility: 'public' }, undefined, admin.options);
  assert.equal(own.visibility, 'public');
  await images.deleteImage({ id: own.id }, admin.options);
});

test('an image of someone else does not exist', async () => {
  const { image } = await upload({ name: contract.name('hidden') });
  const stranger = await contract.user('professor');
  const calls = (id: string) => [
    () => images.getImage({ id }, stranger.options),
    () => images.updateImage(UpdateImageRequest.fromPartial({ id, name: 'mine' }), stranger.options),
    () => images.deleteImage({ id }, stranger.options),
  ];
  const nothing = randomUUID();
  const absent = calls(nothing);
  for (const [index, call] of calls(image.id).entries()) {
    const hidden = await failureOf(call());
    const never = await failureOf(absent[index]?.() ?? assert.fail());
    assert.equal(hidden.code, 'NOT_FOUND');
    assert.deepEqual(
      [hidden.reason, hidden.message.replace(image.id, nothing)],
      [never.reason, never.message],
    );
  }
  const foreign = await failureOf(
    upload({ name: contract.name('x'), projectId: image.projectId }, undefined, stranger.options),
  );
  assert.equal(foreign.code, 'NOT_FOUND');
  const guest = await contract.user('guest');
  assert.equal((await failureOf(upload({}, undefined, guest.options))).code, 'PERMISSION_DENIED');
});

test('an image of a further project is its owner’s to see and to boot from there', async () => {
  const { options } = owner;
  const projectName = contract.name('course');
  const project = CreateProjectRequest.fromPartial({ projectName });
  const { id: projectId } = await contract.client.createProject(project, options);
  const name = contract.name('course-image');
  const { image } = await upload({ name, projectId: projectName });
  assert.equal(image.projectId, projectId);
  const { images: listed } = await contract.client.listImages({}, options);
  assert(listed.some(({ id }) => id === image.id));
  assert.equal(new Set(listed.map(({ id }) => id)).size, listed.length);
  const disk = { name: contract.name('copy'), sizeGib: 1, imageId: name };
  const elsewhere = CreateVolumeRequest.fromPartial(disk);
  assert.match((await failureOf(contract.client.createVolume(elsewhere, options))).message, /does not exist/);
  const there = CreateVolumeRequest.fromPartial({ ...disk, projectId });
  assert.equal((await contract.client.createVolume(there, options)).projectId, projectId);
});

test('images that a killed process left waiting are removed after ten minutes', async () => {
  const { cloud, within } = contract;
  const name = contract.name('abandoned');
  const mark = 'abcdef01.';
  const image = { name, disk_format: 'raw', container_format: 'bare', min_disk: 0, min_ram: 0 };
  const make = (owner: string) =>
    cloud
      .project('home')
      .glance.createImage(
        { ...image, visibility: 'private', tags: ['pucp-upload'], 'pucp-owner': `${owner}7` },
        within,
      );
  const ours = await make(mark);
  const theirs = await make('other-01.');
  let nowMs = Date.now();
  const sweeper = createUploadSweeper({ cloud, tenancy: { ownerMark: async () => mark }, now: () => nowMs });
  nowMs += 500_000;
  assert.equal(await sweeper.sweep(within), 0);
  nowMs += 500_000;
  assert.equal(await sweeper.sweep(within), 1);
  const rest = (await named(name)).map(({ id }) => id);
  assert.deepEqual([rest.includes(ours.id), rest.includes(theirs.id)], [false, true]);
});

test('what Glance refuses is told as it is', { skip: isRealCloud }, async () => {
  const name = contract.name('refused');
  const sandbox = contract.config.cloud.authUrl.replace(/\/identity\/v3$/, '');
  const fault = (body: object) =>
    fetch(`${sandbox}/_sandbox/faults`, { method: 'POST', body: JSON.stringify(body) });
  const match = { service: 'image', method: 'PUT', path: '/file$' };
  await fault({ match, effect: 'error-before', status: 413 });
  const large = (function* () {
    for (let index = 0; index < 64; index += 1) yield randomBytes(MIB);
  })();
  const over = await failureOf(upload({ name }, large));
  assert.deepEqual([over.code, over.reason], ['RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED']);
  assert.deepEqual(await named(name), []);

  // A Glance that takes nothing holds the sender back.
  await fault({ match, effect: 'hang' });
  let offered = 0;
  const leave = new AbortController();
  const endless = (async function* () {
    for (; offered < 1024; offered += 1) yield randomBytes(MIB);
  })();
  const stuck = failureOf(upload({ name }, endless, { ...owner.options, signal: leave.signal }));
  let before = -1;
  await until(async () => {
    const isStill = offered > 0 && offered === before;
    before = offered;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return isStill;
  }, 'the sender waits');
  assert(offered < 32, `${offered} MiB were taken by nobody`);
  leave.abort();
  assert.equal((await stuck).code, 'CANCELLED');
  await until(async () => (await named(name)).length === 0, 'the image is gone');
});
