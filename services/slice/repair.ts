// Bringing a slice back: a look first, since a slice that is as it should be needs no work.

import { notFound } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { SliceChange } from '#proto/pucp/slice/v1/slice_service.ts';
import { repair } from './drift.ts';
import type { DriftChecker } from './drift-checker.ts';
import type { SliceRow } from './rows.ts';
import type { Store } from './store.ts';
import { changeView } from './view.ts';

export async function repairSlice(
  row: SliceRow,
  { requestId, signal, log }: Pick<Context, 'requestId' | 'signal' | 'log'>,
  { store, checker }: { store: Pick<Store, 'intend'>; checker: Pick<DriftChecker, 'check'> },
): Promise<SliceChange> {
  if (!repair(row)) return changeView(row, 'Nothing to do: work on the slice is under way already');
  if (row.status !== SliceState.ERROR && (await checker.check(row.id, signal)).inSync) {
    return changeView(row, 'Nothing to do: the cloud holds what the slice says');
  }
  const done = await store.intend(row.id, requestId, repair);
  if (!done) throw notFound('slice', row.id);
  if (done.intent) log.info({ slice_id: row.id, goal: done.intent.goal }, 'repair begins');
  return changeView(
    done.row,
    done.intent?.message ?? 'Nothing to do: work on the slice is under way already',
  );
}
