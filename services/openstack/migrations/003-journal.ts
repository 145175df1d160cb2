// The record of what was begun in the cloud and what came of it.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '003-journal',
  async up(knex) {
    // Written and shown, never read to decide what exists: that is the cloud's to say. `number` counts within a run, so
    // that lines whose writing is tried again are not there twice. `gone_at` is when the cloud was last seen to hold nothing
    // of the slice; lines written after that are those of a new life and have none.
    await knex.raw(`
      create table journal (
        position   bigint generated always as identity primary key,
        user_id    text not null,
        slice_id   text not null,
        run_id     uuid not null,
        number     integer not null,
        fence      integer not null,
        time       timestamptz not null default clock_timestamp(),
        step       text not null,
        phase      text not null check (phase in ('begin', 'done', 'failed')),
        cloud_id   text not null,
        detail     text not null,
        request_id text not null,
        gone_at    timestamptz,
        unique (run_id, number)
      );
      create index journal_slice on journal (slice_id, user_id, position);
      create index journal_gone on journal (gone_at) where gone_at is not null;
    `);
  },
};
