// The one function that deploys, changes, repairs, resumes and destroys: look, plan, run, and look again until what is
// equals what is wished, or a failure that will not go away stops it.

import { Failure } from '#common/errors.ts';
import type { ConvergeResult } from '#proto/pucp/driver/v1/driver_service.ts';
import { OnFailure, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { Resource, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { type Environment, retryDelayMs } from './environment.ts';
import { execute } from './executor.ts';
import { explain, failedResources, TerminalFailure } from './failure.ts';
import { checkWish, KINDS } from './graph.ts';
import { type Found, type Key, type Kinds, keyOf, kindOf } from './kind.ts';
import { isDone, type Plan, plan, summarize } from './plan.ts';
import { createProgress, type Progress } from './progress.ts';
import { brokenFailure } from './watch.ts';
import { createWorld, type World } from './world.ts';

export type Wish = {
  readonly desired: readonly Resource[];
  readonly onFailure: OnFailure;
  /** Nobody is known to have ever worked on the slice: one list is enough to see that there is nothing of it. */
  readonly isFresh?: boolean;
};

/** How it ended; the caller adds what it alone knows. */
export type Converged = Omit<ConvergeResult, 'projectId'>;

/**
 * Makes the cloud equal to the wish. Resolves also when that failed for good. Throws INVALID_ARGUMENT for a wish that
 * contradicts itself, CANCELLED when the signal ended it, and what the cloud answered if it cannot be listed.
 */
export async function converge(wish: Wish, environment: Environment): Promise<Converged> {
  checkWish(wish.desired);
  const run = { environment, progress: createProgress(environment.report), world: createWorld(environment) };
  try {
    const observed = await reach(wish, run);
    return { outcome: Outcome.CONVERGED, errorMessage: '', reason: '', observed, failed: [] };
  } catch (error) {
    const failure = terminalFailure(error, environment);
    const told = await tell(failure, environment);
    return wish.onFailure === OnFailure.ROLLBACK && wish.desired.length > 0
      ? await rollBack(told, run)
      : { ...told, observed: await observe(environment, run.world) };
  }
}

/** Lists everything of the slice, each with its state. */
export async function observe(
  environment: Environment,
  world: World = createWorld(environment),
): Promise<Resource[]> {
  return asObserved(await world.lookAtAll(), environment.kinds);
}

/** What `converge` would begin with now. Nothing is done. Throws as `converge` does. */
export async function planOnly(desired: readonly Resource[], environment: Environment): Promise<Plan> {
  checkWish(desired);
  return planNext({ desired, found: await createWorld(environment).lookAtAll(), environment });
}

/** The same where nothing can be there yet: the cloud is not asked. */
export function planAnew(desired: readonly Resource[], environment: Environment): Plan {
  return planNext({ desired, found: [], environment });
}

type Sight = {
  readonly desired: readonly Resource[];
  readonly found: readonly Found[];
  readonly environment: Pick<Environment, 'kinds' | 'limits'>;
  /** How often each resource was replaced already; absent at the first look, when what an earlier run left is replaced. */
  readonly replaced?: ReadonlyMap<Key, number> | undefined;
};

function planNext({ desired, found, environment: { kinds, limits }, replaced }: Sight): Plan {
  return plan({
    desired,
    found,
    kinds,
    mayReplace: (key, { isFutile, isKept }) =>
      !isKept && (!replaced || (!isFutile && (replaced.get(key) ?? 0) < limits.replacements)),
  });
}

/** What a run knows stays known when it rolls back: what it made a moment ago, and what may still be on its way. */
type Run = { readonly environment: Environment; readonly progress: Progress; readonly world: World };

async function reach(
  { desired, isFresh = false }: Pick<Wish, 'desired' | 'isFresh'>,
  { environment, progress, world }: Run,
): Promise<Resource[]> {
  const { kinds, log, scope } = environment;
  const replaced = new Map<Key, number>();
  const patience = createPatience(environment);
  const wished = KINDS.filter((kind) => desired.some((one) => kindOf(one) === kind));
  const isEmpty = isFresh && (await world.seemsEmpty(wished).catch(() => false));
  for (let looks = 0; ; looks += 1) {
    const found = isEmpty && looks === 0 ? [] : await world.lookAtAll();
    const next = planNext({ desired, found, environment, replaced: looks > 0 ? replaced : undefined });
    if (isDone(next, kinds)) {
      progress.finish();
      return asObserved(found, kinds);
    }
    for (const broken of next.broken) {
      if (!broken.replaced) throw brokenFailure(broken.found, broken.failure);
      const key = keyOf(broken.found.resource);
      replaced.set(key, (replaced.get(key) ?? 0) + 1);
    }
    await patience.check(next);
    const summary = summarize(next);
    log.info({ slice_id: scope.sliceId, summary }, 'plan');
    progress.say(summary || 'waiting for what is under way');
    patience.note(await execute({ plan: next, world, environment, progress, replaced }));
  }
}

/**
 * Each further plan within a run means that the cloud was not as the last one thought. The same plan again is tried
 * later and later, and not for ever.
 */
function createPatience(environment: Environment): {
  check(next: Plan): Promise<void>;
  note(problem: Failure | undefined): void;
} {
  const { clock, limits, signal } = environment;
  let same = '';
  let sinceMs = 0;
  let times = 0;
  let last: Failure | undefined;
  return {
    async check(next) {
      const work = next.steps.map(({ id, action }) => (action === 'keep' ? '' : id)).join('\n');
      if (work !== same) {
        same = work;
        sinceMs = clock.now();
        times = 0;
        return;
      }
      if (clock.now() - sinceMs > limits.stepMs) throw last ?? notConverging();
      await clock.wait(retryDelayMs(times++, undefined, environment), signal);
    },
    note(problem) {
      last = problem;
    },
  };
}

function notConverging(): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'NOT_CONVERGING',
    message:
      'The cloud does not come to equal the wish; something else may be changing the resources of the slice',
    retryable: false,
  });
}

