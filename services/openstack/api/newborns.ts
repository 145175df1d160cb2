// What was just made may be unknown for a moment to another of the service's servers: databases with several masters lag, and
// caches remember that there was nothing. For a few seconds such a 404 is not believed.

import type { Path } from './path.ts';

export type Newborns = {
  /** Takes note of what the answer to a POST says was made. */
  made(answer: unknown): void;
  /** It may be gone from now on. */
  removed(path: Path): void;
  /** Whether the path is of something made so lately that a 404 may be mistaken. */
  has(path: Path, method?: string): boolean;
};

/** Clusters in one place agree within milliseconds; whoever lags longer than this is sick. */
const YOUTH_MS = 3_000;
const MAX = 1_000;

export function createNewborns(now: () => number = Date.now): Newborns {
  const bornAt = new Map<string, number>();
  return {
    made(answer) {
      for (const id of idsIn(answer)) {
        bornAt.delete(id);
        bornAt.set(id, now());
      }
      for (const [id, at] of bornAt) {
        if (now() - at < YOUTH_MS && bornAt.size <= MAX) break;
        bornAt.delete(id);
      }
    },
    removed: ({ path }) => bornAt.delete(lastOf(path)),
    has({ path }, method = 'GET') {
      // What is looked for below it, such as an attached volume, may well be absent; where something is put, it must be.
      const segments = method === 'PUT' || method === 'POST' ? path.split('/') : [lastOf(path)];
      return segments.some((id) => now() - (bornAt.get(id) ?? Number.NEGATIVE_INFINITY) < YOUTH_MS);
    },
  };
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Of one thing, `{"server": {"id": …}}`, of many, `{"networks": [{"id": …}]}`, or of an image, `{"id": …}`. */
function idsIn(answer: unknown): string[] {
  if (typeof answer !== 'object' || answer === null) return [];
  return [answer, ...Object.values(answer).flat()].flatMap((one: unknown) => {
    const id = typeof one === 'object' && one !== null && 'id' in one ? one.id : undefined;
    return typeof id === 'string' ? [id] : [];
  });
}
