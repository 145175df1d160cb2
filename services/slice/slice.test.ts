import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import { Infrastructure, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { type SliceEvent, SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import {
  ADMIN,
  ANA,
  as,
  BOB,
  request,
  startMesh,
  statesOf,
  until,
  untilDeleted,
  untilState,
} from './testing/harness.ts';

const { DRAFT, DEPLOYING, ACTIVE, STOPPING, STOPPED, STARTING, RESTARTING, DELETING, DELETED, ERROR } =
  SliceState;

test('a slice is created, deployed, looked at, and deleted without a trace', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const created = await mesh.client.createSlice(request(), ana);
  assert.equal(created.status, DEPLOYING);
  assert.equal(created.sliceId, created.id);
  assert.deepEqual(created.resources, { totalVcpus: 1, totalRam: 1536, totalDisk: 10 });

  const active = await untilState(mesh, created.id, ACTIVE);
  assert.equal(active.percent, 100);
  assert.equal(active.openstackProjectId, 'project-1');
  assert.equal(active.nodes[0]?.status, 'active');
  assert.match(active.nodes[0]?.ipAddress ?? '', /^192\.168\.100\./);
  assert.equal(active.nodes[0]?.openstackInstanceId, 'id-of-server-vm1');
  assert.equal(active.networks[0]?.status, 'active');
  assert.equal(active.networks[0]?.openstackNetworkId, 'id-of-network-lan');
  assert.ok(active.deployedAt);
  assert.deepEqual(
    (await mesh.client.listSlices({ pageSize: 0, pageToken: '', status: 'SLICE_STATE_UNSPECIFIED' }, ana))
      .slices,
    [active],
  );
  assert.deepEqual((await mesh.client.listNodes({ id: created.id }, ana)).nodes, active.nodes);
  assert.equal((await mesh.client.getSliceStatus({ id: created.id }, ana)).message, 'The slice is running');

  assert.equal((await mesh.client.deleteSlice({ id: created.id }, ana)).status, DELETING);
  const events = await untilDeleted(mesh, created.id);
  assert.deepEqual(statesOf(events), [DEPLOYING, ACTIVE, DELETING, DELETED]);
  assert.deepEqual(
    events.map((event) => event.sequence),
    events.map((_, index) => index + 1),
  );
  assert.deepEqual(mesh.driver().holds(created.id), []);
  await assert.rejects(mesh.client.getSlice({ id: created.id }, ana), { code: 'NOT_FOUND' });
  assert.equal((await mesh.client.deleteSlice({ id: created.id }, ana)).status, DELETED);
  assert.deepEqual(
    (await mesh.client.listSlices({ pageSize: 0, pageToken: '', status: 'SLICE_STATE_UNSPECIFIED' }, ana))
      .slices,
    [],
  );
});

test('the driver is called for the user, by the service, with the request that asked', async () => {
  await using mesh = await startMesh();
  const { id } = await mesh.client.createSlice(request(), await as(ANA, { requestId: 'from-ana' }));
  await untilState(mesh, id, ACTIVE);
  const [call] = mesh.driver().calls;
  assert.deepEqual([call?.actor, call?.userId, call?.requestId], ['slice', ANA.userId, 'from-ana']);
  assert.equal(call?.onFailure, 'ON_FAILURE_ROLLBACK');
});

test('a draft touches no cloud, deploys when asked, and a draft that is deleted is gone at once', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const draft = await mesh.client.createSlice(request({ deploy: false }), ana);
  assert.equal(draft.status, DRAFT);
  const other = await mesh.client.createSlice(request({ deploy: false }), ana);
  assert.equal((await mesh.client.deleteSlice({ id: other.id }, ana)).status, DELETED);
  assert.deepEqual(mesh.driver().calls, []);
  await assert.rejects(mesh.client.stopSlice({ id: draft.id }, ana), {
    code: 'FAILED_PRECONDITION',
    reason: 'SLICE_NOT_DEPLOYED',
  });
  assert.equal((await mesh.client.deploySlice({ id: draft.id }, ana)).status, DEPLOYING);
  await untilState(mesh, draft.id, ACTIVE);
});

