// How many calls that change a cloud are under way at once, over all runs that share the cloud. Runs take turns, one call
// each, so that a big slice keeps no small one waiting.

export type Gate = {
  /** What one run comes with. `onTurn` is called when a place is kept for a run that had to wait. */
  join(onTurn: () => void): Pass;
  /** How many runs there are. */
  runs(): number;
};

export type Pass = {
  /** Takes a place for one call. If there is none, or others wait, the run waits for its turn from now on. */
  enter(): boolean;
  /** Gives back a place that was taken. */
  leave(): void;
  isWaiting(): boolean;
  /** Waits no more, and gives back a place that was kept. */
  withdraw(): void;
  /** The run is over. */
  close(): void;
};

export function createGate(places: number): Gate {
  type Run = { isOffered: boolean; readonly onTurn: () => void };
  const waiting: Run[] = [];
  const runs = new Set<Run>();
  let free = places;

  function giveBack(): void {
    const next = waiting.shift();
    if (!next) {
      free++;
      return;
    }
    next.isOffered = true;
    next.onTurn();
  }

  function withdraw(run: Run): void {
    const at = waiting.indexOf(run);
    if (at >= 0) waiting.splice(at, 1);
    if (!run.isOffered) return;
    run.isOffered = false;
    giveBack();
  }

  return {
    runs: () => runs.size,
    join(onTurn) {
      const run: Run = { isOffered: false, onTurn };
      runs.add(run);
      return {
        enter() {
          if (run.isOffered) {
            run.isOffered = false;
            return true;
          }
          if (free > 0) {
            free--;
            return true;
          }
          if (!waiting.includes(run)) waiting.push(run);
          return false;
        },
        leave: giveBack,
        isWaiting: () => run.isOffered || waiting.includes(run),
        withdraw: () => withdraw(run),
        close() {
          withdraw(run);
          runs.delete(run);
        },
      };
    },
  };
}
