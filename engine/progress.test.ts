import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resource, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import type { Report } from './environment.ts';
import type { KindName } from './kind.ts';
import { createProgress } from './progress.ts';
import type { Task, TaskState } from './task.ts';
import { createFakeCloud } from './testing/fake-cloud.ts';
import { run } from './testing/run.ts';
import { createVirtualClock } from './testing/virtual-clock.ts';
import { wishOf } from './testing/wishes.ts';

/** What progress looks at of tasks, by step. */
function tasksOf(states: Readonly<Record<string, TaskState>>): Map<string, Task> {
  return new Map(
    Object.entries(states).map(([step, state]) => {
      const kind = step.split('/')[0] as KindName;
      return [step, { kind, state, step: { action: 'create' } } as unknown as Task];
    }),
  );
}

test('a server counts more than a rule, what was there before nothing, what is under way half', () => {
  const reports: Report[] = [];
  const progress = createProgress((report) => reports.push(report));
  const tasks = tasksOf({ 'network/a': 'done', 'securityRule/a': 'pending', 'server/a': 'pending' });
  const count = progress.track(tasks);
  const to = (step: string, state: TaskState): number | undefined => {
    Object.assign(tasks.get(step) ?? {}, { state });
    count();
    progress.say('.');
    return reports.at(-1)?.percent;
  };
  assert.equal(to('securityRule/a', 'done'), 9);
  assert.equal(to('server/a', 'waiting'), 54);
  assert.equal(to('server/a', 'pending'), 54, 'never less');
  assert.equal(to('server/a', 'done'), 99);
});

test('a further plan goes on from where the last one ended', () => {
  const reports: Report[] = [];
  const progress = createProgress((report) => reports.push(report));
  progress.track(tasksOf({ 'server/a': 'waiting' }));
  const first = tasksOf({ 'server/a': 'pending', 'server/b': 'pending' });
  const countFirst = progress.track(first);
  Object.assign(first.get('server/a') ?? {}, { state: 'done' });
  countFirst();
  const second = tasksOf({ 'server/a': 'done', 'server/b': 'pending' });
  const countSecond = progress.track(second);
  progress.say('.');
  Object.assign(second.get('server/b') ?? {}, { state: 'waiting' });
  countSecond();
  progress.say('.');
  assert.deepEqual(
    reports.map(({ percent }) => percent),
    [49, 74],
  );
});

test('what fails in passing is told with when it is tried again, and that it is tried ends the telling', async () => {
  const clock = createVirtualClock();
  let failures = 2;
  const cloud = createFakeCloud({
    clock,
    fault: ({ verb, kind }) => (verb === 'create' && kind === 'server' && failures-- > 0 ? 'before' : 'none'),
  });
  const { reports, entries } = await run({
    cloud,
    clock,
    desired: wishOf({ routed: [false], servers: [[0]] }),
  });
  const told = reports.flatMap(({ resource }) => (resource?.kind?.$case === 'server' ? [resource] : []));
  assert.deepEqual(
    told.map(({ state, message }) => `${state} ${message}`.trim()),
    [
      ResourceState.CREATING,
      `${ResourceState.CREATING} no; it is tried again in 1 s`,
      ResourceState.CREATING,
      `${ResourceState.CREATING} no; it is tried again in 1 s`,
      ResourceState.CREATING,
      ResourceState.READY,
    ],
  );
  assert.deepEqual(
    entries.filter(({ step }) => step.includes('server')).map(({ phase }) => phase),
    ['begin', 'failed', 'begin', 'failed', 'begin', 'done'],
  );
});

test('resources are told of once a state, however often it is said', () => {
  const reports: Report[] = [];
  const progress = createProgress((report) => reports.push(report));
  const server = Resource.fromPartial({ name: 'a', kind: { $case: 'server', value: {} } });
  progress.resource(server, ResourceState.CREATING);
  progress.resource(server, ResourceState.CREATING);
  progress.resource(server, ResourceState.READY);
  assert.equal(reports.length, 2);
});