test('deploying what is deploying or active is no error and no second deployment', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  mesh.driver().hold();
  const { id } = await mesh.client.createSlice(request(), ana);
  assert.equal((await mesh.client.deploySlice({ id }, ana)).status, DEPLOYING);
  mesh.driver().release();
  await untilState(mesh, id, ACTIVE);
  const again = await mesh.client.deploySlice({ id }, ana);
  assert.deepEqual([again.status, again.message], [ACTIVE, 'Nothing to do: the slice is active already']);
  assert.equal(mesh.driver().calls.length, 1);
});

test('a slice is stopped, started and restarted, and its servers with it', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  await untilState(mesh, id, ACTIVE);
  assert.equal((await mesh.client.stopSlice({ id }, ana)).status, STOPPING);
  assert.equal((await untilState(mesh, id, STOPPED)).nodes[0]?.status, 'shutoff');
  assert.equal(mesh.driver().power(id, 'vm1'), Power.OFF);
  assert.equal((await mesh.client.startSlice({ id }, ana)).status, STARTING);
  await untilState(mesh, id, ACTIVE);
  assert.equal(mesh.driver().power(id, 'vm1'), Power.ON);
  const callsBefore = mesh.driver().calls.length;
  assert.equal((await mesh.client.restartSlice({ id }, ana)).status, RESTARTING);
  await untilState(mesh, id, ACTIVE);
  const powers = mesh
    .driver()
    .calls.slice(callsBefore)
    .map(({ desired }) => {
      const kind = desired.find((resource) => resource.name === 'vm1')?.kind;
      return kind?.$case === 'server' && kind.value.spec?.power;
    });
  assert.deepEqual(powers, [Power.OFF, Power.ON]);
  const events = await historyOf(mesh.client.watchSlice({ id, after: 0, follow: false }, ana));
  const restart = events.slice(events.findIndex((event) => event.status === RESTARTING));
  const percents = restart.map((event) => event.percent);
  assert.deepEqual(
    percents,
    [...percents].sort((a, b) => a - b),
  );
});

test('deleting a slice that is being deployed calls the deployment off first', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  mesh.driver().hold();
  const { id } = await mesh.client.createSlice(request(), ana);
  await until(() => mesh.driver().isBusy(id), Boolean);
  await mesh.client.deleteSlice({ id }, ana);
  await until(
    () => mesh.driver().calls.length,
    (count) => count === 2,
  );
  mesh.driver().release();
  const states = statesOf(await untilDeleted(mesh, id));
  assert.deepEqual(states, [DEPLOYING, DELETING, DELETED]);
  assert.deepEqual(mesh.driver().holds(id), []);
  const [first, second] = mesh.driver().calls;
  assert.ok((second?.fence ?? 0) > (first?.fence ?? 0));
});

test('a new wish that comes while the last work is ending is never lost', async () => {
  // Without a sweep, nothing but the queue itself brings the work back.
  await using mesh = await startMesh({ surroundings: { sweepMs: 3_600_000 } });
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  await untilState(mesh, id, ACTIVE);
  for (let round = 0; round < 20; round += 1) {
    // The state is written a moment before the job ends, and the next wish comes within that moment.
    await mesh.client.stopSlice({ id }, ana);
    await untilState(mesh, id, STOPPED);
    await mesh.client.startSlice({ id }, ana);
    await untilState(mesh, id, ACTIVE);
  }
  assert.equal(mesh.driver().calls.length, 41);
  assert.equal(mesh.driver().overlaps(), 0);
});

