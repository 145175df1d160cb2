// The history of the schema `slice`, in order.

import type { Migration } from '#common/database.ts';
import { migration as slices } from './001-slices.ts';

export const migrations: readonly Migration[] = [slices];
