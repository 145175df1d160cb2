// Bringing a slice back: a look first, since a slice that is as it should be needs no work, and then room for what is missing.

import { notFound } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { SliceChange } from '#proto/pucp/slice/v1/slice_service.ts';
import { planStored } from './admission.ts';
import { repair } from './drift.ts';
import type { DriftChecker } from './drift-checker.ts';
import type { Drivers } from './drivers.ts';
import type { Reservations } from './reservations.ts';
import type { SliceRow } from './rows.ts';
import type { Store } from './store.ts';
import { changeView } from './view.ts';

export type RepairDeps = {
  readonly store: Pick<Store, 'intendMore'>;
  readonly checker: Pick<DriftChecker, 'check'>;
  readonly reservations: Reservations;
  readonly drivers: Drivers;
};

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
  const plan = await planStored({ ...row, goal: intent.goal }, { caller, requestId, signal }, drivers);
  // What the cloud does not offer any more is told by the work itself: something else may be all that is to be repaired.
  const reserve = plan.violations.length === 0 ? reservations.hold(plan, outlook) : undefined;
  const done = await store.intendMore(row, requestId, repair, reserve);
  if (!done) throw notFound('slice', row.id);
  if (done.intent) log.info({ slice_id: row.id, goal: done.intent.goal }, 'repair begins');
  return changeView(
    done.row,
    done.intent?.message ?? 'Nothing to do: work on the slice is under way already',
  );
}
