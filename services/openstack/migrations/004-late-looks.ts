// What a worker that lost its slice did too late is found by one more look, for which the last wish is kept.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '004-late-looks',
  async up(knex) {
    // `wish` is what the cloud was last made equal to, null if that failed or is under way. `look_at` is when to look once
    // more whether it still is.
    await knex.raw(`
      alter table fences
        add column is_working boolean not null default false,
        add column wish       jsonb,
        add column look_at    timestamptz;
      create index fences_look on fences (look_at) where look_at is not null;
    `);
  },
};
