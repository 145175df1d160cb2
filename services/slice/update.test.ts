// Changes of slices, with a driver that keeps its world in memory.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import {
  type DeepPartial,
  NodeSpec,
  OnFailure,
  type SliceSpec,
  SliceState,
} from '#proto/pucp/slice/v1/slice.ts';
import { DeploySliceRequest, UpdateSliceRequest } from '#proto/pucp/slice/v1/slice_service.ts';
import { ADMIN, ANA, as, BOB, type Mesh, request, startMesh, until, untilState } from './testing/harness.ts';

const { DRAFT, DEPLOYING, ACTIVE, STOPPED, ERROR } = SliceState;
const NO_HOST = 'Server "vm2" failed: No valid host was found. Choose a smaller flavor.';
const VM2 = { name: 'vm2', image: 'ubuntu-20.04', flavor: 'small' };

test('a slice that is changed adds and removes only the difference, and keeps its name in the cloud', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  const before = await untilState(mesh, id, ACTIVE);
  const spec = await specOf(mesh, id);
  const changed = await put(mesh, id, {
    ...spec,
    name: 'renamed',
    description: 'with two',
    nodes: [...spec.nodes, VM2],
  });
  assert.deepEqual([changed.status, changed.message], [DEPLOYING, 'The change has started']);
  assert.ok(changed.generation > before.generation);
  const after = await untilState(mesh, id, ACTIVE);
  assert.deepEqual([after.name, after.description, after.nodeCount], ['renamed', 'with two', 2]);
  assert.equal(after.totalVcpus, 2);
  assert.equal(after.nodes[0]?.vmId, before.nodes[0]?.vmId);
  const names = mesh.driver().calls.map(({ scope }) => scope?.sliceName);
  assert.deepEqual(names, ['lab', 'lab']);
  await put(mesh, id, spec);
  assert.equal((await untilState(mesh, id, ACTIVE)).nodeCount, 1);
  assert.ok(!mesh.driver().holds(id).includes('server vm2'));
});

test('what is read as the spec can be put back, and is no work', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const nodes = [NodeSpec.fromPartial({ ...VM2, name: 'vm1', volumes: [{ size: 2 }] }), VM2];
  const connections = [{ source: 'vm1', target: 'vm2' }];
  const { id } = await mesh.client.createSlice(request({ nodes, connections }), ana);
  const { generation } = await untilState(mesh, id, ACTIVE);
  const spec = await specOf(mesh, id);
  assert.deepEqual(
    spec.connections.map(({ name, cidr }) => [name, cidr]),
    [['vm1-vm2', '10.255.0.0/29']],
  );
  const same = await put(mesh, id, spec);
  assert.deepEqual([same.status, same.generation], [ACTIVE, generation]);
  assert.match(same.message, /^Nothing to do/);
  const without = await put(mesh, id, {
    ...spec,
    connections: spec.connections.map((one) => ({ ...one, name: '', cidr: '' })),
  });
  assert.match(without.message, /^Nothing to do/, 'a link that is asked for again keeps its name and range');
  assert.equal(mesh.driver().calls.length, 1);
});

test('a draft that is changed stays a draft, and may still be deleted at once', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request({ deploy: false }), ana);
  const changed = await put(mesh, id, { ...(await specOf(mesh, id)), name: 'other' });
  assert.deepEqual([changed.status, changed.name, changed.generation], [DRAFT, 'other', 1]);
  await mesh.client.deploySlice(DeploySliceRequest.fromPartial({ id }), ana);
  await untilState(mesh, id, ACTIVE);
  assert.equal(mesh.driver().calls[0]?.scope?.sliceName, 'other');
  const draft = await mesh.client.createSlice(request({ deploy: false }), ana);
  await put(mesh, draft.id, { ...(await specOf(mesh, draft.id)), name: 'other' });
  assert.equal((await mesh.client.deleteSlice({ id: draft.id }, ana)).status, SliceState.DELETED);
});

