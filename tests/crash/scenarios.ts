// All laws under their names.

import type { Law } from './law.ts';
import { laws as ofFailure } from './laws-of-failure.ts';
import { laws as ofWorkers } from './laws-of-workers.ts';

export const scenarios: Readonly<Record<string, Law>> = { ...ofFailure, ...ofWorkers };
