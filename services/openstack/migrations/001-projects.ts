// The Keystone projects that the orchestrator made, and the slices that DeploySlice deploys.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '001-projects',
  async up(knex) {
    // One row: tells our projects in a cloud from those of another installation, whose users have the same ids.
    // A project's row is written before Keystone is asked (`project_id` null) and completed when roles and quotas stand:
    // so whatever a crash leaves behind is known. `is_default`: the one that is meant where a request names none.
    await knex.raw(`
      create table installation (
        only_row boolean primary key default true check (only_row),
        id       uuid not null
      );
      insert into installation (id) values (gen_random_uuid());

      create table projects (
        id         uuid primary key,
        project_id text unique,
        name       text not null,
        user_id    text not null,
        is_default boolean not null,
        is_ready   boolean not null default false,
        created_at timestamptz not null default now(),
        check (project_id is not null or not is_ready)
      );
      create unique index projects_default on projects (user_id) where is_default;
      create index projects_user on projects (user_id);

      -- Written before the cloud is asked; goes when nothing of the slice remains. \`deployed\` is what was last deployed
      -- in full, null if that was nothing. A row that is not settled although its lease is over is what a crash left:
      -- the cloud is brought back to \`deployed\`.
      create table slices (
        user_id     text not null,
        slice_id    text not null,
        username    text not null,
        name        text not null,
        project_id  text not null,
        deployed    jsonb,
        is_settled  boolean not null default false,
        holder      uuid,
        lease_until timestamptz not null,
        primary key (user_id, slice_id),
        -- What is in the cloud is told apart by the slice's id alone.
        unique (project_id, slice_id)
      );
      create index slices_unsettled on slices (lease_until) where not is_settled;
    `);
  },
};
