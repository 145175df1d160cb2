// What a request may be conditional on: that the slice and the plan are still those that its sender saw.

import { Failure } from '#common/errors.ts';
import type { PlanResponse } from '#proto/pucp/driver/v1/driver_service.ts';
import type { SliceRow } from './rows.ts';

/** Throws ABORTED unless the slice is of this generation. */
export function refuseOther({ id, name, generation: actual }: SliceRow, generation: number): void {
  if (actual === generation) return;
  throw new Failure({
    code: 'ABORTED',
    reason: 'SLICE_CHANGED',
    message: `The slice "${name}" was changed since it was read (generation ${actual}, not ${generation}): read it again, and change that`,
    metadata: { slice_id: id, generation: String(actual) },
    retryable: false,
  });
}

/** Throws ABORTED if a digest is given and is not the plan's. */
export function refuseOtherPlan(
  { id, name }: SliceRow,
  { digest: actual }: PlanResponse,
  digest: string | undefined,
): void {
  if (digest === undefined || digest === actual) return;
  throw new Failure({
    code: 'ABORTED',
    reason: 'PLAN_OUTDATED',
    message: `What is to be done for the slice "${name}" has changed since it was planned: plan it again, and ask for that`,
    metadata: { slice_id: id },
    retryable: false,
  });
}
