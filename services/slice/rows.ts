// The tables' rows as both stores read and write them.

import type { CallerRole } from '#common/caller.ts';
import type { Knex } from '#common/database.ts';
import { FailedResource, type Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { SliceDrift } from '#proto/pucp/slice/v1/drift.ts';
import { type OnFailure, SliceSpec, type SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { type SliceEvent, SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';

/** What the clouds are to be made equal to; `restarting` becomes `running` once all servers are off. */
export type Goal = 'none' | 'running' | 'stopped' | 'restarting' | 'deleted';

/** By name, the nodes that are off, and those that are switched off and then on; power.ts says when that counts. */
export type NodePower = Readonly<Record<string, 'off' | 'restart'>>;

export type SliceRow = {
  id: string;
  /** A bigint, which pg gives as text. */
  position: string;
  user_id: string;
  username: string;
  role: CallerRole;
  name: string;
  /** The name when it was first deployed, which those of resources in the cloud begin with; empty before. */
  cloud_name: string;
  spec: SliceSpec;
  /** The spec that was last deployed in full, null if none was yet, and what it takes. */
  deployed_spec: SliceSpec | null;
  deployed_vcpus: number;
  deployed_ram: number;
  deployed_disk: number;
  status: SliceState;
  goal: Goal;
  generation: number;
  settled_generation: number;
  /** What becomes of the work if it fails; never unspecified. */
  on_failure: OnFailure;
  /** Why the last change failed, while and after it is undone; empty otherwise. */
  undoing: string;
  /** What the last work failed at. */
  failures: FailedResource[];
  fence: number;
  attempts: number;
  retry_at: Date | null;
  percent: number;
  message: string;
  error_message: string;
  total_vcpus: number;
  total_ram: number;
  total_disk: number;
  project_id: string;
  request_id: string;
  last_sequence: number;
  created_at: Date;
  updated_at: Date;
  deployed_at: Date | null;
  deleted_at: Date | null;
  /** What was asked for single nodes. */
  node_power: NodePower;
  /** When it is to be deployed, null if not by the clock. */
  start_at: Date | null;
  /** When it is to be deleted, null if never. */
  expires_at: Date | null;
  /** When its owner is to be reminded of that, null if not again. */
  remind_at: Date | null;
  /** How often its owner put the end off. */
  renewals: number;
  /** What the last look at the clouds found, null before the first one, and the generation that it says something of. */
  drift: SliceDrift | null;
  drift_generation: number;
  /** When it is to be looked at, null if that was not decided yet. */
  check_at: Date | null;
};

export type EventRow = {
  slice_id: string;
  sequence: number;
  time: Date;
  type: SliceEventType;
  status: SliceState;
  resource_kind: string;
  resource_name: string;
  resource_state: string;
  message: string;
  percent: number;
  request_id: string;
};

/** An event before it has its place in the history. */
export type NewEvent = Pick<SliceEvent, 'type' | 'message'> &
  Partial<Pick<SliceEvent, 'resourceKind' | 'resourceName' | 'resourceState'>> & { percent?: number };

/** The channel on which a changed slice's id is told to every process. */
export const CHANNEL = 'pucp_slice';

export function toSliceRow(row: SliceRow): SliceRow {
  return {
    ...row,
    spec: SliceSpec.fromJSON(row.spec),
    deployed_spec: row.deployed_spec && SliceSpec.fromJSON(row.deployed_spec),
    drift: row.drift && SliceDrift.fromJSON(row.drift),
    failures: row.failures.map(FailedResource.fromJSON),
  };
}

/** Whose resources a driver is to work on. A slice that was renamed keeps its name in the cloud. */
export function scopeOf(row: SliceRow): Scope {
  return {
    sliceId: row.id,
    sliceName: row.cloud_name || row.name,
    userId: row.user_id,
    username: row.username,
  };
}

export function toEvent(row: EventRow): SliceEvent {
  return {
    sliceId: row.slice_id,
    sequence: row.sequence,
    time: row.time.toISOString(),
    type: row.type,
    status: row.status,
    resourceKind: row.resource_kind,
    resourceName: row.resource_name,
    resourceState: row.resource_state,
    message: row.message,
    percent: row.percent,
    requestId: row.request_id,
    slice: undefined,
  };
}

/** A resource's kind as the API writes it, such as `router_interface`. */
export function kindOf(resource: Resource): string {
  return (resource.kind?.$case ?? 'unknown').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * Writes events behind those there are. The caller's transaction holds the slice's row, so that sequences have no gaps
 * and become visible in order; `row` is as it is to be after the events.
 */
export async function appendEvents(
  tx: Knex,
  row: SliceRow,
  events: readonly NewEvent[],
  now: Date,
): Promise<void> {
  if (events.length > 0) {
    const [counted] = await tx<SliceRow>('slices')
      .where({ id: row.id })
      .increment('last_sequence', events.length)
      .returning('last_sequence');
    const before = (counted?.last_sequence ?? 0) - events.length;
    const rows = events.map((event, index) => ({
      slice_id: row.id,
      sequence: before + index + 1,
      time: now,
      type: event.type,
      status: row.status,
      resource_kind: event.resourceKind ?? '',
      resource_name: event.resourceName ?? '',
      resource_state: event.resourceState ?? '',
      message: event.message,
      percent: event.percent ?? row.percent,
      request_id: row.request_id,
    }));
    await tx.batchInsert('slice_events', rows, 1000);
  }
  await tx.raw('select pg_notify(?, ?)', [CHANNEL, row.id]);
}

/** Events after a sequence, in order. */
export async function readEvents(
  knex: Knex,
  id: string,
  { after, limit }: { after: number; limit: number },
): Promise<SliceEvent[]> {
  const rows = await knex<EventRow>('slice_events')
    .where({ slice_id: id })
    .andWhere('sequence', '>', after)
    .orderBy('sequence')
    .limit(limit);
  return rows.map(toEvent);
}

/** What the clouds hold of each slice, as last seen. */
export async function readResources(
  knex: Knex,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Resource[]>> {
  const rows = await knex<{ slice_id: string; resource: unknown }>('slice_resources').whereIn(
    'slice_id',
    ids,
  );
  const found = new Map<string, Resource[]>();
  for (const { slice_id, resource } of rows) {
    const list = found.get(slice_id) ?? [];
    list.push(Resource.fromJSON(resource));
    found.set(slice_id, list);
  }
  return found;
}

/** The event of a slice that came into a state. */
export function stateEvent(message: string): NewEvent {
  return { type: SliceEventType.STATE, message };
}