async function rollBack(told: Told, run: Run): Promise<Converged> {
  const { environment, progress, world } = run;
  progress.say(`rolling back: ${told.errorMessage}`);
  try {
    const observed = await reach({ desired: [] }, run);
    return { ...told, observed, outcome: Outcome.ROLLED_BACK };
  } catch (error) {
    const second = await tell(terminalFailure(error, environment), environment);
    const errorMessage = `${told.errorMessage} Rolling back failed too: ${second.errorMessage}`;
    return { ...told, errorMessage, observed: await observe(environment, world) };
  }
}

/** A failure to be told as a result. Being called off and a cloud that cannot be reached are none: they are thrown on. */
function terminalFailure(error: unknown, { log, scope, signal }: Environment): Failure {
  if (!(error instanceof Failure) || error.retryable || signal.aborted) throw error;
  log.warn({ slice_id: scope.sliceId, reason: error.reason, cause: error }, 'convergence failed');
  return error;
}

type Told = Omit<Converged, 'observed'>;

async function tell(failure: Failure, { kinds, log, scope, signal }: Environment): Promise<Told> {
  const { broken } = failure instanceof TerminalFailure ? failure : {};
  const asking = broken && kinds[kindOf(broken.resource)].requestIdOf?.(broken, { scope, signal });
  const requestId = await asking?.catch((cause: unknown) => {
    log.warn({ slice_id: scope.sliceId, cause }, 'the request that failed is not known');
    return undefined;
  });
  return {
    outcome: Outcome.FAILED,
    errorMessage: explain(failure, failure.metadata.request_id ?? requestId),
    reason: failure.reason,
    failed: failedResources(failure),
  };
}

function asObserved(found: readonly Found[], kinds: Kinds): Resource[] {
  return found.map(({ resource }) => {
    const readiness = kinds[kindOf(resource)].readiness(resource);
    const message =
      readiness.state === 'broken'
        ? readiness.failure.message
        : readiness.state === 'waiting'
          ? readiness.reason
          : '';
    const state = {
      ready: ResourceState.READY,
      waiting: ResourceState.CREATING,
      broken: ResourceState.BROKEN,
    }[readiness.state];
    return Resource.fromPartial({ ...resource, state, message });
  });
}
