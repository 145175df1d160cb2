// What deploy, stop, start, restart and delete mean for a slice, by its state. Pure: what to change, nothing at all, or
// why not.

import { Failure } from '#common/errors.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { SliceRow } from './rows.ts';
import type { Intent } from './store.ts';

const { DRAFT, DEPLOYING, ACTIVE, STOPPING, STOPPED, STARTING, RESTARTING, DELETING, DELETED } = SliceState;

/** Undefined on a slice that is running already or on its way there. */
export function deploy(row: SliceRow): Intent | undefined {
  refuseDeleting(row, 'deploy');
  if (isOneOf(row, DEPLOYING, ACTIVE, STARTING, RESTARTING)) return undefined;
  if (isOneOf(row, STOPPED, STOPPING)) return start(row);
  return { goal: 'running', status: DEPLOYING, message: 'Deployment has started' };
}

export function stop(row: SliceRow): Intent | undefined {
  refuseDeleting(row, 'stop');
  refuseUndeployed(row, 'stop');
  if (isOneOf(row, STOPPED, STOPPING)) return undefined;
  return { goal: 'stopped', status: STOPPING, message: 'Servers are being shut down' };
}

export function start(row: SliceRow): Intent | undefined {
  refuseDeleting(row, 'start');
  refuseUndeployed(row, 'start');
  if (isOneOf(row, DEPLOYING, ACTIVE, STARTING, RESTARTING)) return undefined;
  return { goal: 'running', status: STARTING, message: 'Servers are being started' };
}

export function restart(row: SliceRow): Intent | undefined {
  refuseDeleting(row, 'restart');
  refuseUndeployed(row, 'restart');
  if (isOneOf(row, RESTARTING)) return undefined;
  return { goal: 'restarting', status: RESTARTING, message: 'Servers are being stopped and started again' };
}

/** Undefined on a slice that is being deleted or is gone. */
export function remove(row: SliceRow): Intent | undefined {
  if (isOneOf(row, DELETING, DELETED)) return undefined;
  if (row.generation === 0)
    return { goal: 'deleted', status: DELETED, message: 'Slice deleted successfully' };
  return { goal: 'deleted', status: DELETING, message: 'Everything of the slice is being removed' };
}

function isOneOf(row: SliceRow, ...states: SliceState[]): boolean {
  return states.includes(row.status);
}

function refuseDeleting(row: SliceRow, verb: string): void {
  if (!isOneOf(row, DELETING, DELETED)) return;
  throw new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'SLICE_DELETING',
    message: `Cannot ${verb} the slice "${row.name}": it is being deleted`,
  });
}

function refuseUndeployed(row: SliceRow, verb: string): void {
  if (row.deployed_at !== null) return;
  const why: Partial<Record<SliceState, string>> = {
    [DRAFT]: 'it was never deployed; deploy it first',
    [DEPLOYING]: 'its first deployment has not ended; wait for it, or delete the slice',
  };
  throw new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'SLICE_NOT_DEPLOYED',
    message: `Cannot ${verb} the slice "${row.name}": ${why[row.status] ?? 'it was never deployed; deploy it again'}`,
  });
}
