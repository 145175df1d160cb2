// The driver contract on a sandbox and a real database, handlers called as the gRPC server calls them.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { ANONYMOUS } from '#common/caller.ts';
import { Secret } from '#common/config.ts';
import { type Knex, openDatabase } from '#common/database.ts';
import { Failure } from '#common/errors.ts';
import { silentLog } from '#common/log.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import {
  type ConvergeEvent,
  ConvergeRequest,
  type DriverServiceServer,
  OnFailure,
  Outcome,
  type Scope,
} from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { StepPhase } from '#proto/pucp/slice/v1/history.ts';
import { testDatabaseUrl } from '../../tests/support/database.ts';
import { createDriver } from './driver.ts';
import { createFences } from './fences.ts';
import { createJournalStore } from './journal-store.ts';
import { migrations } from './migrations/all.ts';
import { labOf, type Rig, startRig } from './testing/slice-rig.ts';

let rig: Rig;
let knex: Knex;
let driver: Handlers<DriverServiceServer>;
before(async () => {
  const url = new Secret(await testDatabaseUrl());
  knex = await openDatabase({ url, schema: 'openstack', migrations, log: silentLog });
  const journal = createJournalStore(knex, { days: 30, perSlice: 1000 });
  rig = await startRig({ buildDelayMs: 300, journal });
  driver = createDriver({ ...rig.deps, fences: createFences(knex), journal });
});
after(async () => {
  await rig?.close();
  await knex?.destroy();
});

const ANA = randomUUID();
const context = (signal = AbortSignal.timeout(120_000)): Context => ({
  caller: { ...ANONYMOUS, userId: ANA, username: 'ana', role: 'student', actor: 'slice' },
  signal,
  log: silentLog,
  requestId: randomUUID(),
  clientIp: '127.0.0.1',
});
const newScope = (): Scope => ({
  sliceId: randomUUID(),
  sliceName: 'lab',
  userId: ANA,
  username: 'ana',
});
const wish = (scope: Scope, desired: readonly Resource[], fence = 1) =>
  ConvergeRequest.fromPartial({ scope, desired: [...desired], fence, onFailure: OnFailure.ROLLBACK });

async function all(events: AsyncIterable<ConvergeEvent>): Promise<ConvergeEvent[]> {
  return await Array.fromAsync(events);
}
function resultOf(events: readonly ConvergeEvent[]) {
  const last = events.at(-1);
  assert.ok(last?.event?.$case === 'result', 'the last event is the result');
  return { ...last.event.value, percent: last.percent };
}

test('a slice is converged with a stream of events whose percentage only grows, observed, and removed', async () => {
  const scope = newScope();
  const events = await all(driver.converge(wish(scope, labOf({ nodes: 1 })), context()));
  const percents = events.map(({ percent }) => percent);
  assert.deepEqual(
    percents,
    percents.toSorted((a, b) => a - b),
  );
  const result = resultOf(events);
  assert.equal(result.outcome, Outcome.CONVERGED);
  assert.equal(result.percent, 100);
  assert.notEqual(result.projectId, '');
  const states = events.flatMap(({ event }) =>
    event?.$case === 'resource' && event.value.kind?.$case === 'server' ? [event.value.state] : [],
  );
  assert.equal(states[0], 'RESOURCE_STATE_CREATING');
  assert.equal(states.at(-1), 'RESOURCE_STATE_READY');
  const { observed } = await driver.observe({ scope }, context());
  assert.deepEqual(
    observed.map(({ name }) => name),
    result.observed.map(({ name }) => name),
  );
  assert.equal(
    resultOf(await all(driver.converge(wish(scope, [], 2), context()))).outcome,
    Outcome.CONVERGED,
  );
  assert.deepEqual((await driver.observe({ scope }, context())).observed, []);
});

