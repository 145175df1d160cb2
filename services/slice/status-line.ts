// A slice at a glance: what it is doing, and what it waits for, in one line. Pure.

import type { SliceResource } from '#proto/pucp/slice/v1/history.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { SliceStatus } from '#proto/pucp/slice/v1/slice_service.ts';
import { driftView } from './drift.ts';
import type { Snapshot } from './history-store.ts';
import { isAtWork, resourceViews } from './resource-views.ts';
import type { SliceRow } from './rows.ts';
import { nodeViews } from './view.ts';

const NAMED = 5;

/** `now` in milliseconds since the epoch; `ahead` as in `statusLine`. */
export function statusView(snapshot: Snapshot, now: number, ahead?: number): SliceStatus {
  const { row, held } = snapshot;
  return {
    id: row.id,
    name: row.name,
    status: row.status,
    message: statusLine(row, resourceViews(snapshot), now, ahead),
    percent: row.percent,
    drift: driftView(row),
    nodes: nodeViews(
      row,
      held.map(({ resource }) => resource),
    ),
  };
}

/** Whether nothing of it is under way, though it is to be worked on: a worker may have yet to come. */
export function isIdle(snapshot: Snapshot): boolean {
  const { row } = snapshot;
  return isAtWork(row) && !row.retry_at && workLine(resourceViews(snapshot)) === '';
}

/** `now` in milliseconds since the epoch; `ahead` is how many others a worker will turn to before. */
export function statusLine(
  row: SliceRow,
  resources: readonly SliceResource[],
  now: number,
  ahead?: number,
): string {
  if (row.status === SliceState.ERROR) return row.error_message;
  if (!isAtWork(row)) {
    const drift = driftView(row);
    return drift && !drift.inSync ? `${row.message}, but the cloud differs: ${drift.summary}` : row.message;
  }
  if (row.retry_at) {
    const seconds = Math.ceil((row.retry_at.getTime() - now) / 1000);
    return `${row.message}; it goes on ${seconds > 0 ? `in ${seconds} s` : 'at once'}`;
  }
  return workLine(resources) || `${row.message}${turnOf(ahead)}`;
}

function turnOf(ahead: number | undefined): string {
  if (ahead === undefined) return '';
  const others = ahead === 1 ? '1 other is' : `${ahead} others are`;
  return `; it waits for its turn, ${ahead === 0 ? 'which is next' : `${others} before it`}`;
}

/** `3 of 5 servers are being built; waiting for vm2, vm4, vm5`; empty if nothing is under way. */
function workLine(resources: readonly SliceResource[]): string {
  const busy = resources.filter(({ state }) => state in UNDER_WAY);
  if (busy.length === 0) return '';
  const groups = Map.groupBy(busy, ({ kind, state }) => `${kind} ${state}`);
  const parts = [...groups.values()].map((group) => {
    const [{ kind, state } = { kind: '', state: '' }] = group;
    const all = resources.filter((one) => one.kind === kind).length;
    const verb = kind === 'server' && state === 'creating' ? 'built' : UNDER_WAY[state];
    const label = kind.replaceAll('_', ' ').replace(/ ip$/, ' IP');
    const noun = all === 1 ? `the ${label}` : `${group.length} of ${all} ${label}s`;
    return `${noun} ${group.length === 1 ? 'is' : 'are'} being ${verb}`;
  });
  // What fails is what is worth knowing first.
  const names = busy
    .toSorted((a, b) => Number(b.message !== '') - Number(a.message !== ''))
    .slice(0, NAMED)
    .map(({ name, message }) => (message === '' ? name : `${name} (${message})`));
  const more = busy.length > NAMED ? ` and ${busy.length - NAMED} more` : '';
  return `${parts.join(', ')}; waiting for ${names.join(', ')}${more}`;
}

const UNDER_WAY: Readonly<Record<string, string>> = {
  creating: 'created',
  updating: 'changed',
  deleting: 'removed',
};
