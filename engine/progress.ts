// How far a run is, in percent that never falls, and the words that go with it.

import { Resource, type ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import type { Report } from './environment.ts';
import { keyOf } from './kind.ts';

export type Progress = {
  /** Steps done of all; a later plan of the same run may count differently. */
  count(done: number, all: number): void;
  /** A resource changed its state. */
  resource(resource: Resource, state: ResourceState, message?: string): void;
  say(message: string): void;
  finish(): void;
};

export function createProgress(report: (report: Report) => void): Progress {
  let percent = 0;
  const last = new Map<string, string>();
  return {
    // 100 is said once, at the end, when a last look has found the world equal.
    count(done, all) {
      if (all > 0) percent = Math.max(percent, Math.min(99, Math.floor((100 * done) / all)));
    },
    resource(resource, state, message = '') {
      const key = keyOf(resource);
      const news = `${state} ${message}`;
      if (last.get(key) === news) return;
      last.set(key, news);
      report({ percent, message: '', resource: Resource.fromPartial({ ...resource, state, message }) });
    },
    say(message) {
      report({ percent, message, resource: undefined });
    },
    finish() {
      percent = 100;
    },
  };
}
