// What administrators did that cannot be undone: written once, never removed.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '002-audit-log',
  async up(knex) {
    await knex.schema.createTable('audit_log', (table) => {
      // Grows with each entry: the order of lists and the token of their pages.
      table.specificType('id', 'bigint generated always as identity').primary();
      table.timestamp('time').notNullable();
      table.text('actor_id').notNullable();
      table.text('actor').notNullable();
      table.text('action').notNullable();
      // No reference: entries outlive what they are about.
      table.uuid('slice_id').notNullable();
      table.text('slice_name').notNullable();
      table.text('owner_id').notNullable();
      table.text('owner').notNullable();
      table.text('reason').notNullable();
      table.text('project_id').notNullable();
      // pucp.slice.v1.LeftResource as JSON, in an array.
      table.jsonb('left').notNullable();
      table.boolean('listed_by_cloud').notNullable();
      table.text('request_id').notNullable();
    });
  },
};
