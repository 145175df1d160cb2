// The schema's history, oldest first. Only ever appended to.

import type { Migration } from '#common/database.ts';
import { migration as accounts } from './001-accounts.ts';

export const migrations: readonly Migration[] = [accounts];