test('a call with a smaller fence is refused, and one that is under way ends when a greater one comes', async () => {
  const scope = newScope();
  const lab = labOf({ nodes: 3 });
  const old = driver.converge(wish(scope, lab, 1), context())[Symbol.asyncIterator]();
  await old.next();
  const result = resultOf(await all(driver.converge(wish(scope, lab, 2), context())));
  assert.equal(result.outcome, Outcome.CONVERGED);
  await assert.rejects(async () => {
    for (;;) if ((await old.next()).done) return;
  }, isFenced);
  await assert.rejects(all(driver.converge(wish(scope, [], 1), context())), isFenced);
  assert.equal(
    resultOf(await all(driver.converge(wish(scope, lab, 3), context()))).outcome,
    Outcome.CONVERGED,
  );
  const { observed } = await driver.observe({ scope }, context());
  assert.equal(observed.length, lab.length);
  await all(driver.converge(wish(scope, [], 4), context()));
});

test('whoever observes with a greater fence ends the work under way, and none with a smaller one begins', async () => {
  const scope = newScope();
  const lab = labOf({ nodes: 3 });
  const old = driver.converge(wish(scope, lab, 1), context())[Symbol.asyncIterator]();
  await old.next();
  await driver.observe({ scope, fence: 2 }, context());
  await assert.rejects(async () => {
    for (;;) if ((await old.next()).done) return;
  }, isFenced);
  await assert.rejects(all(driver.converge(wish(scope, lab, 1), context())), isFenced);
  await assert.rejects(driver.observe({ scope, fence: 1 }, context()), isFenced);
  await all(driver.converge(wish(scope, [], 3), context()));
});

test('the journal of a slice that is given up goes in its time, as that of one that is gone', async () => {
  const scope = newScope();
  const lab = labOf({ nodes: 1 });
  await all(driver.converge(wish(scope, lab, 1), context()));
  const closed = () => knex('journal').where({ slice_id: scope.sliceId }).whereNotNull('gone_at');
  assert.equal((await closed()).length, 0);
  await driver.observe({ scope }, context());
  assert.equal((await closed()).length, 0);
  await driver.observe({ scope, fence: 2 }, context());
  assert.ok((await closed()).length > 0);
  await all(driver.converge(wish(scope, [], 3), context()));
});

test('a slice that nobody has worked on is not looked for, but one that somebody has is', async () => {
  const lists = () =>
    Object.entries(rig.sandbox?.counts() ?? {})
      .filter(([route]) => route.startsWith('GET network /routers'))
      .reduce((sum, [, count]) => sum + count, 0);
  const scope = newScope();
  const before = lists();
  await all(driver.converge(wish(scope, labOf({ nodes: 1 }), 1), context()));
  assert.equal(lists(), before, 'it has no routers, and never had');
  await all(driver.converge(wish(scope, labOf({ nodes: 2 }), 2), context()));
  assert.ok(lists() > before);
  const lost = newScope();
  await all(driver.converge(wish(lost, labOf({ nodes: 1 }), 7), context()));
  assert.ok(lists() > before + 1, 'a fence beyond 1 tells of work that this database has forgotten');
  for (const [one, fence] of [
    [scope, 3],
    [lost, 8],
  ] as const) {
    await all(driver.converge(wish(one, [], fence), context()));
  }
});

test('a caller who leaves ends the work, and the next call takes it up', async () => {
  const scope = newScope();
  const lab = labOf({ nodes: 2 });
  for await (const { event } of driver.converge(wish(scope, lab, 1), context())) {
    if (event?.$case === 'resource' && event.value.kind?.$case === 'server') break;
  }
  const left = (await driver.observe({ scope }, context())).observed;
  assert.ok(left.length > 0 && left.length <= lab.length);
  assert.equal(
    resultOf(await all(driver.converge(wish(scope, lab, 2), context()))).outcome,
    Outcome.CONVERGED,
  );
  await all(driver.converge(wish(scope, [], 3), context()));
  assert.deepEqual((await driver.observe({ scope }, context())).observed, []);
});

