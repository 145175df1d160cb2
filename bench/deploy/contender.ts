// Who takes part: each deploys a shape, waits until all of it runs, and takes it away until nothing is left.

import type { Shape } from './shapes.ts';

export type Contender = {
  /** The project that it works in, once it has deployed something. */
  projectId(): string;
  /** Resolves when every server is ACTIVE; answers what `remove` takes. */
  deploy(name: string, shape: Shape): Promise<string>;
  remove(id: string): Promise<void>;
  /** Calls of the cloud that it made itself so far; undefined if it does not tell. */
  calls(): Promise<number | undefined>;
  close(): Promise<void>;
};
