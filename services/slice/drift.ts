// What drift is: the steps of the driver's own plan that are not `keep`, in words. Pure.

import { Failure } from '#common/errors.ts';
import type { DriftItem, SliceDrift } from '#proto/pucp/slice/v1/drift.ts';
import { type PlannedStep, StepAction } from '#proto/pucp/slice/v1/plan.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import { onFailureOf, refuseDeleting, refuseUndeployed } from './intents.ts';
import type { NewEvent, SliceRow } from './rows.ts';
import type { Intent } from './store.ts';

const { ACTIVE, STOPPED, ERROR, DEPLOYING } = SliceState;
/** In which a slice is at rest and on a cloud. */
const AT_REST: readonly SliceState[] = [ACTIVE, STOPPED, ERROR];

/** As many are named; the rest is counted. */
const NAMED = 3;

/** The finding of a look that saw these steps. The old one of a pair that replaces a resource is not told apart. */
export function driftOf(steps: readonly PlannedStep[], checkedAt: Date): SliceDrift {
  const replaced = new Set(steps.filter(({ action }) => action === StepAction.REPLACE).map(keyOf));
  const items = steps
    .filter(({ action }) => action !== StepAction.KEEP)
    .filter((step) => step.action !== StepAction.DELETE || !replaced.has(keyOf(step)))
    .map(({ action, resourceKind, resourceName, cloudId, reason }) => ({
      action,
      resourceKind,
      resourceName,
      cloudId,
      reason,
    }));
  return {
    inSync: items.length === 0,
    checkedAt: checkedAt.toISOString(),
    summary: summaryOf(items),
    items,
  };
}

/** What the last look found, unless work has been asked for since. */
export function driftView(row: SliceRow): SliceDrift | undefined {
  return isSettled(row) && row.drift_generation === row.generation ? (row.drift ?? undefined) : undefined;
}

/** The event of a finding; none if the one before said the same. A slice counts as in sync until something is found. */
export function driftEvent(before: SliceDrift | undefined, now: SliceDrift): NewEvent | undefined {
  if (sameness(before?.items ?? []) === sameness(now.items)) return undefined;
  const message = now.inSync
    ? 'The cloud holds again what the slice says'
    : `The cloud differs from the slice, and a repair brings it back: ${now.summary}`;
  return { type: SliceEventType.DRIFT, message };
}

/** Throws FAILED_PRECONDITION for a slice that a look can say nothing of. */
export function refuseLook(row: SliceRow): void {
  if (isSettled(row) && AT_REST.includes(row.status)) return;
  refuseDeleting(row, 'check');
  refuseUndeployed(row, 'check');
  throw new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'SLICE_BUSY',
    message: `Cannot check the slice "${row.name}": work on it is under way; wait for its end`,
  });
}

/** The same goal once more. Undefined while work is under way. */
export function repair(row: SliceRow): Intent | undefined {
  refuseDeleting(row, 'repair');
  if (row.status !== ERROR) refuseUndeployed(row, 'repair');
  if (!AT_REST.includes(row.status)) return undefined;
  const goal = row.goal === 'stopped' ? 'stopped' : 'running';
  return { goal, status: DEPLOYING, message: 'The repair has started', onFailure: onFailureOf(row) };
}

export function isSettled({ generation, settled_generation }: SliceRow): boolean {
  return generation === settled_generation;
}

function keyOf({ resourceKind, resourceName }: PlannedStep): string {
  return `${resourceKind}/${resourceName}`;
}

function summaryOf(items: readonly DriftItem[]): string {
  const named = items
    .slice(0, NAMED)
    .map((one) => `${one.resourceKind.replaceAll('_', ' ')} ${one.resourceName}: ${one.reason}`);
  const more = items.length - named.length;
  return [...named, ...(more > 0 ? [`${more} more`] : [])].join('; ');
}

function sameness(items: readonly DriftItem[]): string {
  return JSON.stringify(
    items.map((one) => [one.action, one.resourceKind, one.resourceName, one.cloudId, one.reason]).sort(),
  );
}