test('a driver that goes away costs time and nothing else, and the slice says what it waits for', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  mesh.driver().hold();
  const { id } = await mesh.client.createSlice(request(), ana);
  await until(() => mesh.driver().isBusy(id), Boolean);
  await mesh.stopDriver();
  const status = await until(
    () => mesh.client.getSliceStatus({ id }, ana),
    ({ message }) => message.includes('; it goes on'),
  );
  assert.equal(status.status, DEPLOYING);
  assert.match(status.message, /^The deployment waits: .*; it goes on (in \d+ s|at once)$/);
  await assert.rejects(mesh.client.createSlice(request(), ana), { code: 'UNAVAILABLE' });
  await mesh.restartDriver();
  await untilState(mesh, id, ACTIVE);
  assert.equal(
    (await mesh.client.listSlices({ pageSize: 0, pageToken: '', status: 'SLICE_STATE_UNSPECIFIED' }, ana))
      .slices.length,
    1,
  );
});

test('a first deployment that fails for good says why, and can be tried again or deleted', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const errorMessage = 'server vm1: No valid host was found (request req-1); choose a smaller flavor';
  mesh.driver().failNext({ result: { outcome: Outcome.ROLLED_BACK, errorMessage, observed: [] } });
  const { id } = await mesh.client.createSlice(request(), ana);
  const failed = await untilState(mesh, id, ERROR);
  assert.equal(failed.errorMessage, errorMessage);
  assert.equal(failed.nodes[0]?.status, 'pending');
  assert.equal((await mesh.client.getSliceStatus({ id }, ana)).message, errorMessage);
  await mesh.client.deploySlice({ id }, ana);
  assert.equal((await untilState(mesh, id, ACTIVE)).errorMessage, '');
  mesh.driver().failNext({ result: { outcome: Outcome.FAILED, errorMessage } });
  await mesh.client.stopSlice({ id }, ana);
  await untilState(mesh, id, ERROR);
  assert.equal(mesh.driver().calls.at(-1)?.onFailure, 'ON_FAILURE_KEEP');
  await mesh.client.deleteSlice({ id }, ana);
  await untilDeleted(mesh, id);
});

test('a driver that breaks off, stays silent or has a fault in it is asked again', async () => {
  await using mesh = await startMesh();
  const busy = new Failure({
    code: 'UNAVAILABLE',
    reason: 'CIRCUIT_OPEN',
    message: 'nova is not being called',
  });
  const bug = new Failure({ code: 'INTERNAL', reason: 'INTERNAL', message: 'Internal error' });
  mesh.driver().failNext({ error: busy }, { silent: true }, { error: bug });
  const { id } = await mesh.client.createSlice(request(), await as(ANA));
  await untilState(mesh, id, ACTIVE);
  assert.equal(mesh.driver().calls.length, 4);
});

test('a slice is not deleted before the cloud holds nothing of it, however often it refuses', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  await untilState(mesh, id, ACTIVE);
  const left = (await mesh.client.getSlice({ id }, ana)).nodes.length;
  assert.equal(left, 1);
  mesh
    .driver()
    .failNext(
      { result: { outcome: Outcome.FAILED, errorMessage: 'subnet lan: in use' } },
      { result: { outcome: Outcome.CONVERGED, observed: [...(mesh.driver().calls[0]?.desired ?? [])] } },
    );
  await mesh.client.deleteSlice({ id }, ana);
  const events = await untilDeleted(mesh, id);
  assert.ok(events.some((event) => /The removal waits.*subnet lan: in use/.test(event.message)));
  assert.ok(events.some((event) => /The cloud still lists 4 resources/.test(event.message)));
  assert.deepEqual(statesOf(events).slice(-2), [DELETING, DELETED]);
});

