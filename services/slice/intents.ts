// What deploy, stop, start, restart, delete and a new spec mean for a slice, by its state. Pure: what to change, nothing at
// all, or why not.

import { Failure } from '#common/errors.ts';
import { OnFailure, type ResourceTotals, type SliceSpec, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { nodesOff, powerWithin, restartOfAll } from './power.ts';
import type { SliceRow } from './rows.ts';
import { isSameSpec } from './spec-changes.ts';
import type { Intent } from './store.ts';

const {
  DRAFT,
  SCHEDULED,
  DEPLOYING,
  ACTIVE,
  STOPPING,
  STOPPED,
  STARTING,
  RESTARTING,
  DELETING,
  DELETED,
  ERROR,
} = SliceState;

/** Undefined on a slice that is running already or on its way there. */
export function deploy(row: SliceRow, asked?: OnFailure): Intent | undefined {
  refuseDeleting(row, 'deploy');
  if (isToBeOff(row)) return start(row);
  if (isOneOf(row, DEPLOYING, ACTIVE, STARTING, RESTARTING)) return undefined;
  const onFailure = onFailureOf(row, asked);
  return { goal: 'running', status: DEPLOYING, message: 'Deployment has started', onFailure };
}

/**
 * A draft stays a draft, and servers that are off stay off. Undefined if the spec is the one there is, unless the last
 * work on it failed.
 */
export function update(
  row: SliceRow,
  change: { readonly spec: SliceSpec; readonly totals: ResourceTotals },
  asked?: OnFailure,
): Intent | undefined {
  refuseDeleting(row, 'change');
  if (isSameSpec(row.spec, change.spec) && !isOneOf(row, ERROR)) return undefined;
  if (isOneOf(row, DRAFT, SCHEDULED)) {
    const message = isOneOf(row, DRAFT) ? 'The draft was changed' : 'The scheduled slice was changed';
    return { goal: 'none', status: row.status, message, change };
  }
  const goal = isToBeOff(row) ? 'stopped' : 'running';
  const onFailure = onFailureOf(row, asked);
  const nodePower = powerWithin(row.node_power, change.spec);
  return { goal, status: DEPLOYING, message: 'The change has started', onFailure, change, nodePower };
}

/** A first deployment that fails leaves nothing, a change that fails leaves what it made, unless asked otherwise. */
export function onFailureOf(
  { deployed_spec }: Pick<SliceRow, 'deployed_spec'>,
  asked: OnFailure = OnFailure.UNSPECIFIED,
): OnFailure {
  if (asked !== OnFailure.UNSPECIFIED) return asked;
  return deployed_spec ? OnFailure.KEEP : OnFailure.ROLLBACK;
}

export function stop(row: SliceRow): Intent | undefined {
  refuseDeleting(row, 'stop');
  refuseUndeployed(row, 'stop');
  if (isToBeOff(row)) return undefined;
  return { goal: 'stopped', status: STOPPING, message: 'Servers are being shut down', nodePower: {} };
}

export function start(row: SliceRow): Intent | undefined {
  refuseDeleting(row, 'start');
  refuseUndeployed(row, 'start');
  const isUnderway = isOneOf(row, DEPLOYING, ACTIVE, STARTING, RESTARTING);
  if (isUnderway && nodesOff(row).length === 0) return undefined;
  return { goal: 'running', status: STARTING, message: 'Servers are being started', nodePower: {} };
}

export function restart(row: SliceRow): Intent | undefined {
  refuseDeleting(row, 'restart');
  refuseUndeployed(row, 'restart');
  const nodePower = restartOfAll(row.spec);
  if (
    isOneOf(row, RESTARTING) &&
    Object.keys(nodePower).every((name) => row.node_power[name] === 'restart')
  ) {
    return undefined;
  }
  const message = 'Servers are being stopped and started again';
  return { goal: 'restarting', status: RESTARTING, message, nodePower };
}

/** Undefined on a slice that is being deleted or is gone. */
export function remove(row: SliceRow): Intent | undefined {
  if (isOneOf(row, DELETING, DELETED)) return undefined;
  if (isOneOf(row, DRAFT, SCHEDULED)) {
    return { goal: 'deleted', status: DELETED, message: 'Slice deleted successfully' };
  }
  return { goal: 'deleted', status: DELETING, message: 'Everything of the slice is being removed' };
}

/** Servers are off or on their way there, be it while the slice is changed. */
export function isToBeOff(row: SliceRow): boolean {
  return row.goal === 'stopped' && isOneOf(row, STOPPED, STOPPING, DEPLOYING);
}

function isOneOf(row: SliceRow, ...states: SliceState[]): boolean {
  return states.includes(row.status);
}

/** Throws FAILED_PRECONDITION. */
export function refuseDeleting(row: SliceRow, verb: string): void {
  if (!isOneOf(row, DELETING, DELETED)) return;
  throw new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'SLICE_DELETING',
    message: `Cannot ${verb} the slice "${row.name}": it is being deleted`,
  });
}

/** Throws FAILED_PRECONDITION. */
export function refuseUndeployed(row: SliceRow, verb: string): void {
  if (row.deployed_at !== null) return;
  const why: Partial<Record<SliceState, string>> = {
    [DRAFT]: 'it was never deployed; deploy it first',
    [SCHEDULED]: 'its time has not come; deploy it first',
    [DEPLOYING]: 'its first deployment has not ended; wait for it, or delete the slice',
  };
  throw new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'SLICE_NOT_DEPLOYED',
    message: `Cannot ${verb} the slice "${row.name}": ${why[row.status] ?? 'it was never deployed; deploy it again'}`,
  });
}
