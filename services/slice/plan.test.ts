// Plans, checks without effect, and what is refused for want of room.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { StepAction } from '#proto/pucp/slice/v1/plan.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { UpdateSliceRequest } from '#proto/pucp/slice/v1/slice_service.ts';
import { ANA, as, BOB, request, startMesh, untilState } from './testing/harness.ts';

async function refusal(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    () => assert.fail('nothing was refused'),
    (caught: unknown) => caught,
  );
  assert(error instanceof Failure, String(error));
  return error;
}

test('a plan names every step with its reason, and nothing is made by asking for it', async () => {
  await using mesh = await startMesh();
  const { client } = mesh;
  const ana = await as(ANA);
  const { id } = await client.createSlice(request({ deploy: false }), ana);
  const plan = await client.planSlice({ id }, ana);
  assert.deepEqual(
    plan.steps.map(({ action, resourceKind, resourceName, reason }) => [
      action,
      resourceKind,
      resourceName,
      reason,
    ]),
    [
      [StepAction.CREATE, 'network', 'lan', 'missing'],
      [StepAction.CREATE, 'subnet', 'lan', 'missing'],
      [StepAction.CREATE, 'port', 'vm1-lan', 'missing'],
      [StepAction.CREATE, 'server', 'vm1', 'missing'],
    ],
  );
  assert.deepEqual(plan.counts, { create: 4 });
  assert.equal(plan.summary, '4 to create');
  assert.equal(plan.quotas.find(({ name }) => name === 'ram')?.needed, 1536);
  assert.deepEqual(mesh.driver().holds(id), []);
  assert.equal((await client.getSlice({ id }, ana)).status, SliceState.DRAFT);

  await client.deploySlice({ id, planDigest: plan.digest }, ana);
  await untilState(mesh, id, SliceState.ACTIVE);
  const after = await client.planSlice({ id }, ana);
  assert.deepEqual([after.counts, after.summary], [{ keep: 4 }, 'nothing to do']);
});

test('a plan that is outdated is not run', async () => {
  await using mesh = await startMesh();
  const { client } = mesh;
  const ana = await as(ANA);
  const { id } = await client.createSlice(request({ deploy: false }), ana);
  const { digest } = await client.planSlice({ id }, ana);
  const change = request({ nodes: [{ name: 'other', image: 'ubuntu-20.04', flavor: 'large' }] });
  await client.updateSlice(UpdateSliceRequest.fromPartial({ ...change, id }), ana);
  const { code, reason } = await refusal(client.deploySlice({ id, planDigest: digest }, ana));
  assert.deepEqual([code, reason], ['ABORTED', 'PLAN_OUTDATED']);
  assert.equal((await client.getSlice({ id }, ana)).status, SliceState.DRAFT);
});

test('someone else’s slice has no plan', async () => {
  await using mesh = await startMesh();
  const { id } = await mesh.client.createSlice(request({ deploy: false }), await as(ANA));
  assert.equal((await refusal(mesh.client.planSlice({ id }, await as(BOB)))).code, 'NOT_FOUND');
});

test('a slice that is being deleted has no plan', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  await untilState(mesh, id, SliceState.ACTIVE);
  mesh.driver().hold();
  await mesh.client.deleteSlice({ id }, ana);
  const { code, reason } = await refusal(mesh.client.planSlice({ id }, ana));
  assert.deepEqual([code, reason], ['FAILED_PRECONDITION', 'SLICE_DELETING']);
});

test('a request that is only checked answers with the plan, or with all mistakes, and stores nothing', async () => {
  await using mesh = await startMesh();
  const { client } = mesh;
  const ana = await as(ANA);
  const checked = await client.createSlice(request({ validateOnly: true }), ana);
  assert.equal(checked.id, '');
  assert.equal(checked.status, SliceState.UNSPECIFIED);
  assert.equal(checked.plan?.summary, '4 to create');
  assert.equal(checked.resources?.totalRam, 1536);
  const wrong = { validateOnly: true, nodes: [{ name: 'vm1', image: 'nonesuch', flavor: 'small' }] };
  const { violations } = await refusal(client.createSlice(request(wrong), ana));
  assert.deepEqual(
    violations.map(({ field }) => field),
    ['nodes[0].image'],
  );
  assert.deepEqual(
    (await client.listSlices({ pageSize: 0, pageToken: '', status: SliceState.UNSPECIFIED }, ana)).slices,
    [],
  );
});

test('what does not fit into the project is refused before anything is made, with all numbers', async () => {
  await using mesh = await startMesh();
  const { client } = mesh;
  const ana = await as(ANA);
  mesh.driver().limit('instances', 3);
  mesh.driver().limit('ports', 2);
  const node = (name: string) => ({ name, image: 'ubuntu-20.04', flavor: 'small' });
  const first = await client.createSlice(request(), ana);
  await untilState(mesh, first.id, SliceState.ACTIVE);
  const big = { name: 'big', nodes: ['a', 'b', 'c'].map(node) };
  const refused = await refusal(client.createSlice(request(big), ana));
  assert.deepEqual([refused.code, refused.reason], ['RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED']);
  assert.equal(
    refused.message,
    'The slice does not fit into the quotas of its project (instances: 3 needed, 1 of 3 used; ports: 3 needed, 1 of 2 used): delete what is no longer needed, ask for a smaller slice, or have an admin raise the quotas',
  );
  assert.deepEqual(refused.metadata, {
    instances_needed: '3',
    instances_used: '1',
    instances_reserved: '0',
    instances_limit: '3',
    ports_needed: '3',
    ports_used: '1',
    ports_reserved: '0',
    ports_limit: '2',
  });
  const checked = await refusal(client.createSlice(request({ ...big, validateOnly: true }), ana));
  assert.equal(checked.message, refused.message);
  const draft = await client.createSlice(request({ ...big, deploy: false }), ana);
  assert.equal(draft.status, SliceState.DRAFT, 'a draft takes no room');
  assert.equal((await client.planSlice({ id: draft.id }, ana)).summary, '8 to create');
  assert.equal((await refusal(client.deploySlice({ id: draft.id }, ana))).reason, 'QUOTA_EXCEEDED');
  assert.equal((await client.getSlice({ id: draft.id }, ana)).status, SliceState.DRAFT);
  const change = UpdateSliceRequest.fromPartial({ ...request(big), id: first.id });
  assert.equal((await refusal(client.updateSlice(change, ana))).reason, 'QUOTA_EXCEEDED');
});
