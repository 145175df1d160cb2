// Promises of quota: slices that are admitted together do not both take the last room, though the cloud counts only what
// is there. A promise stands from the transaction that sets the work off until the cloud counts the resource or the work
// has ended.
//
// Nothing is asked of a cloud while a transaction is open, so that three looks have to fit together: what was promised is
// read first, then the cloud tells what is used, and in the transaction what was promised since the first look is added.
// What is made in between may be counted twice for a moment, and never not at all.

import type { Knex } from '#common/database.ts';
import type { PlanResponse } from '#proto/pucp/driver/v1/driver_service.ts';
import { StepAction } from '#proto/pucp/slice/v1/plan.ts';
import { refuseOverfull } from './quota-admission.ts';
import type { SliceRow } from './rows.ts';

/** What slices were promised and their clouds did not count yet, at one moment. */
export type Outlook = { readonly snapshot: string; readonly promises: readonly Promised[] };

type Promised = {
  readonly slice_id: string;
  readonly user_id: string;
  readonly project_id: string;
  /** See Amount. */
  readonly name: string;
  readonly amount: number;
};

/** Promises a slice what it needs, in the transaction that sets its work off; throws QUOTA_EXCEEDED with the numbers. */
export type Reserve = (tx: Knex, row: SliceRow) => Promise<void>;

export type Reservations = ReturnType<typeof createReservations>;

/** A promise that ended is kept as long as someone may still reckon with its having stood. */
const KEPT_MS = 3_600_000;

export function createReservations(knex: Knex, { now }: { now: () => number }) {
  return {
    /** To be called before the cloud is asked for the plan. */
    async look(): Promise<Outlook> {
      const { rows } = await knex.raw<{ rows: Outlook[] }>(OUTSTANDING);
      const [outlook] = rows;
      if (!outlook) throw new Error('an aggregate has one row');
      return outlook;
    },

    /** What to call in the transaction. It must hold the user's other work back: see store.ts. */
    hold: (plan: PlanResponse, outlook: Outlook): Reserve => {
      return async (tx, row) => {
        if (plan.projectId !== '') {
          const room = `room of project ${plan.projectId}`;
          await tx.raw('select pg_advisory_xact_lock(hashtextextended(?, 0))', [room]);
        }
        const since = await tx.raw<{ rows: Promised[] }>(SINCE, [outlook.snapshot, outlook.snapshot]);
        const promises = [...outlook.promises, ...since.rows];
        admitPlan(plan, { sliceId: row.id, userId: row.user_id, promises });
        const at = new Date(now());
        await tx('slice_reservations')
          .where({ user_id: row.user_id })
          .where('made_at', '<', new Date(at.getTime() - KEPT_MS))
          .whereIn(
            'slice_id',
            tx('slices').whereRaw('settled_generation >= slice_reservations.generation').select('id'),
          )
          .delete();
        const wanted = JSON.stringify(promisesOf(plan));
        await tx.raw(PROMISE, [row.id, row.generation, row.user_id, plan.projectId, at, wanted, row.id]);
      };
    },
  };
}

export type Asking = {
  readonly sliceId: string;
  readonly userId: string;
  readonly promises: readonly Promised[];
};

/** The plan of a slice that may be made. Throws QUOTA_EXCEEDED with the numbers if it does not fit beside the others. */
export function admitPlan(plan: PlanResponse, asking: Asking): PlanResponse {
  const admitted = withReserved(plan, asking);
  refuseOverfull(admitted.quotas);
  return admitted;
}

/** A plan whose quotas tell what other slices of the same project were promised. */
export function withReserved(plan: PlanResponse, { sliceId, userId, promises }: Asking): PlanResponse {
  const others = promises.filter(({ slice_id, user_id, project_id }) => {
    if (slice_id === sliceId) return false;
    // Who has no project yet will have one for all slices.
    if (project_id === '' || plan.projectId === '') return user_id === userId;
    return project_id === plan.projectId;
  });
  const reservedOf = (name: string) =>
    others.filter((one) => one.name === name).reduce((sum, { amount }) => sum + amount, 0);
  return { ...plan, quotas: plan.quotas.map((quota) => ({ ...quota, reserved: reservedOf(quota.name) })) };
}

function promisesOf({ steps }: PlanResponse) {
  return steps
    .filter(({ action }) => action !== StepAction.DELETE)
    .map(({ resourceKind, resourceName, needs }) => ({
      kind: resourceKind,
      name: resourceName,
      amounts: Object.fromEntries(
        needs.filter(({ amount }) => amount > 0).map(({ name, amount }) => [name, amount]),
      ),
    }))
    .filter(({ amounts }) => Object.keys(amounts).length > 0);
}

// Of several promises for one resource the last one counts. A statement sees one moment, which its snapshot names.
const OUTSTANDING = `
  with last as (
    select distinct on (made.slice_id, made.kind, made.name) made.*
    from slices join slice_reservations made on made.slice_id = slices.id
    where slices.generation > slices.settled_generation and made.generation > slices.settled_generation
      and slices.deleted_at is null
    order by made.slice_id, made.kind, made.name, made.generation desc, made.id desc
  ), promises as (
    select last.slice_id, last.user_id, last.project_id, amount.key as name, sum(amount.value::int)::int as amount
    from last left join slice_resources held using (slice_id, kind, name)
    cross join lateral jsonb_each_text(last.amounts) amount
    where coalesce(held.resource->>'cloudId', '') in ('', last.known_id)
    group by last.slice_id, last.user_id, last.project_id, amount.key
  )
  select pg_current_snapshot()::text as snapshot,
    coalesce((select json_agg(promises) from promises), '[]') as promises`;

// Whatever became of them since.
const SINCE = `
  select slice_id, user_id, project_id, amount.key as name, amount.value::int as amount
  from slice_reservations cross join lateral jsonb_each_text(amounts) amount
  where made_by >= pg_snapshot_xmin(?::pg_snapshot) and not pg_visible_in_snapshot(made_by, ?::pg_snapshot)`;

const PROMISE = `
  insert into slice_reservations (slice_id, generation, user_id, project_id, made_at, kind, name, amounts, known_id)
  select ?, ?, ?, ?, ?, wanted.kind, wanted.name, wanted.amounts, coalesce(held.resource->>'cloudId', '')
  from jsonb_to_recordset(?::jsonb) as wanted(kind text, name text, amounts jsonb)
  left join slice_resources held on held.slice_id = ? and held.kind = wanted.kind and held.name = wanted.name`;
