// Slices with what their users want of them and how they are, what the clouds hold of them, and their history.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '001-slices',
  async up(knex) {
    await knex.schema.createTable('slices', (table) => {
      table.uuid('id').primary();
      // Grows with each slice: the order of lists and the token of their pages.
      table.specificType('position', 'bigint generated always as identity').notNullable();
      table.text('user_id').notNullable();
      table.text('username').notNullable();
      // The owner's role when it was stored, for the tokens that the work on it carries.
      table.text('role').notNullable();
      table.text('name').notNullable();
      // pucp.slice.v1.SliceSpec as JSON.
      table.jsonb('spec').notNullable();
      table.text('status').notNullable();
      // What the clouds are to be made equal to.
      table.text('goal').notNullable();
      table.check("goal in ('none', 'running', 'stopped', 'restarting', 'deleted')", [], 'slices_goal');
      // Counts the goals that were set; work is due while it is greater than the one that work last ended for.
      table.integer('generation').notNullable().defaultTo(0);
      table.integer('settled_generation').notNullable().defaultTo(0);
      // Counts the workers that took the slice; only the last one may write.
      table.integer('fence').notNullable().defaultTo(0);
      // Failures since the goal was set, and when to try again.
      table.integer('attempts').notNullable().defaultTo(0);
      table.timestamp('retry_at');
      table.integer('percent').notNullable().defaultTo(0);
      table.text('message').notNullable().defaultTo('');
      table.text('error_message').notNullable().defaultTo('');
      table.integer('total_vcpus').notNullable();
      table.integer('total_ram').notNullable();
      table.integer('total_disk').notNullable();
      table.text('project_id').notNullable().defaultTo('');
      // The request that set the goal.
      table.text('request_id').notNullable();
      table.integer('last_sequence').notNullable().defaultTo(0);
      table.timestamp('created_at').notNullable();
      table.timestamp('updated_at').notNullable();
      table.timestamp('deployed_at');
      table.timestamp('deleted_at');
    });
    await knex.raw('create unique index slices_by_position on slices (position)');
    await knex.raw('create index slices_by_user on slices (user_id, position) where deleted_at is null');
    await knex.raw('create index slices_due on slices (retry_at) where generation > settled_generation');

    await knex.schema.createTable('slice_resources', (table) => {
      table.uuid('slice_id').notNullable().references('slices.id');
      table.text('kind').notNullable();
      table.text('name').notNullable();
      // pucp.driver.v1.Resource as JSON.
      table.jsonb('resource').notNullable();
      table.primary(['slice_id', 'kind', 'name']);
    });

    await knex.schema.createTable('slice_events', (table) => {
      table.uuid('slice_id').notNullable().references('slices.id');
      table.integer('sequence').notNullable();
      table.timestamp('time').notNullable();
      table.text('type').notNullable();
      table.text('status').notNullable();
      table.text('resource_kind').notNullable();
      table.text('resource_name').notNullable();
      table.text('resource_state').notNullable();
      table.text('message').notNullable();
      table.integer('percent').notNullable();
      table.text('request_id').notNullable();
      table.primary(['slice_id', 'sequence']);
    });
  },
};
