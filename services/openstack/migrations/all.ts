// The schema's history, oldest first. Only ever appended to.

import type { Migration } from '#common/database.ts';
import { migration as projects } from './001-projects.ts';
import { migration as fences } from './002-fences.ts';
import { migration as journal } from './003-journal.ts';
import { migration as lateLooks } from './004-late-looks.ts';
import { migration as places } from './005-places.ts';

export const migrations: readonly Migration[] = [projects, fences, journal, lateLooks, places];
