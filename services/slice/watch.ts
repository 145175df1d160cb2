// Following a slice's history, over any number of replicas: read what is written, wait to be told of more.

import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { type SliceEvent, SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import type { Notifications } from './notifications.ts';
import type { Store } from './store.ts';

const PAGE = 500;

export type WatchOptions = {
  readonly id: string;
  readonly after: number;
  /** False ends after the past. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
};

/** Events after a sequence in order, without gaps, until the slice is deleted or abandoned or the signal fires. */
export async function* watchEvents(
  { id, after, follow, signal }: WatchOptions,
  { store, notifications }: { store: Pick<Store, 'events'>; notifications: Pick<Notifications, 'subscribe'> },
): AsyncGenerator<SliceEvent> {
  // Subscribed before the first look, so that nothing falls between the two.
  const subscription = notifications.subscribe(id);
  try {
    for (let last = after; !signal.aborted; ) {
      const events = await store.events(id, { after: last, limit: PAGE });
      for (const event of events) {
        yield event;
        last = event.sequence;
        if (event.type === SliceEventType.STATE && isLast(event.status)) return;
      }
      if (events.length === PAGE) continue;
      if (!follow) return;
      await subscription.changed(signal);
    }
  } finally {
    subscription.close();
  }
}

function isLast(status: SliceState): boolean {
  return status === SliceState.DELETED || status === SliceState.ABANDONED;
}
