import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import { type Slice, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { ANA, as, BOB, type Mesh, request, startMesh, untilState } from './testing/harness.ts';

const { ACTIVE, STOPPING, STOPPED, STARTING, RESTARTING, ERROR } = SliceState;

const THREE = request({
  nodes: ['vm1', 'vm2', 'vm3'].map((name) => ({ name, image: 'ubuntu-20.04', flavor: 'small' })),
});

test('one node is stopped and started while the others run, and the slice stays active', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(THREE, ana);
  await untilState(mesh, id, ACTIVE);

  const stopping = await mesh.client.stopNode({ id, node: 'vm2' }, ana);
  assert.deepEqual([stopping.status, stopping.message], [STOPPING, 'Server vm2 is being shut down']);
  const stopped = await untilState(mesh, id, ACTIVE);
  assert.deepEqual(nodesOf(stopped), ['vm1 on active', 'vm2 off shutoff', 'vm3 on active']);
  const status = await mesh.client.getSliceStatus({ id }, ana);
  assert.equal(status.message, 'The slice is running but for vm2, which is shut down');

  const calls = mesh.driver().calls.length;
  const again = await mesh.client.stopNode({ id, node: 'vm2' }, ana);
  assert.match(again.message, /^Nothing to do/);
  assert.equal(mesh.driver().calls.length, calls);

  assert.equal((await mesh.client.startNode({ id, node: 'vm2' }, ana)).status, STARTING);
  const started = await untilState(mesh, id, ACTIVE);
  assert.deepEqual(nodesOf(started), ['vm1 on active', 'vm2 on active', 'vm3 on active']);
});

test('restarting a node switches it, and nothing else, off and then on', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(THREE, ana);
  await untilState(mesh, id, ACTIVE);
  await mesh.client.stopNode({ id, node: 'vm3' }, ana);
  await untilState(mesh, id, ACTIVE);
  const before = mesh.driver().calls.length;
  assert.equal((await mesh.client.restartNode({ id, node: 'vm1' }, ana)).status, RESTARTING);
  const slice = await untilState(mesh, id, ACTIVE);
  assert.deepEqual(nodesOf(slice), ['vm1 on active', 'vm2 on active', 'vm3 off shutoff']);
  assert.deepEqual(powersAsked(mesh).slice(before), ['off on off', 'on on off']);
});

test('what is stopped stays so through a failure and another deployment', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(THREE, ana);
  await untilState(mesh, id, ACTIVE);
  mesh.driver().failNext({ result: { outcome: Outcome.FAILED, errorMessage: 'the cloud is on fire' } });
  await mesh.client.stopNode({ id, node: 'vm1' }, ana);
  await untilState(mesh, id, ERROR);
  await mesh.client.deploySlice({ id }, ana);
  const slice = await untilState(mesh, id, ACTIVE);
  assert.deepEqual(nodesOf(slice), ['vm1 off shutoff', 'vm2 on active', 'vm3 on active']);
});

test('stopping every node stops the slice, and starting the slice starts every node', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(THREE, ana);
  await untilState(mesh, id, ACTIVE);
  for (const node of ['vm1', 'vm2', 'vm3']) await mesh.client.stopNode({ id, node }, ana);
  await untilState(mesh, id, STOPPED);
  await mesh.client.startNode({ id, node: 'vm2' }, ana);
  const one = await untilState(mesh, id, ACTIVE);
  assert.deepEqual(nodesOf(one), ['vm1 off shutoff', 'vm2 on active', 'vm3 off shutoff']);
  await mesh.client.startSlice({ id }, ana);
  const all = await untilState(mesh, id, ACTIVE);
  assert.deepEqual(nodesOf(all), ['vm1 on active', 'vm2 on active', 'vm3 on active']);
});

test('a node that there is not is told with those that there are, and a stranger is told nothing', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(THREE, ana);
  await untilState(mesh, id, ACTIVE);
  const bob = await as(BOB);
  for (const change of [mesh.client.stopNode, mesh.client.startNode, mesh.client.restartNode]) {
    await assert.rejects(change({ id, node: 'vm4' }, ana), { code: 'NOT_FOUND', reason: 'NODE_NOT_FOUND' });
    await assert.rejects(change({ id, node: 'vm1' }, bob), { code: 'NOT_FOUND', reason: 'SLICE_NOT_FOUND' });
  }
});

function nodesOf({ nodes }: Slice): string[] {
  return nodes.map(({ name, power, status }) => `${name} ${power} ${status}`);
}

/** For each call of the driver, the power of each server. */
function powersAsked(mesh: Mesh): string[] {
  return mesh.driver().calls.map(({ desired }) =>
    desired
      .flatMap(({ kind }) => (kind?.$case === 'server' ? [kind.value.spec?.power] : []))
      .map((power) => (power === Power.OFF ? 'off' : 'on'))
      .join(' '),
  );
}
