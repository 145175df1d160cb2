// Bringing a slice back: a look first, since a slice that is as it should be needs no work, and then room for what is missing.

import { Failure, notFound } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { SliceChange } from '#proto/pucp/slice/v1/slice_service.ts';
import { planStored } from './admission.ts';
import { refuseOther } from './conditions.ts';
import type { DeploymentDeps } from './deployment.ts';
import { repair } from './drift.ts';
import type { DriftChecker } from './drift-checker.ts';
import type { SliceRow } from './rows.ts';
import type { Intent } from './store.ts';
import { changeView } from './view.ts';

export type RepairDeps = DeploymentDeps & { readonly checker: Pick<DriftChecker, 'check'> };

/** Throws QUOTA_EXCEEDED with the numbers if what is missing has no room any more. */
export async function repairSlice(
  row: SliceRow,
  { caller, requestId, signal, log }: Pick<Context, 'caller' | 'requestId' | 'signal' | 'log'>,
  { store, checker, reservations, drivers }: RepairDeps,
): Promise<SliceChange> {
  const intent = repair(row);
  if (!intent) return changeView(row, 'Nothing to do: work on the slice is under way already');
  if (row.status !== SliceState.ERROR && (await checker.check(row.id, signal)).inSync) {
    return changeView(row, 'Nothing to do: the cloud holds what the slice says');
  }
  const outlook = await reservations.look();
  const asker = { caller, requestId, signal };
  // A cloud that is away for a moment is waited for by the work itself.
  const plan = await planStored({ ...row, goal: intent.goal }, asker, drivers).catch(unlessPassing);
  // What the cloud does not offer any more is told by the work, too: something else may be all that is to be repaired.
  const reserve = plan?.violations.length === 0 ? reservations.hold(plan, outlook) : undefined;
  const decide = (current: SliceRow): Intent | undefined => {
    const now = repair(current);
    if (now) refuseOther(current, row.generation);
    return now;
  };
  const done = await store.intendMore(row, requestId, decide, reserve);
  if (!done) throw notFound('slice', row.id);
  if (done.intent) log.info({ slice_id: row.id, goal: done.intent.goal }, 'repair begins');
  return changeView(
    done.row,
    done.intent?.message ?? 'Nothing to do: work on the slice is under way already',
  );
}

function unlessPassing(error: unknown): undefined {
  if (!(error instanceof Failure) || !error.retryable) throw error;
}
