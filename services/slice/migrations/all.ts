// The history of the schema `slice`, in order.

import type { Migration } from '#common/database.ts';
import { migration as slices } from './001-slices.ts';
import { migration as auditLog } from './002-audit-log.ts';

export const migrations: readonly Migration[] = [slices, auditLog];
