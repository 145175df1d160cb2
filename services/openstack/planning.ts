// The plan of a wish, as it is shown: the engine's steps with what each takes, the quotas that the whole takes of, and a
// digest by which the same plan is known again. Nothing is made, not even a project.

import { createHash } from 'node:crypto';
import type { Plan, Step } from '#engine/plan.ts';
import { type PlanRequest, PlanResponse, type Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { type PlannedStep, StepAction } from '#proto/pucp/slice/v1/plan.ts';
import type { CallContext } from './api/settings.ts';
import { asAmounts, type Flavors, needsOf, sumOf } from './needs.ts';
import { createOffers, type OfferDeps } from './offers.ts';
import { type QuotaRoomDeps, quotasFor } from './quota-room.ts';
import type { SliceWorker } from './slice-work.ts';
import type { Tenancy } from './tenancy.ts';
import { validate } from './validation.ts';

export type PlanningDeps = OfferDeps &
  QuotaRoomDeps & {
    readonly tenancy: Pick<Tenancy, 'findPlace' | 'clientsFor' | 'ownerFilter'>;
    readonly worker: Pick<SliceWorker, 'plan'>;
  };

export type PlanWish = Pick<PlanRequest, 'desired' | 'isNew' | 'stepsOnly'> & { readonly scope: Scope };

/** Mistakes are no error: then there are no steps. Throws only if the cloud cannot be asked. */
export async function planWish(
  deps: PlanningDeps,
  { scope, desired, isNew, stepsOnly }: PlanWish,
  context: CallContext,
): Promise<PlanResponse> {
  const projectId = (await deps.tenancy.findPlace(scope, context))?.projectId;
  const { violations, totals } = stepsOnly
    ? { violations: [], totals: undefined }
    : await validate(deps, { scope, projectId, desired }, context);
  if (violations.length > 0) {
    return { violations, totals, steps: [], quotas: [], digest: '', projectId: projectId ?? '' };
  }
  // What has no project has nothing in it.
  const place =
    isNew || projectId === undefined
      ? { isNew: true as const, projectId }
      : { isNew: false as const, projectId };
  const plan = await deps.worker.plan({ scope, desired, ...place }, context);
  if (stepsOnly) {
    const steps = plan.steps.map((step) => stepView(step, []));
    return PlanResponse.fromPartial({
      steps,
      digest: digestOf(plan.steps, desired),
      projectId: projectId ?? '',
    });
  }
  const flavors = await flavorsOf(deps, { plan, scope, projectId }, context);
  const needs = needsOf(plan.steps, flavors);
  const needed = sumOf(plan.steps, needs);
  return {
    violations,
    totals,
    steps: plan.steps.map((step) => stepView(step, asAmounts(needs.get(step.id) ?? {}))),
    quotas: await quotasFor(deps, { projectId, needed }, context),
    digest: digestOf(plan.steps, desired),
    projectId: projectId ?? '',
  };
}

/** Each flavor that a step names, looked up once. */
async function flavorsOf(
  deps: PlanningDeps,
  { plan, scope, projectId }: { plan: Plan; scope: Scope; projectId: string | undefined },
  context: CallContext,
): Promise<Flavors> {
  const offers = createOffers(deps, { projectId, scope });
  const names = new Set(
    plan.steps.flatMap(({ desired, found }) => [flavorOf(desired), flavorOf(found?.resource)]),
  );
  const sizes = await Promise.all(
    [...names].map(async (name) => [name, await offers.flavor(name, context)] as const),
  );
  const known = new Map(sizes.flatMap(([name, size]) => (typeof size === 'string' ? [] : [[name, size]])));
  return (name) => known.get(name);
}

function flavorOf(resource: Resource | undefined): string {
  return resource?.kind?.$case === 'server' ? (resource.kind.value.spec?.flavor ?? '') : '';
}

const ACTIONS = {
  create: StepAction.CREATE,
  update: StepAction.UPDATE,
  replace: StepAction.REPLACE,
  delete: StepAction.DELETE,
  keep: StepAction.KEEP,
} as const satisfies Record<Step['action'], StepAction>;

function stepView({ action, key, reason, found }: Step, needs: PlannedStep['needs']): PlannedStep {
  const { kind, name } = partsOf(key);
  return {
    action: ACTIONS[action],
    resourceKind: kind.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    resourceName: name,
    cloudId: found?.resource.cloudId ?? '',
    reason,
    needs,
  };
}

function partsOf(key: string): { kind: string; name: string } {
  const at = key.indexOf('/');
  return { kind: key.slice(0, at), name: key.slice(at + 1) };
}

/** Of what is to be done and of what is wished, in whatever order they come. */
function digestOf(steps: readonly Step[], desired: readonly Resource[]): string {
  const work = steps.filter(({ action }) => action !== 'keep').map(({ id }) => id);
  const wishes = desired.map((resource) => JSON.stringify(Resource.toJSON(resource)));
  return createHash('sha256')
    .update(JSON.stringify([work.sort(), wishes.sort()]))
    .digest('hex');
}
