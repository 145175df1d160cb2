// The history of the schema `slice`, in order.

import type { Migration } from '#common/database.ts';
import { migration as slices } from './001-slices.ts';
import { migration as auditLog } from './002-audit-log.ts';
import { migration as specChanges } from './003-spec-changes.ts';
import { migration as timeAndPower } from './004-time-and-power.ts';
import { migration as history } from './005-history.ts';
import { migration as reservations } from './006-reservations.ts';
import { migration as drift } from './007-drift.ts';

export const migrations: readonly Migration[] = [
  slices,
  auditLog,
  specChanges,
  timeAndPower,
  history,
  reservations,
  drift,
];
