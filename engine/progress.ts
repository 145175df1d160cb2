// How far a run is, in percent that never falls, and the words that go with it.

import { Resource, type ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import type { Report } from './environment.ts';
import { type KindName, keyOf } from './kind.ts';
import type { Task } from './task.ts';

export type Progress = {
  /** For the tasks of one plan, those added later included: call what it returns whenever one came further. */
  track(tasks: ReadonlyMap<string, Task>): () => void;
  /** A resource changed its state. */
  resource(resource: Resource, state: ResourceState, message?: string): void;
  say(message: string): void;
  finish(): void;
};

/** What a step counts, about as long as clouds take for it: a server boots, a rule is a row in a table. Others count 1. */
const WEIGHTS: Partial<Record<KindName, number>> = {
  server: 10,
  volume: 4,
  router: 2,
  routerInterface: 2,
  floatingIp: 2,
};

export function createProgress(report: (report: Report) => void): Progress {
  let percent = 0;
  const last = new Map<string, string>();
  return {
    track(tasks) {
      // What a plan finds done is no work; a further plan of the run shares what is left of the hundred.
      const kept = new Set([...tasks.values()].filter(({ state }) => state === 'done'));
      const from = percent;
      return () => {
        let all = 0;
        let done = 0;
        for (const task of tasks.values()) {
          if (kept.has(task)) continue;
          const weight = WEIGHTS[task.kind] ?? 1;
          all += weight;
          done += weight * shareDone(task);
        }
        // 100 is said once, at the end, when a last look has found the world equal.
        if (all > 0) percent = Math.max(percent, Math.floor(from + ((99 - from) * done) / all));
      };
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

/** That the cloud has taken a step on is half of it. */
function shareDone({ state }: Task): number {
  if (state === 'done') return 1;
  return state === 'waiting' ? 0.5 : 0;
}
