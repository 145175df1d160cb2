// What a change of a slice needs: the spec to go back to, whether to go back, what failed, and the name that the cloud knows.

import type { Migration } from '#common/database.ts';

export const migration: Migration = {
  name: '003-spec-changes',
  async up(knex) {
    await knex.schema.alterTable('slices', (table) => {
      // The name when the slice was first deployed; empty before.
      table.text('cloud_name').notNullable().defaultTo('');
      // pucp.slice.v1.SliceSpec as JSON: the last one that was deployed in full, and what it takes.
      table.jsonb('deployed_spec');
      table.integer('deployed_vcpus').notNullable().defaultTo(0);
      table.integer('deployed_ram').notNullable().defaultTo(0);
      table.integer('deployed_disk').notNullable().defaultTo(0);
      table.text('on_failure').notNullable().defaultTo('ON_FAILURE_KEEP');
      // Why the last change failed, while and after it is undone.
      table.text('undoing').notNullable().defaultTo('');
      // pucp.driver.v1.FailedResource as JSON, each that the last work failed at.
      table.jsonb('failures').notNullable().defaultTo('[]');
    });
    // Until now neither names nor specs changed.
    await knex('slices')
      .where('generation', '>', 0)
      .update({ cloud_name: knex.ref('name') });
    await knex('slices').where({ generation: 1 }).whereNull('deployed_at').update({
      on_failure: 'ON_FAILURE_ROLLBACK',
    });
    await knex('slices')
      .whereNotNull('deployed_at')
      .update({
        deployed_spec: knex.ref('spec'),
        deployed_vcpus: knex.ref('total_vcpus'),
        deployed_ram: knex.ref('total_ram'),
        deployed_disk: knex.ref('total_disk'),
      });
  },
};
