// Keeps the sandbox's state in one JSON file: read at start, written whole, shortly after every change, by way of a
// temporary file and a rename, so that a process killed at any moment leaves a whole file behind.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Log } from '#common/log.ts';

const DEBOUNCE_MS = 150;

export type Persistence = {
  /** What the file holds, or undefined if there is none. Throws if the file is not JSON. */
  load(): unknown;
  /** Notes that something changed; the file follows within DEBOUNCE_MS plus the time of one write. */
  changed(): void;
  close(): void;
};

export function createPersistence(path: string | undefined, snapshot: () => unknown, log: Log): Persistence {
  let timer: NodeJS.Timeout | undefined;
  let isWriting = false;
  let isDirty = false;
  let isClosed = false;
  if (!path) return { load: () => undefined, changed: () => {}, close: () => {} };

  const write = async () => {
    timer = undefined;
    isWriting = true;
    isDirty = false;
    try {
      const temporary = `${path}.${process.pid}.tmp`;
      await mkdir(dirname(path), { recursive: true });
      await writeFile(temporary, JSON.stringify(snapshot()), { mode: 0o600 });
      if (!isClosed) await rename(temporary, path);
    } catch (error) {
      if (!isClosed) log.error({ cause: error, path }, 'the sandbox could not save its state');
    }
    isWriting = false;
    if (isDirty && !isClosed) schedule();
  };
  const schedule = () => {
    timer ??= setTimeout(write, DEBOUNCE_MS);
  };

  return {
    load: () => {
      try {
        return JSON.parse(readFileSync(path, 'utf8'));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw new Error(`${path} does not hold a sandbox's state; move it away to start afresh`, {
          cause: error,
        });
      }
    },
    changed: () => {
      isDirty = true;
      if (!isWriting && !isClosed) schedule();
    },
    close: () => {
      if (isClosed) return;
      isClosed = true;
      clearTimeout(timer);
      mkdirSync(dirname(path), { recursive: true });
      const temporary = `${path}.${process.pid}.close.tmp`;
      writeFileSync(temporary, JSON.stringify(snapshot()), { mode: 0o600 });
      renameSync(temporary, path);
    },
  };
}