test("other people's slices do not exist, except for admins", async () => {
  await using mesh = await startMesh();
  const [ana, bob, admin] = [await as(ANA), await as(BOB), await as(ADMIN)];
  const { id } = await mesh.client.createSlice(request(), ana);
  const missing = { code: 'NOT_FOUND', reason: 'SLICE_NOT_FOUND' };
  for (const call of [
    'getSlice',
    'deleteSlice',
    'deploySlice',
    'stopSlice',
    'listNodes',
    'getSliceStatus',
  ] as const) {
    await assert.rejects(mesh.client[call]({ id }, bob), missing, call);
    await assert.rejects(mesh.client[call]({ id: 'no-uuid' }, bob), missing, call);
  }
  await assert.rejects(historyOf(mesh.client.watchSlice({ id, after: 0 }, bob)), missing);
  const everything = { pageSize: 0, pageToken: '', status: 'SLICE_STATE_UNSPECIFIED' } as const;
  assert.deepEqual((await mesh.client.listSlices(everything, bob)).slices, []);
  assert.equal((await mesh.client.listSlices(everything, admin)).slices.length, 1);
  assert.equal((await mesh.client.getSlice({ id }, admin)).username, 'ana');
});

test('lists come in pages, newest first, and by state', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  for (const name of ['one', 'two', 'three'])
    await mesh.client.createSlice(request({ name, deploy: false }), ana);
  const status = 'SLICE_STATE_DRAFT' as const;
  const first = await mesh.client.listSlices({ pageSize: 2, pageToken: '', status }, ana);
  const second = await mesh.client.listSlices({ pageSize: 2, pageToken: first.nextPageToken, status }, ana);
  const names = [...first.slices, ...second.slices].map((slice) => slice.name);
  assert.deepEqual(names, ['three', 'two', 'one']);
  assert.equal(second.nextPageToken, '');
  const active = await mesh.client.listSlices({ pageSize: 2, pageToken: '', status: ACTIVE }, ana);
  assert.deepEqual(active.slices, []);
  await assert.rejects(mesh.client.listSlices({ pageSize: 2, pageToken: 'x', status }, ana), {
    code: 'INVALID_ARGUMENT',
  });
});

test('what happened can be read on after any event, by a watcher of any replica', async () => {
  await using mesh = await startMesh();
  const other = await mesh.replica();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(request(), ana);
  const following = historyOf(other.client.watchSlice({ id, after: 2 }, ana));
  await untilState(mesh, id, ACTIVE);
  const past = await historyOf(mesh.client.watchSlice({ id, after: 0, follow: false }, ana));
  const resumed = await historyOf(other.client.watchSlice({ id, after: 3, follow: false }, ana));
  assert.deepEqual(resumed, past.slice(3));
  await mesh.client.deleteSlice({ id }, ana);
  const whole = await untilDeleted(mesh, id);
  assert.deepEqual(await following, whole.slice(2));
  const [created, ...rest] = whole;
  assert.deepEqual([created?.sequence, created?.requestId, created?.sliceId], [1, 'request-1', id]);
  const server = rest.find(
    (event) => event.type === SliceEventType.RESOURCE && event.resourceKind === 'server',
  );
  assert.deepEqual(
    [server?.resourceName, server?.resourceState, server?.message],
    ['vm1', 'creating', 'Server vm1 is being created'],
  );
});

test('what the clouds have is summed up, and a driver that is missing is named', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const all = await mesh.client.getResources({ infrastructure: Infrastructure.UNSPECIFIED, zone: '' }, ana);
  assert.equal(all.servers[0]?.hostname, 'worker1');
  assert.equal(all.statistics.openstack?.cpuUtilization, 25);
  assert.deepEqual(all.vmFlavors.small, { vcpus: 1, ram: 1536, disk: 10 });
  assert.deepEqual(all.unreachable, {});
  const linux = await mesh.client.getResources({ infrastructure: Infrastructure.LINUX, zone: '' }, ana);
  assert.deepEqual(linux.unreachable, { linux: 'no linux driver is configured' });
  await mesh.stopDriver();
  const none = await mesh.client.getResources({ infrastructure: Infrastructure.UNSPECIFIED, zone: '' }, ana);
  assert.deepEqual(Object.keys(none.unreachable), ['openstack']);
});

async function historyOf(stream: AsyncIterable<SliceEvent>): Promise<SliceEvent[]> {
  const events: SliceEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}
