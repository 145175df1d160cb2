// What the last look at the clouds found, and when the next one is due.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '007-drift',
  async up(knex) {
    await knex.schema.alterTable('slices', (table) => {
      // pucp.slice.v1.SliceDrift as JSON, and the generation that it was found in: it says nothing of another one.
      table.jsonb('drift');
      table.integer('drift_generation').notNullable().defaultTo(0);
      table.timestamp('check_at');
    });
    await knex.raw('create index slices_to_check on slices (check_at) where deleted_at is null');
  },
};
