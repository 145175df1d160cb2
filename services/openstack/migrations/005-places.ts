// In which project a slice lies, so that it is still known when somebody has removed the project.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '005-places',
  async up(knex) {
    // Empty for slices that were deployed before this was written down, until they are worked on again.
    await knex.raw(`alter table fences add column project_id text not null default ''`);
  },
};
