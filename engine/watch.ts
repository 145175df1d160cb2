// Waiting without polling resources: while steps wait, each kind that has any is listed once per tick, at a pace that
// slows down while nothing happens, and every waiting step is judged by the same lists.

import { Failure } from '#common/errors.ts';
import { ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { type Environment, retryDelayMs } from './environment.ts';
import { TerminalFailure } from './failure.ts';
import { dependenciesOf } from './graph.ts';
import { EQUAL, type Found, type Key, type KindName, type Readiness, type Stir } from './kind.ts';
import { deleteId, type Step } from './plan.ts';
import type { Progress } from './progress.ts';
import { createTask, makes, resourceOf, type Task, terminal } from './task.ts';
import type { World } from './world.ts';

/** A busy cloud has better things to do than to list what is not there yet; but nobody waits longer for the next look. */
const LONGEST_REST_MS = 10_000;
/** While a cheaper question tells when all is done, lists in full only show how far it is. */
const FULL_LIST_REST = 4;
/** A change in steps takes three; more often the cloud accepts it and does not make it. */
const MOST_AGAIN = 6;

export type WatchOptions = {
  readonly tasks: Map<string, Task>;
  readonly world: World;
  readonly environment: Environment;
  readonly progress: Progress;
  readonly replaced: Map<Key, number>;
  readonly finish: (task: Task) => void;
  readonly adopt: (task: Task, found: Found) => void;
  readonly stop: (failure: Failure) => void;
};

export type Watch = {
  /** Lists what is waited for and judges. */
  look(): Promise<void>;
  isDue(): boolean;
  /** When the next look is due; undefined if nothing is waited for. */
  dueMs(): number | undefined;
  /** From now on lists decide when the task is done. */
  wait(task: Task): void;
  /** Decides by what was found whether the task is done, waits, or must be done anew. */
  judge(task: Task, found: Found): void;
};

export function createWatch(options: WatchOptions): Watch {
  const { tasks, world, environment, progress, replaced, finish, adopt, stop } = options;
  const { kinds, clock, gate, limits, log, scope, signal } = environment;
  let paceMs = limits.paceMs.first;
  let nextMs = clock.now() + paceMs;
  let fullListMs = 0;
  let looking = false;
  let misses = 0;
  let firstMissMs = 0;

  const inState = (state: Task['state']): Task[] =>
    [...tasks.values()].filter((task) => task.state === state);

  function dueMs(): number | undefined {
    if (looking) return undefined;
    const times = inState('doubtful').map((task) => Math.max(task.notBeforeMs, misses > 0 ? nextMs : 0));
    if (inState('waiting').length > 0) times.push(nextMs);
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  function wait(task: Task): void {
    if (inState('waiting').length === 0) {
      paceMs = limits.paceMs.first;
      nextMs = clock.now() + paceMs;
    }
    task.state = 'waiting';
  }

  async function look(): Promise<void> {
    const startMs = clock.now();
    const watched = [
      ...inState('waiting'),
      ...inState('doubtful').filter((task) => task.notBeforeMs <= startMs),
    ];
    looking = true;
    try {
      const stir = await stirOf(watched);
      // The look after the last of the work may be this one.
      if (stir === 'all' && isAllThatIsLeft(watched)) await world.lookWhole();
      else if (isWorthAList(stir)) {
        await world.look([...new Set(watched.flatMap(kindsToList))]);
        fullListMs = clock.now() + restAfter(startMs, FULL_LIST_REST);
      }
      misses = 0;
      const moved = watched.filter(review);
      paceMs = moved.length > 0 ? limits.paceMs.first : Math.min(paceMs * 1.5, limits.paceMs.max);
      // So all runs together have less than one list under way, however many they are and however long it takes.
      nextMs = clock.now() + Math.max(paceMs, restAfter(startMs, 1));
    } catch (error) {
      missed(error);
    } finally {
      looking = false;
    }
  }

  function isWorthAList(stir: Stir | undefined): boolean {
    if (stir === undefined) return true;
    if (stir === 'none') return false;
    // What is left may be waiting for just this.
    const isEagerlyAwaited = stir === 'all' && inState('running').length === 0;
    return isEagerlyAwaited || clock.now() >= fullListMs;
  }

  function restAfter(startMs: number, rest: number): number {
    return Math.min((clock.now() - startMs) * (rest + gate.runs()), LONGEST_REST_MS);
  }

  /** How much has happened, if the cloud says so for less than a list. */
  async function stirOf(watched: readonly Task[]): Promise<Stir | undefined> {
    const groups = Map.groupBy(watched, ({ kind, state, step: { action } }) => {
      const isPlain = state === 'waiting' && action !== 'update' && action !== 'keep';
      return isPlain ? `${kind} ${action === 'delete' ? 'gone' : 'ready'}` : '';
    });
    const stirs = new Set<Stir>();
    const questions = [...groups].map(([group, members]) => {
      const [kind, until] = group.split(' ') as [KindName, 'ready' | 'gone'];
      const found = members.flatMap((task) => task.found ?? []);
      const ask = kinds[kind]?.stirs;
      return ask && (() => ask(found, until, { scope, signal }));
    });
    if (!questions.every((question) => question !== undefined)) return undefined;
    for (const question of questions) stirs.add(await question());
    return stirs.size > 1 ? 'some' : [...stirs][0];
  }

  function isAllThatIsLeft(watched: readonly Task[]): boolean {
    const left = [...tasks.values()].filter(({ state }) => state !== 'done');
    return left.length === watched.length;
  }

  function missed(error: unknown): void {
    if (!(error instanceof Failure) || !error.retryable) throw error;
    if (misses === 0) firstMissMs = clock.now();
    if (clock.now() - firstMissMs > limits.unreachableMs) throw error;
    nextMs = clock.now() + retryDelayMs(misses++, error.retryAfterS, environment);
    log.warn({ slice_id: scope.sliceId, reason: error.reason, cause: error }, 'list failed');
  }

  /** Judges a task by the last lists; tells whether anything changed. */
  function review(task: Task): boolean {
    const before = task.state;
    const { action, key } = task.step;
    if (before === 'doubtful') {
      const made = world.named(key).find((found) => !tasks.has(deleteId(found)));
      if (made) adopt(task, made);
      else if (clock.now() >= task.doubtUntilMs) task.state = 'pending';
      else task.notBeforeMs = clock.now() + paceMs;
    } else if (before === 'waiting' && task.found) {
      const found = world.find(task.kind, task.found.resource.cloudId);
      if (action === 'delete') {
        if (!found) finish(task);
        else if (clock.now() - task.attemptedMs > limits.deleteAgainMs) task.state = 'pending';
        else giveUpIfLate(task, 'it is still there');
      } else if (found) {
        judge(task, found);
      } else if (clock.now() - task.attemptedMs > limits.lagMs) {
        task.state = 'overtaken';
      }
    }
    return task.state !== before;
  }

  function judge(task: Task, found: Found): void {
    const kind = kinds[task.kind];
    const readiness = kind.readiness(found.resource);
    task.found = found;
    if (readiness.state === 'broken') {
      handleBroken(task, found, readiness);
      return;
    }
    const { action, desired } = task.step;
    const isCompared = action === 'update' || action === 'keep';
    const left = isCompared && desired ? kind.difference(desired, found.resource) : EQUAL;
    if (action === 'keep' && left.type !== 'equal') {
      // What could not be told while the cloud was at work, such as a resize of an earlier run that waits to be confirmed.
      task.state = 'overtaken';
      return;
    }
    if (left.type === 'change' && left.again) {
      if (task.attempts >= MOST_AGAIN) stop(terminal([task], notChanging(task.attempts, left.reason)));
      task.notBeforeMs = clock.now() + retryDelayMs(task.attempts - 1, undefined, environment);
      task.state = 'pending';
      return;
    }
    if (readiness.state === 'ready' && left.type === 'equal') {
      finish(task);
      return;
    }
    if (task.state !== 'waiting') wait(task);
    giveUpIfLate(task, readiness.state === 'waiting' ? readiness.reason : 'it has not changed');
  }

  /** A thing just made is replaced if it may be; nothing stands on it yet. Anything else is for a new plan. */
  function handleBroken(
    task: Task,
    found: Found,
    { failure, isFutile, isKept }: Extract<Readiness, { state: 'broken' }>,
  ): void {
    const { key } = task.step;
    progress.resource(found.resource, ResourceState.BROKEN, failure.message);
    // A call of an earlier worker came late, and the two are in each other's way: a new plan keeps the better one.
    const others = world.named(key).filter((one) => one.resource.cloudId !== found.resource.cloudId);
    if (others.some((one) => !tasks.has(deleteId(one)))) {
      task.state = 'overtaken';
      return;
    }
    const count = replaced.get(key) ?? 0;
    if (isFutile || isKept || count >= limits.replacements) {
      stop(brokenFailure(found, failure));
      task.state = 'overtaken';
    } else if (!makes(task)) {
      task.state = 'overtaken';
    } else {
      replaced.set(key, count + 1);
      const step: Step = {
        id: deleteId(found),
        action: 'delete',
        key,
        reason: `to be replaced: ${failure.message}`,
        needs: [],
        desired: undefined,
        found,
        replacements: 0,
      };
      tasks.set(step.id, createTask(step, kinds));
      task.needs = [...task.needs, step.id];
      task.found = undefined;
      task.replacements = found.replacements + 1;
      task.state = 'pending';
    }
  }

  function giveUpIfLate(task: Task, reason: string): void {
    const now = clock.now();
    task.startedMs ??= now;
    if (now - task.startedMs <= limits.stepMs) return;
    const message = `${reason} after ${Math.round(limits.stepMs / 1000)} s`;
    stop(terminal([task], new Failure({ code: 'DEADLINE_EXCEEDED', reason: 'STEP_TOO_SLOW', message })));
    log.warn(
      { slice_id: scope.sliceId, step: task.step.id, resource: resourceOf(task).cloudId },
      'step too slow',
    );
  }

  return {
    look,
    isDue: () => !looking && (dueMs() ?? Number.POSITIVE_INFINITY) <= clock.now(),
    dueMs,
    wait,
    judge,
  };
}

/** Whether a change has come about may show in what the resource stands on. */
function kindsToList({ kind, step }: Task): KindName[] {
  if (step.action !== 'update' || !step.desired) return [kind];
  return [kind, ...dependenciesOf(step.desired).map((key) => key.split('/')[0] as KindName)];
}

function notChanging(times: number, difference: string): Failure {
  const message = `the cloud accepted it ${times} times and did not make it: ${difference}`;
  return new Failure({ code: 'FAILED_PRECONDITION', reason: 'CHANGE_NOT_MADE', message });
}

/** The cloud gave up a resource, and it may not be made anew (any more): which, why, and how often it was tried. */
export function brokenFailure(found: Found, failure: Failure): TerminalFailure {
  const { resource, replacements } = found;
  const again = replacements > 0 ? ` (made anew ${replacements} ${replacements > 1 ? 'times' : 'time'})` : '';
  return new TerminalFailure(failure, {
    message: `${failure.message}${again}`,
    metadata: { ...failure.metadata, cloud_id: resource.cloudId },
    resources: [resource],
    broken: found,
  });
}
