// Which entries of a server's metadata are the orchestrator's own.

import type { Server } from './api/nova-servers.ts';
import { isAskedKey } from './kinds/server-metadata.ts';
import { deployedSliceOf } from './marks.ts';

/** What is asked for in a slice is kept with its servers alone. */
export function isKeptKey(server: Pick<Server, 'metadata' | 'tags'>, key: string): boolean {
  if (key === 'created_by' || key === 'slice_id') return true;
  return deployedSliceOf(server) !== undefined && isAskedKey(key);
}
