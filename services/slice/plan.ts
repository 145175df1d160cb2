// A plan as a slice's users see it, from what the driver answered.

import type { PlanResponse } from '#proto/pucp/driver/v1/driver_service.ts';
import { type SlicePlan, StepAction } from '#proto/pucp/slice/v1/plan.ts';
import { Infrastructure, type SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { SliceChange } from '#proto/pucp/slice/v1/slice_service.ts';

const ACTIONS = [
  StepAction.CREATE,
  StepAction.UPDATE,
  StepAction.REPLACE,
  StepAction.DELETE,
  StepAction.KEEP,
] as const;

export function planView({ steps, quotas, digest }: PlanResponse): SlicePlan {
  const counts = ACTIONS.map((action) => ({
    word: action.replace('STEP_ACTION_', '').toLowerCase(),
    count: steps.filter((step) => step.action === action).length,
  })).filter(({ count }) => count > 0);
  const words = counts.filter(({ word }) => word !== 'keep').map(({ word, count }) => `${count} to ${word}`);
  return {
    steps,
    quotas,
    counts: Object.fromEntries(counts.map(({ word, count }) => [word, count])),
    summary: words.join(', ') || 'nothing to do',
    digest,
  };
}

/** The answer to a request that was only to be checked: a change without a slice's id or state. */
export function checkedView(spec: SliceSpec, answer: PlanResponse): SliceChange {
  const plan = planView(answer);
  return SliceChange.fromPartial({
    name: spec.name,
    message: `The request is good and nothing was stored: ${plan.summary}`,
    infrastructure: spec.infrastructure,
    resources: answer.totals,
    openstackProjectId: spec.infrastructure === Infrastructure.LINUX ? '' : answer.projectId,
    plan,
  });
}
