// The audit log as administrators read it.

import { pageOf } from '#common/page.ts';
import type { AuditEntry } from '#proto/pucp/slice/v1/audit.ts';
import type {
  ListAuditEntriesRequest,
  ListAuditEntriesResponse,
} from '#proto/pucp/slice/v1/slice_service.ts';
import type { AuditRow, AuditStore } from './audit-store.ts';

export async function listAuditEntries(
  request: ListAuditEntriesRequest,
  store: Pick<AuditStore, 'list'>,
): Promise<ListAuditEntriesResponse> {
  const { from: before, limit } = pageOf(request);
  const rows = await store.list({ before, limit: limit + 1 });
  const page = rows.slice(0, limit);
  return {
    entries: page.map(auditView),
    nextPageToken: rows.length > limit ? (page.at(-1)?.id ?? '') : '',
  };
}

export function auditView(row: AuditRow): AuditEntry {
  return {
    id: row.id,
    time: row.time.toISOString(),
    actorId: row.actor_id,
    actor: row.actor,
    action: row.action,
    sliceId: row.slice_id,
    sliceName: row.slice_name,
    ownerId: row.owner_id,
    owner: row.owner,
    reason: row.reason,
    openstackProjectId: row.project_id,
    left: [...row.left],
    listedByCloud: row.listed_by_cloud,
    requestId: row.request_id,
  };
}
