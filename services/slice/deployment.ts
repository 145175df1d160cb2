// Setting a stored slice off towards running: what that takes is asked for first and promised with the goal.

import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { type Asker, examineStored } from './admission.ts';
import { refuseOther, refuseOtherPlan } from './conditions.ts';
import type { Drivers } from './drivers.ts';
import type { Reservations } from './reservations.ts';
import type { SliceRow } from './rows.ts';
import type { Intended, Intent, Store } from './store.ts';

export type DeploymentDeps = {
  readonly store: Pick<Store, 'intend' | 'intendMore'>;
  readonly reservations: Reservations;
  readonly drivers: Drivers;
};

/** Whether a slice is one that no cloud was asked for yet. */
export function isUnmade({ status }: SliceRow): boolean {
  return status === SliceState.DRAFT || status === SliceState.SCHEDULED;
}

/**
 * Gives a slice the goal that `decide` finds. Throws QUOTA_EXCEEDED with the numbers if it does not fit, PLAN_OUTDATED if
 * the digest is not that of what would be done now, and ABORTED if the slice has been changed since it was read.
 */
export async function intendRunning(
  row: SliceRow,
  { decide, planDigest }: { decide: (row: SliceRow) => Intent | undefined; planDigest?: string | undefined },
  asker: Asker,
  { store, reservations, drivers }: DeploymentDeps,
): Promise<Intended | undefined> {
  const { requestId } = asker;
  // All of a slice in another state was made; what is missing all the same is drift.
  const mayMake = isUnmade(row) || row.status === SliceState.ERROR;
  if ((!mayMake && planDigest === undefined) || !decide(row))
    return await store.intend(row.id, requestId, decide);
  const outlook = await reservations.look();
  const plan = await examineStored(row, asker, drivers);
  refuseOtherPlan(row, plan, planDigest);
  const decideNow = (current: SliceRow): Intent | undefined => {
    const intent = decide(current);
    if (intent) refuseOther(current, row.generation);
    return intent;
  };
  return await store.intendMore(row, requestId, decideNow, reservations.hold(plan, outlook));
}
