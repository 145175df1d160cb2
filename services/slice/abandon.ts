// Forgetting a slice without deleting it, an admin's last resort. The database is first, so that no work can begin any
// more; then the driver is told, and asked what stays behind, as far as it answers.

import { invalid, notFound } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import type { AuditEntry } from '#proto/pucp/slice/v1/audit.ts';
import type { AbandonSliceRequest } from '#proto/pucp/slice/v1/slice_service.ts';
import { auditView } from './audit.ts';
import type { AuditStore } from './audit-store.ts';
import type { Drivers } from './drivers.ts';
import type { SliceRow } from './rows.ts';

const MOST_CHARACTERS = 1_000;
/** Shorter than the gateway's patience, and not the caller's: the driver is told also if nobody waits for it. */
const PATIENCE_MS = 20_000;

export async function abandonSlice(
  { id, reason }: AbandonSliceRequest,
  { caller, requestId, log }: Pick<Context, 'caller' | 'requestId' | 'log'>,
  { audit, drivers }: { audit: AuditStore; drivers: Drivers },
): Promise<AuditEntry> {
  const why = reason.trim();
  if (why === '') throw invalid([{ field: 'reason', message: 'is missing; it is kept in the audit log' }]);
  if (why.length > MOST_CHARACTERS) {
    throw invalid([{ field: 'reason', message: `has more than ${MOST_CHARACTERS} characters` }]);
  }
  const done = await audit.abandon(id, { caller, reason: why, requestId });
  if (!done) throw notFound('slice', id);
  const { row } = done;
  let { entry } = done;
  if (!entry.listed_by_cloud) {
    try {
      entry = await audit.complete(entry.id, await fenceOff(row, drivers));
    } catch (cause) {
      log.warn({ slice_id: id, cause }, 'the driver did not tell what an abandoned slice leaves');
    }
  }
  const { left, listed_by_cloud } = entry;
  const fields = { actor_id: caller.userId, owner_id: row.user_id, reason: why, left, listed_by_cloud };
  log.warn({ slice_id: id, ...fields }, 'slice abandoned');
  return auditView(entry);
}

/** Ends what a driver does for the slice, and lists what it leaves. */
async function fenceOff(row: SliceRow, drivers: Drivers) {
  const scope = { sliceId: row.id, sliceName: row.name, userId: row.user_id, username: row.username };
  const token = await drivers.token({ userId: row.user_id, username: row.username, role: row.role });
  const options = { token, requestId: row.request_id, timeoutMs: PATIENCE_MS };
  return drivers.of(row.spec.infrastructure).observe({ scope, fence: row.fence }, options);
}
