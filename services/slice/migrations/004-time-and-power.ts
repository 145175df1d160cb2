// From when to when slices live, and which of their nodes are off.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '004-time-and-power',
  async up(knex) {
    await knex.schema.alterTable('slices', (table) => {
      table.timestamp('start_at');
      table.timestamp('expires_at');
      table.timestamp('remind_at');
      table.integer('renewals').notNullable().defaultTo(0);
      // By the node's name, off or restart.
      table.jsonb('node_power').notNullable().defaultTo('{}');
    });
    await knex.raw('create index slices_start on slices (start_at) where deleted_at is null');
    await knex.raw('create index slices_end on slices (expires_at) where deleted_at is null');
    await knex.raw('create index slices_reminder on slices (remind_at) where deleted_at is null');
    // Until now a restart was always one of all nodes.
    await knex.raw(`
      update slices set node_power = (
        select coalesce(jsonb_object_agg(node ->> 'name', 'restart'), '{}')
        from jsonb_array_elements(spec -> 'nodes') node
      ) where status = 'SLICE_STATE_RESTARTING'`);
  },
};
