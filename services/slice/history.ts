// The past of a slice in pages: its events, and the steps in its driver's journal.

import { invalid } from '#common/errors.ts';
import { pageOf } from '#common/page.ts';
import type { Context } from '#common/rpc-server.ts';
import type {
  ListSliceEventsRequest,
  ListSliceEventsResponse,
  ListSliceStepsRequest,
  ListSliceStepsResponse,
} from '#proto/pucp/slice/v1/slice_service.ts';
import type { Drivers } from './drivers.ts';
import type { HistoryStore } from './history-store.ts';
import { type SliceRow, scopeOf } from './rows.ts';

const MAX_SEQUENCE = 2_147_483_647;

/** Events that are over. */
export async function listSliceEvents(
  row: SliceRow,
  request: ListSliceEventsRequest,
  store: Pick<HistoryStore, 'events'>,
): Promise<ListSliceEventsResponse> {
  const { from, limit } = pageOf(request);
  if (Number(from ?? 0) > MAX_SEQUENCE) {
    throw invalid([{ field: 'page_token', message: 'is not one that a previous answer gave' }]);
  }
  const events = await store.events(row.id, { ...request, from, limit: limit + 1 });
  const page = events.slice(0, limit);
  return {
    events: page,
    nextPageToken: events.length > limit ? String(page.at(-1)?.sequence ?? '') : '',
  };
}

/** The journal is the driver's; it knows nothing of a slice that was never deployed. */
export async function listSliceSteps(
  row: SliceRow,
  request: ListSliceStepsRequest,
  { drivers, context }: { drivers: Drivers; context: Context },
): Promise<ListSliceStepsResponse> {
  const { from: pageToken = '', limit: pageSize } = pageOf(request);
  const { caller, requestId, signal } = context;
  const { newestFirst } = request;
  return drivers
    .of(row.spec.infrastructure)
    .listJournal(
      { scope: scopeOf(row), pageSize, pageToken, newestFirst },
      { token: await drivers.token(caller), requestId, signal },
    );
}
