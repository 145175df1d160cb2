// From a callback to a loop: what is pushed on one end is iterated on the other.

export type Channel<T> = {
  push(item: T): void;
  /** No more will come. */
  close(): void;
  /** Everything pushed, in order, until it is closed. For one reader. */
  items(): AsyncGenerator<T, void>;
};

export function createChannel<T>(): Channel<T> {
  const queue: T[] = [];
  let isClosed = false;
  let wake: (() => void) | undefined;
  return {
    push(item) {
      queue.push(item);
      wake?.();
    },
    close() {
      isClosed = true;
      wake?.();
    },
    async *items() {
      for (;;) {
        yield* queue.splice(0);
        if (queue.length > 0) continue;
        if (isClosed) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