test('every mistake in a wish is told at once, with the names that exist, and the totals of the rest', async () => {
  const desired = labOf({ nodes: 2, flavor: 'm1.small' });
  const [, , , bad] = desired;
  assert.ok(bad?.kind?.$case === 'server' && bad.kind.value.spec);
  bad.kind.value.spec = { ...bad.kind.value.spec, image: 'windows-95', availabilityZone: 'moon' };
  const { violations, totals } = await driver.validate({ scope: newScope(), desired }, context());
  assert.deepEqual(
    violations.map(({ resourceName, field }) => `${resourceName} ${field}`),
    ['vm0 image', 'vm0 availability_zone'],
  );
  assert.match(violations[0]?.message ?? '', /image "windows-95" does not exist; there are: .*cirros/);
  assert.match(violations[1]?.message ?? '', /zone "moon" does not exist; there are: nova/);
  assert.deepEqual(totals, { totalVcpus: 2, totalRam: 3072, totalDisk: 20 });
});

test('the capacity of the cloud is told with hosts, zones and flavors by every name', async () => {
  const { hosts, zones, flavors } = await driver.getCapacity({}, context());
  assert.ok(hosts.length > 0);
  for (const host of hosts) {
    assert.equal(host.zoneName, 'nova');
    assert.equal(host.status, 'up');
    assert.equal(host.availableVcpus, host.totalVcpus - host.usedVcpus);
  }
  assert.deepEqual(
    zones.map(({ name, isActive }) => [name, isActive]),
    [['nova', true]],
  );
  assert.deepEqual(flavors.small, flavors['m1.small']);
});

test('a slice without an owner or a name is refused', async () => {
  const scope = { ...newScope(), userId: '', sliceName: '' };
  await assert.rejects(all(driver.converge(wish(scope, []), context())), (error) => {
    assert.ok(error instanceof Failure && error.code === 'INVALID_ARGUMENT');
    assert.deepEqual(
      error.violations.map(({ field }) => field),
      ['scope.slice_name', 'scope.user_id'],
    );
    return true;
  });
});

function isFenced(error: unknown): boolean {
  return error instanceof Failure && error.code === 'ABORTED' && error.reason === 'FENCED';
}

test('a slice of someone else than the token speaks for is refused', async () => {
  const scope = { ...newScope(), userId: randomUUID() };
  const refusal = { code: 'PERMISSION_DENIED', reason: 'SCOPE_NOT_CALLERS' };
  await assert.rejects(all(driver.converge(wish(scope, []), context())), refusal);
  await assert.rejects(driver.observe({ scope }, context()), refusal);
  await assert.rejects(driver.validate({ scope, desired: [] }, context()), refusal);
});

test('what was done for a slice is in its journal, each step begun before it is done, also after it is gone', async () => {
  const scope = newScope();
  await all(driver.converge(wish(scope, labOf({ nodes: 2 }), 7), context()));
  await all(driver.converge(wish(scope, [], 8), context()));
  const pages = [];
  for (let pageToken = ''; ; ) {
    const request = { scope, pageSize: 5, pageToken, newestFirst: false };
    const page = await driver.listJournal(request, context());
    pages.push(page);
    pageToken = page.nextPageToken;
    if (pageToken === '') break;
  }
  const lines = pages.flatMap(({ steps }) => steps);
  const open = new Set<string>();
  for (const { step, phase } of lines) {
    if (phase === StepPhase.BEGIN) open.add(step);
    else assert.ok(open.delete(step), `${step} ends without a begin`);
  }
  assert.deepEqual([...open], [], 'everything that began has ended');
  const begun = lines.filter(({ phase }) => phase === StepPhase.BEGIN).map(({ step }) => step);
  assert.equal(begun.filter((step) => step.startsWith('create ')).length, 6);
  assert.equal(begun.filter((step) => step.startsWith('delete ')).length, 6);
  assert.deepEqual([...new Set(lines.map(({ fence }) => fence))], [7, 8]);
  assert.equal(new Set(lines.map(({ runId }) => runId)).size, 2);
  const wrong = { scope, pageSize: 5, pageToken: 'x', newestFirst: false };
  await assert.rejects(async () => driver.listJournal(wrong, context()), { code: 'INVALID_ARGUMENT' });
});
