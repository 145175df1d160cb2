// What slices were promised of their projects' quotas before any of it was made.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '006-reservations',
  async up(knex) {
    await knex.schema.createTable('slice_reservations', (table) => {
      table.specificType('id', 'bigint generated always as identity').primary();
      table.uuid('slice_id').notNullable().references('slices.id');
      // It ends with the work for this goal of the slice, or for a later one.
      table.integer('generation').notNullable();
      table.text('user_id').notNullable();
      // The cloud's project; empty for the one that is made for the user.
      table.text('project_id').notNullable();
      table.text('kind').notNullable();
      table.text('name').notNullable();
      // By the names of pucp.slice.v1.Amount.
      table.jsonb('amounts').notNullable();
      // The cloud's id that the resource had, empty for none: once it has another one, the cloud counts it itself.
      table.text('known_id').notNullable();
      table.timestamp('made_at').notNullable();
      // Tells whether whoever looked at another moment can have seen it.
      table.specificType('made_by', 'xid8').notNullable().defaultTo(knex.raw('pg_current_xact_id()'));
    });
    await knex.raw('create index slice_reservations_by_slice on slice_reservations (slice_id)');
    await knex.raw('create index slice_reservations_by_user on slice_reservations (user_id)');
    await knex.raw('create index slice_reservations_by_maker on slice_reservations (made_by)');
  },
};
