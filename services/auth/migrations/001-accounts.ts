// Accounts, wrong guesses of passwords, revoked tokens and the audit trail.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '001-accounts',
  async up(knex) {
    // `password_hash` is null where no password opens the account. `is_demo` marks the two accounts of the sandbox;
    // `role_before_demo` is the role to return to if it was changed while they existed. Both end when the mesh leaves the
    // sandbox.
    await knex.raw(`
      create table users (
        id               bigserial primary key,
        username         text not null unique check (username = lower(username)),
        email            text,
        password_hash    text,
        role             text not null check (role in ('admin', 'professor', 'student', 'guest')),
        role_before_demo text,
        is_demo          boolean not null default false,
        is_active        boolean not null default true,
        last_login       timestamptz,
        created_at       timestamptz not null
      );
      create unique index users_email on users (lower(email));

      -- Wrong passwords by name, for names that nobody has too: so a lock does not tell who exists.
      create table wrong_guesses (
        username   text primary key,
        wrong      integer not null,
        expires_at timestamptz not null
      );

      create table revoked_tokens (
        token_id   text primary key,
        expires_at timestamptz not null
      );

      create table user_revocations (
        user_id       bigint primary key references users (id),
        issued_before integer not null
      );

      create table audit_log (
        id         bigserial primary key,
        user_id    bigint references users (id),
        action     text not null,
        details    jsonb not null,
        ip_address text not null,
        request_id text not null,
        timestamp  timestamptz not null
      );
      create index audit_log_user on audit_log (user_id, id);
    `);
  },
};
