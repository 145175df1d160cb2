// Following a slice's history, over any number of replicas: read what is written, wait to be told of more.

import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { SliceEvent, SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import type { HistoryStore, Snapshot } from './history-store.ts';
import type { Notifications } from './notifications.ts';
import { statusView } from './status-line.ts';
import type { Store } from './store.ts';
import { sliceView } from './view.ts';

const PAGE = 500;

export type WatchOptions = {
  readonly id: string;
  /** Only later events. Undefined is a snapshot and what follows, or the whole past if nothing is followed. */
  readonly after: number | undefined;
  /** False ends after the past. */
  readonly follow: boolean;
  /** Whether nothing will happen any more. */
  readonly isOver: boolean;
  readonly signal: AbortSignal;
};

export type WatchDeps = {
  readonly store: Pick<Store, 'events'>;
  readonly history: Pick<HistoryStore, 'snapshot'>;
  readonly notifications: Pick<Notifications, 'subscribe'>;
  readonly now: () => number;
};

/**
 * Events after a sequence in order, without gaps, until the slice is deleted or abandoned or the signal fires. Who comes back
 * when what followed has been let go already gets a snapshot in its place.
 */
export async function* watchEvents(
  { id, after, follow, isOver, signal }: WatchOptions,
  { store, history, notifications, now }: WatchDeps,
): AsyncGenerator<SliceEvent> {
  // Subscribed before the first look, so that nothing falls between the two.
  const subscription = notifications.subscribe(id);
  try {
    let last = after ?? 0;
    if (follow && (after === undefined || (await isForgotten(after)))) {
      const snapshot = await history.snapshot(id);
      if (!snapshot) return;
      yield snapshotEvent(snapshot, now());
      if (isLast(snapshot.row.status)) return;
      last = snapshot.row.last_sequence;
    }
    while (!signal.aborted) {
      const events = await store.events(id, { after: last, limit: PAGE });
      for (const event of events) {
        yield event;
        last = event.sequence;
        if (event.type === SliceEventType.STATE && isLast(event.status)) return;
      }
      if (events.length === PAGE) continue;
      if (!follow || isOver) return;
      await subscription.changed(signal);
    }
  } finally {
    subscription.close();
  }

  async function isForgotten(heard: number): Promise<boolean> {
    const [next] = await store.events(id, { after: heard, limit: 1 });
    return heard > 0 && next !== undefined && next.sequence > heard + 1;
  }
}

/** The slice as it is after the event of the same sequence. */
function snapshotEvent(snapshot: Snapshot, now: number): SliceEvent {
  const { row, held } = snapshot;
  const { message } = statusView(snapshot, now);
  return SliceEvent.fromPartial({
    sliceId: row.id,
    sequence: row.last_sequence,
    time: new Date(now).toISOString(),
    type: SliceEventType.SNAPSHOT,
    status: row.status,
    message,
    percent: row.percent,
    requestId: row.request_id,
    slice: sliceView(
      row,
      held.map(({ resource }) => resource),
    ),
  });
}

function isLast(status: SliceState): boolean {
  return status === SliceState.DELETED || status === SliceState.ABANDONED;
}
