// A slice's new spec: read, checked as a new slice's is, held against the one there is, and stored if it may be.

import type { Context } from '#common/rpc-server.ts';
import { withLinks } from '#engine/spec/attach.ts';
import type { SpecLimits } from '#engine/spec/check.ts';
import { expandTopology } from '#engine/spec/topologies/expand.ts';
import type { PlanResponse } from '#proto/pucp/driver/v1/driver_service.ts';
import { Infrastructure, ResourceTotals, SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import type { UpdateSliceRequest } from '#proto/pucp/slice/v1/slice_service.ts';
import { admit, examine, type UserLimits } from './admission.ts';
import { refuseOther, refuseOtherPlan } from './conditions.ts';
import type { Drivers } from './drivers.ts';
import { isToBeOff, update } from './intents.ts';
import { powerOf } from './power.ts';
import type { Reserve } from './reservations.ts';
import { type SliceRow, scopeOf } from './rows.ts';
import type { Intended, Intent, Store, Usage } from './store.ts';
import { withTopology } from './topology.ts';

export type UpdateDeps = {
  readonly store: Pick<Store, 'intendMore'>;
  readonly drivers: Drivers;
  readonly specLimits: SpecLimits;
  readonly userLimits: UserLimits;
};

/** A new spec that may be stored. */
export type CheckedChange = {
  readonly spec: SliceSpec;
  readonly totals: ResourceTotals;
  readonly plan: PlanResponse;
};

/**
 * Checks the spec that is asked for in place of a slice's. Throws INVALID_ARGUMENT with every mistake, and ABORTED if the
 * request is about another generation of the slice, or about another plan.
 */
export async function checkUpdate(
  row: SliceRow,
  { topology, generation, planDigest, ...fields }: UpdateSliceRequest,
  { caller, requestId, signal }: Context,
  { drivers, specLimits }: Pick<UpdateDeps, 'drivers' | 'specLimits'>,
): Promise<CheckedChange> {
  if (generation !== undefined) refuseOther(row, generation);
  const asked = SliceSpec.fromPartial(fields);
  const isElsewhere = asked.infrastructure !== Infrastructure.UNSPECIFIED;
  const infrastructure = isElsewhere ? asked.infrastructure : row.spec.infrastructure;
  const expansion = expandTopology({ ...asked, infrastructure }, topology);
  const spec = withLinks(expansion.spec, row.spec);
  const held = row.deployed_spec ? [row.spec, row.deployed_spec] : [row.spec];
  const owner = { userId: row.user_id, username: row.username };
  const { sliceId, sliceName } = scopeOf(row);
  const goal = isToBeOff(row) ? 'stopped' : 'running';
  const power = powerOf({ goal, node_power: row.node_power });
  const applicant = { sliceId, sliceName, caller, owner, requestId, signal, before: held, power };
  const plan = await withTopology(expansion, examine(spec, applicant, { drivers, limits: specLimits }));
  refuseOtherPlan(row, plan, planDigest);
  return { spec, totals: plan.totals ?? ResourceTotals.create(), plan };
}

/** Stores a checked change and has it carried out. Throws ABORTED if the slice has been changed since it was read. */
export async function storeUpdate(
  row: SliceRow,
  { change, request, requestId }: { change: CheckedChange; request: UpdateSliceRequest; requestId: string },
  { store, userLimits, reserve }: Pick<UpdateDeps, 'store' | 'userLimits'> & { readonly reserve: Reserve },
): Promise<Intended | undefined> {
  const decide = (current: SliceRow, others: Usage): Intent | undefined => {
    refuseOther(current, row.generation);
    const intent = update(current, change, request.onFailure);
    if (intent && isMore(change.totals, current)) admit(change.totals, others, userLimits);
    return intent;
  };
  return store.intendMore(row, requestId, decide, reserve);
}

function isMore({ totalVcpus, totalRam, totalDisk }: ResourceTotals, row: SliceRow): boolean {
  return totalVcpus > row.total_vcpus || totalRam > row.total_ram || totalDisk > row.total_disk;
}