test('a change during a deployment takes its place', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  mesh.driver().hold();
  const { id } = await mesh.client.createSlice(request(), ana);
  await until(() => mesh.driver().isBusy(id), Boolean);
  const spec = await specOf(mesh, id);
  await put(mesh, id, { ...spec, nodes: [VM2] });
  await until(
    () => mesh.driver().calls.length,
    (count) => count === 2,
  );
  mesh.driver().release();
  await untilState(mesh, id, ACTIVE);
  const servers = mesh
    .driver()
    .holds(id)
    .filter((name) => name.startsWith('server'));
  assert.deepEqual(servers, ['server vm2']);
});

test('a stopped slice that is changed stays off', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  await untilState(mesh, id, ACTIVE);
  await mesh.client.stopSlice({ id }, ana);
  await untilState(mesh, id, STOPPED);
  const spec = await specOf(mesh, id);
  assert.equal((await put(mesh, id, { ...spec, nodes: [...spec.nodes, VM2] })).status, DEPLOYING);
  await untilState(mesh, id, STOPPED);
  assert.equal(mesh.driver().power(id, 'vm2'), 'POWER_OFF');
});

test('two who change the same slice learn of each other', async () => {
  await using mesh = await startMesh();
  const { id } = await mesh.client.createSlice(request({ deploy: false }), await as(ANA));
  const { generation } = await mesh.client.getSlice({ id }, await as(ANA));
  const spec = await specOf(mesh, id);
  await put(mesh, id, { ...spec, name: 'first' }, { generation });
  await assert.rejects(put(mesh, id, { ...spec, name: 'second' }, { generation }), {
    code: 'ABORTED',
    reason: 'SLICE_CHANGED',
  });
  assert.equal((await specOf(mesh, id)).name, 'first');
});

test('a change is checked as a new slice is, and what cannot change is told by field', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const node = { ...VM2, name: 'vm1', volumes: [{ name: 'data', size: 10 }] };
  const { id } = await mesh.client.createSlice(request({ nodes: [node] }), ana);
  await untilState(mesh, id, ACTIVE);
  const spec = await specOf(mesh, id);
  const smaller = { ...node, image: 'windows-95', volumes: [{ name: 'data', size: 5 }] };
  const wrong = { ...spec, name: '', infrastructure: 'INFRASTRUCTURE_LINUX' as const, nodes: [smaller] };
  const failure = await failureOf(put(mesh, id, wrong));
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['name', 'infrastructure', 'nodes[0].volumes[0].size'],
  );
  assert.match(failure.message, /is 5 GiB, but "data" has 10 and a volume never shrinks: leave it at 10/);
  const unknown = await failureOf(put(mesh, id, { ...spec, nodes: [{ ...VM2, image: 'windows-95' }] }));
  assert.deepEqual(
    unknown.violations.map(({ field }) => field),
    ['nodes[0].image'],
  );
  assert.equal((await mesh.client.getSlice({ id }, ana)).status, ACTIVE);
});

test('a change beyond the user’s limits is refused with the numbers, one that takes less is not', async () => {
  await using mesh = await startMesh({ env: { MAX_VCPUS_PER_USER: '4' } });
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request({ deploy: false }), ana);
  const spec = await specOf(mesh, id);
  const large = {
    ...spec,
    nodes: [
      { ...VM2, flavor: 'large' },
      { ...VM2, name: 'vm3' },
    ],
  };
  await assert.rejects(put(mesh, id, large), { code: 'RESOURCE_EXHAUSTED', reason: 'USER_LIMIT_EXCEEDED' });
  await put(mesh, id, { ...spec, nodes: [{ ...VM2, flavor: 'large' }] });
});

