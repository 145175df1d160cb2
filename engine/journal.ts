// The record of what was begun and what came of it: for people, and for whoever takes over. The truth about what exists
// is the cloud's; nothing is ever resumed from the journal alone.

/** One line of the record. `begin` is written before the cloud is asked, the others after it answered. */
export type Entry = {
  readonly sliceId: string;
  /** The step's id, such as `create server/vm1`. */
  readonly step: string;
  readonly phase: 'begin' | 'done' | 'failed';
  /** The cloud's id as far as it is known. */
  readonly cloudId: string;
  /** Why it is done, or why it failed. */
  readonly detail: string;
};

/** Keeps entries in the order in which they come. */
export type Journal = {
  /** Keeps all of them or throws; what a `begin` announces does not happen before this resolves. */
  record(entries: readonly Entry[]): Promise<void>;
};

/** A journal that lives as long as the process. */
export function createMemoryJournal(): Journal & { readonly entries: readonly Entry[] } {
  const entries: Entry[] = [];
  return {
    entries,
    async record(more) {
      entries.push(...more);
    },
  };
}
