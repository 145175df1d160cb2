// Who sees an image, and who it is shared with.

import type { Call } from '../http.ts';
import type { ImageRow, MemberRow } from './rows.ts';

export function isImageVisible(row: ImageRow, { caller }: Call): boolean {
  return (
    caller.isAdmin ||
    row.owner === caller.projectId ||
    row.visibility === 'public' ||
    row.visibility === 'community' ||
    isMember(row, caller.projectId)
  );
}

/** Whether an image is shared with a project; with a status, whether it has that one there. */
export function isMember(row: ImageRow, projectId: string, status = 'all'): boolean {
  if (row.visibility !== 'shared') return false;
  return membersOf(row).some(
    (one) => one.member_id === projectId && (status === 'all' || one.status === status),
  );
}

export function membersOf({ members = [] }: ImageRow): readonly MemberRow[] {
  return members;
}