test('a change that fails and is to be undone goes back to what ran before, and says what failed', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  await untilState(mesh, id, ACTIVE);
  const spec = await specOf(mesh, id);
  const failed = [{ kind: 'server', name: 'vm1', message: 'no room to grow' }];
  mesh.driver().failNext({ result: { outcome: Outcome.FAILED, errorMessage: NO_HOST, failed } });
  const nodes = [{ ...VM2, name: 'vm1', flavor: 'large' }, VM2];
  await put(mesh, id, { ...spec, name: 'more', nodes }, { onFailure: OnFailure.ROLLBACK });
  const slice = await untilState(mesh, id, ACTIVE);
  assert.equal(slice.errorMessage, `The change failed and was undone: ${NO_HOST}`);
  assert.deepEqual([slice.name, slice.nodeCount, slice.totalVcpus], ['lab', 1, 1]);
  assert.deepEqual([slice.nodes[0]?.status, slice.nodes[0]?.errorMessage], ['active', 'no room to grow']);
  assert.deepEqual(await specOf(mesh, id), spec);
  const calls = mesh
    .driver()
    .calls.map(({ desired, onFailure }) => [
      desired.filter(({ kind }) => kind?.$case === 'server').length,
      onFailure,
    ]);
  assert.deepEqual(calls, [
    [1, 'ON_FAILURE_ROLLBACK'],
    [2, 'ON_FAILURE_KEEP'],
    [1, 'ON_FAILURE_KEEP'],
  ]);
  await put(mesh, id, { ...spec, description: 'next' });
  assert.equal((await untilState(mesh, id, ACTIVE)).errorMessage, '');
});

test('a change that cannot be undone either ends in error and says both', async () => {
  await using mesh = await startMesh();
  const { id } = await mesh.client.createSlice(request(), await as(ANA));
  await untilState(mesh, id, ACTIVE);
  const spec = await specOf(mesh, id);
  mesh
    .driver()
    .failNext(
      { result: { outcome: Outcome.FAILED, errorMessage: NO_HOST } },
      { result: { outcome: Outcome.FAILED, errorMessage: 'Neutron is gone' } },
    );
  await put(mesh, id, { ...spec, nodes: [...spec.nodes, VM2] }, { onFailure: OnFailure.ROLLBACK });
  const slice = await untilState(mesh, id, ERROR);
  assert.equal(slice.errorMessage, `${NO_HOST} Undoing the change failed too: Neutron is gone`);
});

test('a change that fails is left as it is unless asked otherwise, and the same spec tries it again', async () => {
  await using mesh = await startMesh();
  const { id } = await mesh.client.createSlice(request(), await as(ANA));
  await untilState(mesh, id, ACTIVE);
  const spec = await specOf(mesh, id);
  const failed = [{ kind: 'server', name: 'vm2', message: 'No valid host was found' }];
  mesh
    .driver()
    .failNext({ result: { outcome: Outcome.FAILED, errorMessage: NO_HOST, failed, observed: [] } });
  const more = { ...spec, nodes: [...spec.nodes, VM2] };
  await put(mesh, id, more);
  const slice = await untilState(mesh, id, ERROR);
  assert.equal(slice.errorMessage, NO_HOST);
  const vm2 = slice.nodes.find(({ name }) => name === 'vm2');
  assert.deepEqual([vm2?.status, vm2?.errorMessage], ['error', 'No valid host was found']);
  await put(mesh, id, more);
  const again = await untilState(mesh, id, ACTIVE);
  assert.deepEqual([again.errorMessage, again.nodes[1]?.errorMessage], ['', '']);
});

test('a deployment that tries a change again may be asked to undo it', async () => {
  await using mesh = await startMesh();
  const { id } = await mesh.client.createSlice(request(), await as(ANA));
  await untilState(mesh, id, ACTIVE);
  const spec = await specOf(mesh, id);
  const failure = { result: { outcome: Outcome.FAILED, errorMessage: NO_HOST } };
  mesh.driver().failNext(failure, failure);
  await put(mesh, id, { ...spec, nodes: [...spec.nodes, VM2] });
  await untilState(mesh, id, ERROR);
  const again = DeploySliceRequest.fromPartial({ id, onFailure: OnFailure.ROLLBACK });
  await mesh.client.deploySlice(again, await as(ANA));
  const slice = await untilState(mesh, id, ACTIVE);
  assert.match(slice.errorMessage, /^The change failed and was undone: /);
  assert.deepEqual(await specOf(mesh, id), spec);
});

test('a first deployment that is to be kept is not rolled back, and its nodes say why they failed', async () => {
  await using mesh = await startMesh();
  const failed = [{ kind: 'port', name: 'vm1-lan', message: 'no address is left' }];
  mesh.driver().failNext({
    result: { outcome: Outcome.FAILED, errorMessage: 'no', failed, observed: [] },
  });
  const { id } = await mesh.client.createSlice(request({ onFailure: OnFailure.KEEP }), await as(ANA));
  const { nodes } = await untilState(mesh, id, ERROR);
  assert.equal(mesh.driver().calls[0]?.onFailure, 'ON_FAILURE_KEEP');
  assert.deepEqual([nodes[0]?.status, nodes[0]?.errorMessage], ['error', 'no address is left']);
});

