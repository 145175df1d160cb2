// The journal of a slice in pages, as the slice service asks for it.

import { pageOf } from '#common/page.ts';
import type { ListJournalRequest, ListJournalResponse, Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import type { JournalStore } from './journal-store.ts';

/** Throws INVALID_ARGUMENT for a page that there cannot be. */
export async function listJournal(
  scope: Scope,
  request: ListJournalRequest,
  store: Pick<JournalStore, 'list'>,
): Promise<ListJournalResponse> {
  const { from, limit } = pageOf(request);
  const { newestFirst } = request;
  const lines = await store.list(scope, { limit: limit + 1, from, newestFirst });
  const steps = lines.slice(0, limit);
  return { steps, nextPageToken: lines.length > limit ? (steps.at(-1)?.id ?? '') : '' };
}
