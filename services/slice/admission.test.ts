import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { Infrastructure, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { ADMIN, ANA, as, BOB, request, startMesh } from './testing/harness.ts';

const everything = { pageSize: 0, pageToken: '', status: SliceState.UNSPECIFIED } as const;

test("every mistake in a request is told at once, the cloud's with our own", async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const wrong = request({
    name: '',
    nodes: [
      { name: 'vm1', image: 'windows-95', flavor: 'small' },
      { name: 'vm1', image: 'ubuntu-20.04', flavor: 'gigantic', networks: ['wan'] },
    ],
    networks: [{ name: 'lan', cidr: '192.168.100.7/24', vlanId: 100 }],
  });
  const failure = await failureOf(mesh.client.createSlice(wrong, ana));
  assert.equal(failure.code, 'INVALID_ARGUMENT');
  assert.deepEqual(
    failure.violations.map((violation) => violation.field),
    [
      'name',
      'nodes[1].name',
      'nodes[1].networks[0]',
      'networks[0].cidr',
      'networks[0].vlan_id',
      'nodes[0].image',
      'nodes[1].flavor',
    ],
  );
  assert.match(failure.message, /nodes\[0\]\.image: there is no image "windows-95"/);
  assert.deepEqual((await mesh.client.listSlices(everything, ana)).slices, []);
});

test('what only the cloud knows is told by the field that it is about', async () => {
  await using mesh = await startMesh();
  const nodes = [{ name: 'vm1', image: 'ubuntu-20.04', flavor: 'huge' }];
  const failure = await failureOf(mesh.client.createSlice(request({ nodes }), await as(ANA)));
  assert.deepEqual(failure.violations, [{ field: 'nodes[0].flavor', message: 'there is no flavor "huge"' }]);
});

test('an admin chooses a VLAN, and nobody else does', async () => {
  await using mesh = await startMesh();
  const tagged = request({ deploy: false, networks: [{ name: 'lan', cidr: '10.0.0.0/24', vlanId: 100 }] });
  const failure = await failureOf(mesh.client.createSlice(tagged, await as(ANA)));
  assert.match(failure.message, /only an admin chooses a VLAN/);
  await mesh.client.createSlice(tagged, await as(ADMIN));
});

for (const infrastructure of [Infrastructure.LINUX, Infrastructure.HYBRID] as const) {
  for (const deploy of [true, false]) {
    test(`without its driver, ${infrastructure} is refused for ${deploy ? 'deployments' : 'drafts'}`, async () => {
      await using mesh = await startMesh();
      const node = { name: 'vm1', image: 'x', flavor: 'y', infrastructure: Infrastructure.LINUX };
      const refused = mesh.client.createSlice(
        request({ infrastructure, deploy, nodes: [node] }),
        await as(ANA),
      );
      const { code, reason, message } = await failureOf(refused);
      assert.deepEqual([code, reason], ['FAILED_PRECONDITION', 'NO_DRIVER']);
      assert.match(message, /no linux driver is configured/);
    });
  }
}

test("what goes beyond a user's limits is refused with the numbers, and counts again once it is gone", async () => {
  await using mesh = await startMesh({ env: { MAX_VCPUS_PER_USER: '4', MAX_RAM_PER_USER: '7000' } });
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request({ deploy: false }), ana);
  const large = request({ deploy: false, nodes: [{ name: 'vm1', image: 'ubuntu-20.04', flavor: 'large' }] });
  const failure = await failureOf(mesh.client.createSlice(large, ana));
  assert.deepEqual([failure.code, failure.reason], ['RESOURCE_EXHAUSTED', 'USER_LIMIT_EXCEEDED']);
  assert.deepEqual(failure.metadata, {
    vcpus_needed: '4',
    vcpus_used: '1',
    vcpus_limit: '4',
    ram_needed: '6144',
    ram_used: '1536',
    ram_limit: '7000',
  });
  assert.match(failure.message, /vcpus: 4 needed, 1 of 4 used; ram: 6144 MB needed, 1536 of 7000 MB used/);
  await mesh.client.createSlice(large, await as(BOB));
  await mesh.client.deleteSlice({ id }, ana);
  await mesh.client.createSlice(large, ana);
});

test('two requests at once, on two replicas, do not both take the last room', async () => {
  await using mesh = await startMesh({ env: { MAX_SLICES_PER_USER: '3' } });
  const other = await mesh.replica();
  const ana = await as(ANA);
  const clients = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? mesh.client : other.client));
  const answers = await Promise.allSettled(
    clients.map((client) => client.createSlice(request({ deploy: false }), ana)),
  );
  assert.equal(answers.filter((answer) => answer.status === 'fulfilled').length, 3);
  assert.equal((await mesh.client.listSlices(everything, ana)).slices.length, 3);
});

test('nothing is stored while the cloud cannot be asked', async () => {
  await using mesh = await startMesh();
  await mesh.stopDriver();
  const ana = await as(ANA);
  assert.equal((await failureOf(mesh.client.createSlice(request(), ana))).code, 'UNAVAILABLE');
  assert.equal(
    (await failureOf(mesh.client.createSlice(request({ name: '' }), ana))).code,
    'INVALID_ARGUMENT',
  );
  assert.deepEqual((await mesh.client.listSlices(everything, ana)).slices, []);
});

test('a guest may look and not touch', async () => {
  await using mesh = await startMesh();
  const guest = await as({ userId: '9', username: 'guest', role: 'guest' });
  assert.equal((await failureOf(mesh.client.createSlice(request(), guest))).code, 'PERMISSION_DENIED');
  assert.deepEqual((await mesh.client.listSlices(everything, guest)).slices, []);
});

async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Failure, 'it is refused');
  return error;
}
