// Runs a plan: each step as soon as what it needs is ready, side by side, a bounded number of calls at a time, creations
// of one kind in batches. Waiting is one list per kind and tick (`watch.ts`). Truth is what lists say.

import { cancelled, Failure } from '#common/errors.ts';
import { ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { type Environment, retryDelayMs } from './environment.ts';
import type { Entry } from './journal.ts';
import type { Found, Key, Kinds, Refs } from './kind.ts';
import { NOT_WISHED, type Plan } from './plan.ts';
import type { Progress } from './progress.ts';
import { createTask, makes, resourceOf, stateUnderWay, type Task, terminal } from './task.ts';
import { createWatch } from './watch.ts';
import type { World } from './world.ts';

export type ExecuteOptions = {
  readonly plan: Plan;
  readonly world: World;
  readonly environment: Environment;
  readonly progress: Progress;
  /** How often each resource was replaced in this run; counted on here. */
  readonly replaced: Map<Key, number>;
};

/** Attempts at changing or removing something before a new plan is made: the world may not be what the plan thought. */
const ATTEMPTS_PER_PLAN = 4;

/**
 * Resolves when every step is done, or can only be judged by a new plan, with what last went wrong. Throws, after all that is under way has ended:
 * the failure that will not go away by itself, or CANCELLED. No work is begun once either is known.
 */
export async function execute({
  plan,
  world,
  environment,
  progress,
  replaced,
}: ExecuteOptions): Promise<Failure | undefined> {
  const { kinds, clock, gate, limits, journal, log, scope, signal } = environment;
  const tasks = new Map(plan.steps.map((step) => [step.id, createTask(step, kinds)]));
  const ids = new Map<Key, string>();
  // Once begun, a call that changes the cloud is never cut off: its effect would be unknown.
  const effects = { scope, signal: new AbortController().signal };
  const wakeup = createWakeup(environment);
  const pass = gate.join(wakeup.wake);
  const isRemoval = plan.steps.every(({ action }) => action === 'delete');
  let running = 0;
  let failure: Failure | undefined;
  let refusal: Failure | undefined;
  let lastProblem: Failure | undefined;

  const refs: Refs = {
    id(kind, name) {
      const id = ids.get(`${kind}/${name}`);
      if (id) return id;
      throw new Error(`${kind}/${name} was needed before it was ready`);
    },
  };
  for (const task of tasks.values()) {
    if (task.found && task.step.desired) ids.set(task.step.key, task.found.resource.cloudId);
  }
  const watch = createWatch({ tasks, world, environment, progress, replaced, finish, adopt, stop });
  const count = progress.track(tasks);

  signal.addEventListener('abort', wakeup.wake);
  try {
    for (;;) {
      const stopped = failure !== undefined || signal.aborted;
      if (stopped) pass.withdraw();
      else startWhatCan();
      if (!stopped && watch.isDue()) begin(watch.look);
      if (running === 0 && (stopped || (nextMs() === undefined && !pass.isWaiting()))) break;
      await wakeup.next(stopped ? undefined : nextMs());
    }
  } finally {
    pass.close();
    signal.removeEventListener('abort', wakeup.wake);
  }
  if (failure ?? refusal) throw failure ?? refusal;
  if (signal.aborted) throw cancelled(signal.reason);
  return lastProblem;

  function begin(work: () => Promise<void>): void {
    running++;
    work()
      .catch((error: unknown) => stop(asFailure(error)))
      .finally(() => {
        running--;
        wakeup.wake();
      });
  }

  function stop(reason: Failure): void {
    failure ??= reason;
  }

  function isStartable(task: Task): boolean {
    return task.state === 'pending' && task.needs.every((id) => tasks.get(id)?.state === 'done');
  }

  function startWhatCan(): void {
    const now = clock.now();
    const startable = [...tasks.values()].filter((task) => isStartable(task) && task.notBeforeMs <= now);
    for (const batch of inBatches(startable, kinds)) {
      if (!pass.enter()) return;
      for (const task of batch) {
        task.state = 'running';
        task.attempts++;
        task.attemptedMs = now;
        task.startedMs ??= now;
      }
      begin(() => run(batch).finally(pass.leave));
    }
    pass.withdraw();
  }

  /** Milliseconds until something may be begun although nothing ends; undefined if nothing ever will. */
  function nextMs(): number | undefined {
    // While the run waits for its turn, only the turn makes a difference.
    const startable = pass.isWaiting() ? [] : [...tasks.values()].filter(isStartable);
    const times = startable.map((task) => task.notBeforeMs);
    const lookMs = watch.dueMs();
    if (lookMs !== undefined) times.push(lookMs);
    return times.length > 0 ? Math.max(0, Math.min(...times) - clock.now()) : undefined;
  }

  async function run(batch: readonly Task[]): Promise<void> {
    // What could not be announced is not begun, and so cannot have failed: the run ends with what the journal says.
    await journal.record(batch.map((task) => entry(task, 'begin', task.step.reason)));
    try {
      for (const task of batch) {
        // That it does not exist yet is no news of a creation, nor that nobody wishes for it of a removal.
        const { action, reason } = task.step;
        const isNews = action !== 'create' && reason !== NOT_WISHED;
        progress.resource(resourceOf(task), stateUnderWay(task), isNews ? reason : '');
      }
      const found = await perform(batch).finally(world.touched);
      await journal.record(batch.map((task, index) => entry(task, 'done', '', found?.[index])));
    } catch (error) {
      await retryOrStop(batch, asFailure(error));
    }
  }

  async function perform(batch: readonly Task[]): Promise<readonly Found[] | undefined> {
    const [task] = batch;
    if (!task) return undefined;
    const kind = kinds[task.kind];
    const { action, desired } = task.step;
    if (action === 'delete' && task.found) {
      if ((await kind.delete(task.found, effects)) === 'gone') finish(task);
      else watch.wait(task);
    } else if (action === 'update' && task.found && desired) {
      await kind.update(desired, task.found, refs, effects);
      watch.wait(task);
    } else if (makes(task)) {
      const creations = batch.flatMap(({ step, replacements }) =>
        step.desired ? [{ desired: step.desired, replacements }] : [],
      );
      const made = await kind.create(creations, refs, effects);
      if (made.length !== batch.length)
        throw new Error(`${task.kind} answered ${made.length} of ${batch.length}`);
      for (const [index, one] of made.entries()) {
        world.made(one);
        const owner = batch[index];
        if (owner) adopt(owner, one);
      }
      return made;
    }
    return undefined;
  }

  /** The thing that a task wishes for exists: from now on it is judged by what lists say. */
  function adopt(task: Task, found: Found): void {
    task.found = found;
    ids.set(task.step.key, found.resource.cloudId);
    watch.judge(task, found);
    count();
    if (task.state === 'waiting') progress.resource(found.resource, stateUnderWay(task));
  }

  function finish(task: Task): void {
    task.state = 'done';
    if (task.step.action === 'delete' && task.found) world.removed(task.found);
    count();
    const state = task.step.action === 'delete' ? ResourceState.DELETED : ResourceState.READY;
    progress.resource(resourceOf(task), state);
  }

  async function retryOrStop(batch: readonly Task[], problem: Failure): Promise<void> {
    const now = clock.now();
    const unfinished = batch.filter((task) => task.state === 'running');
    const isLate = unfinished.some((task) => now - (task.startedMs ?? now) > limits.stepMs);
    lastProblem = terminal(batch, problem);
    // What was listed a moment ago may be gone by now, by the hand of a worker before us: a new plan looks again.
    const mayPass = problem.retryable || problem.code === 'NOT_FOUND' || isOwnTrace(batch, problem);
    const delayMs = retryDelayMs(
      Math.max(...batch.map(({ attempts }) => attempts)) - 1,
      problem.retryAfterS,
      environment,
    );
    const isFinal = !mayPass || isLate;
    // Where everything is to go, what cannot go is no reason to leave the rest.
    if (isFinal && isRemoval) refusal ??= lastProblem;
    else if (isFinal) stop(lastProblem);
    else sayRetry(unfinished, problem, delayMs);
    // Who lost an answer does not know whether the cloud is still at it.
    const doubtMs = ['DEADLINE_EXCEEDED', 'UNAVAILABLE'].includes(problem.code) ? limits.doubtMs : 0;
    if (unfinished.some(makes)) world.doubt(now + doubtMs);
    for (const task of unfinished) {
      const isOvertaken = isFinal || task.attempts >= ATTEMPTS_PER_PLAN;
      task.state = makes(task) ? 'doubtful' : isOvertaken ? 'overtaken' : 'pending';
      task.notBeforeMs = now + delayMs;
      task.doubtUntilMs = now + doubtMs;
    }
    log.warn(
      {
        slice_id: scope.sliceId,
        steps: batch.map(({ step }) => step.id),
        reason: problem.reason,
        cause: problem,
      },
      'step failed',
    );
    await journal.record(batch.map((task) => entry(task, 'failed', `${problem.reason}: ${problem.message}`)));
  }

  /** A batch has one failure; its first few say enough. */
  function sayRetry(unfinished: readonly Task[], { message }: Failure, delayMs: number): void {
    const seconds = Math.max(1, Math.round(delayMs / 1000));
    for (const task of unfinished.slice(0, 5)) {
      const why = `${message}; it is tried again in ${seconds} s`;
      progress.resource(resourceOf(task), stateUnderWay(task), why);
    }
  }

  function entry(task: Task, phase: Entry['phase'], detail: string, found = task.found): Entry {
    return {
      sliceId: scope.sliceId,
      step: task.step.id,
      phase,
      cloudId: found?.resource.cloudId ?? '',
      detail,
    };
  }
}

/** What is taken may be taken by the call before, whose answer was lost: a list tells. */
function isOwnTrace(batch: readonly Task[], { code }: Failure): boolean {
  return (
    code === 'ALREADY_EXISTS' &&
    batch.some((task) => makes(task) && task.attempts > 1 && task.attempts < ATTEMPTS_PER_PLAN)
  );
}

/** Groups neighbours of one kind that are made by the same call. */
function inBatches(tasks: readonly Task[], kinds: Kinds): Task[][] {
  const batches: Task[][] = [];
  const open = new Map<string, Task[]>();
  for (const task of tasks) {
    const { maxBatch, batchOf } = kinds[task.kind];
    const size = makes(task) ? maxBatch : 1;
    const together = `${task.kind} ${batchOf?.(resourceOf(task)) ?? ''}`;
    let batch = size > 1 ? open.get(together) : undefined;
    if (!batch || batch.length >= size) {
      batch = [];
      batches.push(batch);
      if (size > 1) open.set(together, batch);
    }
    batch.push(task);
  }
  return batches;
}

/** What is thrown and is no Failure is a bug: it ends the run, and nobody is told its words but the log. */
function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure({ code: 'INTERNAL', reason: 'INTERNAL', message: 'internal error', cause: error });
}

function createWakeup({ clock }: Environment): {
  wake: () => void;
  next: (ms: number | undefined) => Promise<void>;
} {
  let woken = false;
  let resume: (() => void) | undefined;
  return {
    wake() {
      woken = true;
      resume?.();
    },
    async next(ms) {
      if (!woken) {
        const timer = new AbortController();
        const wakes = new Promise<void>((resolve) => {
          resume = resolve;
        });
        const rings = ms === undefined ? [] : [clock.wait(ms, timer.signal).catch(() => undefined)];
        await Promise.race([wakes, ...rings]);
        timer.abort();
        resume = undefined;
      }
      woken = false;
    },
  };
}
