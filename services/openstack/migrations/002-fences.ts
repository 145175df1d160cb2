// Who works on which slice of the slice service.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '002-fences',
  async up(knex) {
    // A row stays when its slice is gone: a worker that slept through the removal must not bring the slice back.
    await knex.raw(`
      create table fences (
        slice_id text primary key,
        fence    integer not null,
        holder   uuid not null
      )
    `);
  },
};
