// From what a driver tells to what is kept: events in sentences, the state of each resource, a percentage that only
// grows. Writes go in batches, as many as came while the one before was under way.

import type { ConvergeEvent } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import { resourceEvent } from './resource-events.ts';
import { kindOf, type NewEvent, type SliceRow } from './rows.ts';
import type { WorkStore } from './work-store.ts';

export type Recorder = {
  /** Takes an event in; resolves at once unless far more came in than could be written. Throws what writing threw. */
  add(event: ConvergeEvent): Promise<void>;
  /** Resolves when everything is written. Throws what writing threw. */
  flush(): Promise<void>;
};

export type RecorderOptions = {
  readonly work: SliceRow;
  readonly store: Pick<WorkStore, 'record'>;
  /** Which part of the whole work this call is, in percent: a restart has two. */
  readonly share: { readonly from: number; readonly to: number };
  /** Called once, with what writing threw. */
  readonly onFailure: (error: unknown) => void;
};

const MOST_PENDING = 1_000;

export function createRecorder({ work, store, share, onFailure }: RecorderOptions): Recorder {
  let events: NewEvent[] = [];
  let resources: Resource[] = [];
  // Work that is taken up again goes on from where it was, and shares what is left.
  const from = Math.max(share.from, work.percent);
  let percent = from;
  let message = '';
  let writing: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;
  const lastSaid = new Map<string, string>();

  const write = async () => {
    while (events.length > 0 && !failure) {
      const batch = { events, resources, percent, message };
      events = [];
      resources = [];
      await store.record(work, batch).catch((error: unknown) => {
        failure = { error };
        onFailure(error);
      });
    }
    writing = undefined;
  };
  const flush = async () => {
    await writing;
    if (failure) throw failure.error;
  };

  return {
    async add(event) {
      percent = Math.max(percent, Math.floor(from + ((share.to - from) * event.percent) / 100));
      const said = toEvent(event, percent);
      if (event.event?.$case === 'resource') {
        const resource = event.event.value;
        const key = `${kindOf(resource)} ${resource.name}`;
        resources.push(resource);
        if (said && lastSaid.get(key) === `${resource.state} ${said.message}`) return;
        lastSaid.set(key, `${resource.state} ${said?.message ?? ''}`);
      }
      if (!said) return;
      events.push(said);
      message = said.message;
      writing ??= write();
      if (failure || events.length > MOST_PENDING) await flush();
    },
    flush,
  };
}

function toEvent({ event, message }: ConvergeEvent, percent: number): NewEvent | undefined {
  if (event?.$case === 'resource') {
    const said = resourceEvent(event.value);
    return { ...said, message: message || said.message, percent };
  }
  if (event?.$case === 'result' || message === '') return undefined;
  return { type: SliceEventType.PROGRESS, message, percent };
}
