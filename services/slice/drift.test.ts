import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import { StepAction } from '#proto/pucp/slice/v1/plan.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { type SliceEvent, SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import { ADMIN, ANA, as, BOB, type Mesh, request, startMesh, until, untilState } from './testing/harness.ts';

const { DEPLOYING, ACTIVE, STOPPED, ERROR } = SliceState;

async function deployed(mesh: Mesh): Promise<string> {
  const { id } = await mesh.client.createSlice(request(), await as(ANA));
  await untilState(mesh, id, ACTIVE);
  return id;
}

async function driftEvents(mesh: Mesh, id: string): Promise<SliceEvent[]> {
  const past = mesh.client.watchSlice({ id, after: 0, follow: false }, await as(ADMIN));
  const events = await Array.fromAsync(past);
  return events.filter(({ type }) => type === SliceEventType.DRIFT);
}

test('a server lost behind our back shows as drift, a repair brings it back, and the slice stays active meanwhile', async () => {
  await using mesh = await startMesh({ env: { SLICE_CHECK_INTERVAL_S: '0' } });
  const ana = await as(ANA);
  const id = await deployed(mesh);
  assert.equal((await mesh.client.getSlice({ id }, ana)).drift, undefined);
  assert.equal((await mesh.client.checkSlice({ id }, ana)).inSync, true);

  mesh.driver().lose(id, 'server vm1');
  const found = await mesh.client.checkSlice({ id }, ana);

  assert.equal(found.inSync, false);
  assert.ok(found.checkedAt);
  assert.equal(found.summary, 'server vm1: missing');
  assert.deepEqual(found.items, [
    {
      action: StepAction.CREATE,
      resourceKind: 'server',
      resourceName: 'vm1',
      cloudId: '',
      reason: 'missing',
    },
  ]);
  const slice = await mesh.client.getSlice({ id }, ana);
  assert.equal(slice.status, ACTIVE);
  assert.deepEqual(slice.drift, found);
  assert.deepEqual([slice.nodes[0]?.status, slice.nodes[0]?.vmId], ['pending', '']);
  const status = await mesh.client.getSliceStatus({ id }, ana);
  assert.deepEqual(status.drift, found);
  assert.match(status.message, /but the cloud differs: server vm1: missing$/);

  await mesh.client.checkSlice({ id }, ana);
  assert.deepEqual(
    (await driftEvents(mesh, id)).map(({ message }) => message),
    ['The cloud differs from the slice, and a repair brings it back: server vm1: missing'],
  );

  const repaired = await mesh.client.repairSlice({ id }, ana);
  assert.equal(repaired.status, DEPLOYING);
  const active = await untilState(mesh, id, ACTIVE);
  assert.equal(active.drift, undefined);
  assert.equal(active.nodes[0]?.status, 'active');
  assert.ok(mesh.driver().holds(id).includes('server vm1'));
  assert.equal((await mesh.client.checkSlice({ id }, ana)).inSync, true);
});

test('what comes back by itself is told, too', async () => {
  await using mesh = await startMesh({ env: { SLICE_CHECK_INTERVAL_S: '0' } });
  const ana = await as(ANA);
  const id = await deployed(mesh);
  const putBack = mesh.driver().lose(id, 'port vm1-lan');
  await mesh.client.checkSlice({ id }, ana);
  putBack();
  assert.equal((await mesh.client.checkSlice({ id }, ana)).inSync, true);
  assert.deepEqual(
    (await driftEvents(mesh, id)).map(({ message }) => message.split(':')[0]),
    [
      'The cloud differs from the slice, and a repair brings it back',
      'The cloud holds again what the slice says',
    ],
  );
});

test('a repair for which there is no room any more is refused with the numbers, and can be asked for again', async () => {
  await using mesh = await startMesh({ env: { SLICE_CHECK_INTERVAL_S: '0' } });
  const ana = await as(ANA);
  const id = await deployed(mesh);
  mesh.driver().lose(id, 'server vm1');
  mesh.driver().limit('instances', 0);
  await assert.rejects(mesh.client.repairSlice({ id }, ana), {
    reason: 'QUOTA_EXCEEDED',
    message: /instances: 1 needed, 0 of 0 used/,
  });
  assert.equal((await mesh.client.getSlice({ id }, ana)).status, ACTIVE);
  mesh.driver().limit('instances', 1);
  assert.equal((await mesh.client.repairSlice({ id }, ana)).status, DEPLOYING);
  await untilState(mesh, id, ACTIVE);
  assert.equal((await mesh.client.checkSlice({ id }, ana)).inSync, true);
});

