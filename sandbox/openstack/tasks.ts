// Things that happen later: a server becomes ACTIVE, a volume available. Tasks are rows like any other, so what was
// under way when the process died goes on at the next start.

import { randomUUID } from 'node:crypto';
import type { Log } from '#common/log.ts';
import type { Collection } from './collection.ts';

export type TaskRow = {
  readonly id: string;
  readonly kind: string;
  readonly target: string;
  /** Milliseconds since the epoch. */
  readonly due: number;
  readonly args: Readonly<Record<string, string>>;
};

export type Tasks = {
  /** Says what a kind of task does. Every kind must be known before `start`. */
  on(kind: string, run: (target: string, args: Readonly<Record<string, string>>) => void): void;
  after(ms: number, kind: string, target: string, args?: Record<string, string>): void;
  /** Forgets the tasks of a target, or only those of one kind. */
  cancel(target: string, kind?: string): void;
  /** Arms what an earlier process left behind. */
  start(): void;
  close(): void;
};

export function createTasks(rows: Collection<TaskRow>, log: Log): Tasks {
  const kinds = new Map<string, (target: string, args: Readonly<Record<string, string>>) => void>();
  const timers = new Map<string, NodeJS.Timeout>();
  let isClosed = false;

  const arm = (row: TaskRow) => {
    const timer = setTimeout(
      () => {
        timers.delete(row.id);
        if (isClosed || !rows.remove(row.id)) return;
        try {
          kinds.get(row.kind)?.(row.target, row.args);
        } catch (error) {
          log.error({ cause: error, task: row.kind, target: row.target }, 'a sandbox task failed');
        }
      },
      Math.max(0, row.due - Date.now()),
    );
    timers.set(row.id, timer);
  };

  return {
    on: (kind, run) => void kinds.set(kind, run),
    after: (ms, kind, target, args = {}) => {
      arm(rows.put({ id: randomUUID(), kind, target, due: Date.now() + ms, args }));
    },
    cancel: (target, kind) => {
      for (const row of rows.by('target', target)) {
        if (kind && row.kind !== kind) continue;
        clearTimeout(timers.get(row.id));
        timers.delete(row.id);
        rows.remove(row.id);
      }
    },
    start: () => {
      for (const row of rows.all()) if (!timers.has(row.id)) arm(row);
    },
    close: () => {
      isClosed = true;
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
