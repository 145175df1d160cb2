// Since when a resource has been in its state.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '005-history',
  async up(knex) {
    await knex.schema.alterTable('slice_resources', (table) => {
      // Null for what was written before this was noted.
      table.timestamp('changed_at');
    });
  },
};