test('a repair of a slice that is as it should be does nothing', async () => {
  await using mesh = await startMesh({ env: { SLICE_CHECK_INTERVAL_S: '0' } });
  const id = await deployed(mesh);
  const calls = mesh.driver().calls.length;
  const answer = await mesh.client.repairSlice({ id }, await as(ANA));
  assert.equal(answer.status, ACTIVE);
  assert.match(answer.message, /^Nothing to do/);
  assert.equal(mesh.driver().calls.length, calls);
});

test('a stopped slice is repaired without being started', async () => {
  await using mesh = await startMesh({ env: { SLICE_CHECK_INTERVAL_S: '0' } });
  const ana = await as(ANA);
  const id = await deployed(mesh);
  await mesh.client.stopSlice({ id }, ana);
  await untilState(mesh, id, STOPPED);
  assert.equal((await mesh.client.checkSlice({ id }, ana)).inSync, true);
  mesh.driver().lose(id, 'server vm1');
  await mesh.client.repairSlice({ id }, ana);
  await untilState(mesh, id, STOPPED);
  assert.equal(mesh.driver().power(id, 'vm1'), Power.OFF);
});

test('a slice whose deployment failed is worked on anew by a repair', async () => {
  await using mesh = await startMesh({ env: { SLICE_CHECK_INTERVAL_S: '0' } });
  const ana = await as(ANA);
  const message = 'no room';
  mesh.driver().failNext({ error: new Failure({ code: 'RESOURCE_EXHAUSTED', reason: 'NO_ROOM', message }) });
  const { id } = await mesh.client.createSlice(request(), ana);
  await untilState(mesh, id, ERROR);
  assert.equal((await mesh.client.repairSlice({ id }, ana)).status, DEPLOYING);
  await untilState(mesh, id, ACTIVE);
});

test('drift is found by the clock, on any number of replicas, and told once', async () => {
  await using mesh = await startMesh({ env: { SLICE_CHECK_INTERVAL_S: '1' } });
  await mesh.replica();
  const id = await deployed(mesh);
  mesh.driver().lose(id, 'server vm1');
  const ana = await as(ANA);
  await until(
    () => mesh.client.getSlice({ id }, ana),
    ({ drift }) => drift?.inSync === false,
  );
  const looks = mesh.driver().looks(id);
  await until(
    () => mesh.driver().looks(id),
    (count) => count >= looks + 3,
  );
  assert.equal((await driftEvents(mesh, id)).length, 1);
  assert.equal((await mesh.client.getSlice({ id }, ana)).status, ACTIVE);
});

test('work that is asked for during a look ends the look and does not wait for it', async () => {
  await using mesh = await startMesh({ env: { SLICE_CHECK_INTERVAL_S: '1' } });
  const ana = await as(ANA);
  const id = await deployed(mesh);
  mesh.driver().hold();
  const looks = mesh.driver().looks(id);
  await until(
    () => mesh.driver().looks(id),
    (count) => count > looks,
  );
  const busy = assert.rejects(mesh.client.checkSlice({ id }, ana), { reason: 'SLICE_BUSY' });
  await mesh.client.stopSlice({ id }, ana);
  await busy;
  await until(() => mesh.driver().isBusy(id), Boolean);
  await assert.rejects(mesh.client.checkSlice({ id }, ana), { reason: 'SLICE_BUSY' });
  mesh.driver().release();
  await untilState(mesh, id, STOPPED);
});

test('a driver that cannot look is told as such, and what was found before stays', async () => {
  await using mesh = await startMesh({ env: { SLICE_CHECK_INTERVAL_S: '1' } });
  const ana = await as(ANA);
  const id = await deployed(mesh);
  const { checkedAt } = await mesh.client.checkSlice({ id }, ana);
  await mesh.stopDriver();
  await assert.rejects(mesh.client.checkSlice({ id }, ana), { code: 'UNAVAILABLE' });
  const { status, drift } = await mesh.client.getSlice({ id }, ana);
  assert.equal(status, ACTIVE);
  assert.ok(drift?.checkedAt && checkedAt && drift.checkedAt >= checkedAt);
  await mesh.restartDriver();
  await until(
    () => mesh.client.getSlice({ id }, ana),
    (slice) => slice.drift?.inSync === false,
  );
});

test('nobody else checks or repairs a slice, and a draft has nothing to check', async () => {
  await using mesh = await startMesh();
  const { id } = await mesh.client.createSlice(request({ deploy: false }), await as(ANA));
  const bob = await as(BOB);
  await assert.rejects(mesh.client.checkSlice({ id }, bob), { code: 'NOT_FOUND' });
  await assert.rejects(mesh.client.repairSlice({ id }, bob), { code: 'NOT_FOUND' });
  const ana = await as(ANA);
  await assert.rejects(mesh.client.checkSlice({ id }, ana), { reason: 'SLICE_NOT_DEPLOYED' });
  await assert.rejects(mesh.client.repairSlice({ id }, ana), { reason: 'SLICE_NOT_DEPLOYED' });
});