test('an undone change does not shrink a volume that it may have enlarged', async () => {
  await using mesh = await startMesh();
  const withDisk = (size: number) => ({ ...VM2, volumes: [{ name: 'data', size }] });
  const { id } = await mesh.client.createSlice(request({ nodes: [withDisk(1)] }), await as(ANA));
  await untilState(mesh, id, ACTIVE);
  mesh.driver().failNext({ result: { outcome: Outcome.FAILED, errorMessage: NO_HOST } });
  const spec = await specOf(mesh, id);
  const nodes = [withDisk(3), { ...VM2, name: 'vm3' }];
  await put(mesh, id, { ...spec, nodes }, { onFailure: OnFailure.ROLLBACK });
  await untilState(mesh, id, ACTIVE);
  assert.deepEqual(
    (await specOf(mesh, id)).nodes.map(({ name, volumes }) => [name, volumes[0]?.size]),
    [['vm2', 3]],
  );
});

test('a check of a change answers with the plan and changes nothing', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  const before = await untilState(mesh, id, ACTIVE);
  const spec = await specOf(mesh, id);
  const answer = await put(mesh, id, { ...spec, nodes: [...spec.nodes, VM2] }, { validateOnly: true });
  assert.ok((answer.plan?.counts.create ?? 0) > 0, JSON.stringify(answer.plan));
  assert.deepEqual(await mesh.client.getSlice({ id }, ana), before);
  assert.equal(mesh.driver().calls.length, 1);
  const more = { ...spec, nodes: [...spec.nodes, VM2, { ...VM2, name: 'vm3' }] };
  const planDigest = answer.plan?.digest ?? '';
  await assert.rejects(put(mesh, id, more, { planDigest }), { code: 'ABORTED', reason: 'PLAN_OUTDATED' });
  await put(mesh, id, { ...spec, nodes: [...spec.nodes, VM2] }, { planDigest });
  assert.equal((await untilState(mesh, id, ACTIVE)).nodeCount, 2);
});

test('a stranger finds no slice to change, an admin changes it for its owner', async () => {
  await using mesh = await startMesh();
  const { id } = await mesh.client.createSlice(request(), await as(ANA));
  await untilState(mesh, id, ACTIVE);
  const spec = await specOf(mesh, id);
  const bob = await as(BOB);
  const missing = { code: 'NOT_FOUND', reason: 'SLICE_NOT_FOUND' };
  await assert.rejects(mesh.client.getSliceSpec({ id }, bob), missing);
  const update = UpdateSliceRequest.fromPartial({ id, ...spec, name: 'by admin' });
  await assert.rejects(mesh.client.updateSlice(update, bob), missing);
  await mesh.client.updateSlice(update, await as(ADMIN));
  const slice = await untilState(mesh, id, ACTIVE);
  assert.deepEqual([slice.name, slice.userId], ['by admin', ANA.userId]);
  assert.equal(mesh.driver().calls.at(-1)?.scope?.userId, ANA.userId);
});

test('a slice that is being deleted is not changed', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  await untilState(mesh, id, ACTIVE);
  const spec = await specOf(mesh, id);
  mesh.driver().hold();
  await mesh.client.deleteSlice({ id }, ana);
  await assert.rejects(put(mesh, id, { ...spec, name: 'late' }), {
    code: 'FAILED_PRECONDITION',
    reason: 'SLICE_DELETING',
  });
});

async function specOf(mesh: Mesh, id: string): Promise<SliceSpec> {
  return mesh.client.getSliceSpec({ id }, await as(ADMIN));
}

async function put(
  mesh: Mesh,
  id: string,
  spec: DeepPartial<SliceSpec>,
  options: DeepPartial<UpdateSliceRequest> = {},
) {
  return mesh.client.updateSlice(UpdateSliceRequest.fromPartial({ ...spec, ...options, id }), await as(ANA));
}

async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof Failure, String(error));
  return error;
}
