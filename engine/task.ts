// A step of a plan while it is carried out.

import type { Failure } from '#common/errors.ts';
import { type Resource, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { TerminalFailure } from './failure.ts';
import { labelOf } from './graph.ts';
import type { Found, KindName, Kinds } from './kind.ts';
import { kindOf } from './kind.ts';
import type { Step } from './plan.ts';

export type TaskState =
  /** Its needs are not done, or its time to try again has not come. */
  | 'pending'
  /** The cloud is being asked. */
  | 'running'
  /** The cloud was asked for a creation and the answer was lost: the next list tells. */
  | 'doubtful'
  /** The cloud is at work: the next list tells. */
  | 'waiting'
  | 'done'
  /** Things are not as this step thought: a new plan has to be made. */
  | 'overtaken';

export type Task = {
  readonly step: Step;
  readonly kind: KindName;
  needs: readonly string[];
  state: TaskState;
  /** What it made, changes or removes. */
  found: Found | undefined;
  replacements: number;
  attempts: number;
  /** When it was first begun; it may take `stepMs` from then. */
  startedMs: number | undefined;
  /** When it was last begun. */
  attemptedMs: number;
  /** Not to be tried or looked up before. */
  notBeforeMs: number;
  /** While doubtful: until then its absence says nothing. */
  doubtUntilMs: number;
};

export function createTask(step: Step, kinds: Kinds): Task {
  const resource = step.desired ?? step.found?.resource;
  if (!resource) throw new Error(`step ${step.id} is about nothing`);
  const readiness = step.found && kinds[kindOf(resource)].readiness(step.found.resource);
  const kept = step.action === 'keep' ? (readiness?.state === 'ready' ? 'done' : 'waiting') : 'pending';
  return {
    step,
    kind: kindOf(resource),
    needs: step.needs,
    state: kept,
    found: step.found,
    replacements: step.replacements,
    attempts: 0,
    startedMs: undefined,
    attemptedMs: 0,
    notBeforeMs: 0,
    doubtUntilMs: 0,
  };
}

export function makes(task: Task): boolean {
  return task.step.action === 'create' || task.step.action === 'replace';
}

/** What a task is about, as far as it is known. */
export function resourceOf(task: Task): Resource {
  const resource = task.found?.resource ?? task.step.desired;
  if (!resource) throw new Error(`step ${task.step.id} is about nothing`);
  return resource;
}

/** The state of the resource while its task is under way. */
export function stateUnderWay(task: Task): ResourceState {
  if (task.step.action === 'delete') return ResourceState.DELETING;
  return task.step.action === 'update' ? ResourceState.UPDATING : ResourceState.CREATING;
}

const VERBS = {
  create: 'created',
  replace: 'created anew',
  update: 'changed',
  delete: 'removed',
  keep: 'used',
} as const;

/** A failure that ends the run: which resources, what was tried, what the cloud said. */
export function terminal(tasks: readonly Task[], failure: Failure): Failure {
  const [first] = tasks;
  if (!first) return failure;
  const names = tasks.slice(0, 5).map((task) => `"${resourceOf(task).name}"`);
  const more = tasks.length > names.length ? ` and ${tasks.length - names.length} more` : '';
  return new TerminalFailure(failure, {
    message: `${labelOf(first.kind)} ${names.join(', ')}${more} could not be ${VERBS[first.step.action]}: ${failure.message}`,
    resources: tasks.map(resourceOf),
  });
}
