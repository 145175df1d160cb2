// How many calls that change a cloud are under way at once, over all runs that share the cloud. Runs take turns, one call
// each, so that a big slice keeps no small one waiting.

export type Gate = {
  /** What one run comes and goes with. `onTurn` is called when a place is kept for a run that had to wait. */
  join(onTurn: () => void): Pass;
};

export type Pass = {
  /** Takes a place for one call. If there is none, or others wait, the run waits for its turn from now on. */
  enter(): boolean;
  /** Gives back a place that was taken. */
  leave(): void;
  isWaiting(): boolean;
  /** Waits no more, and gives back a place that was kept. */
  withdraw(): void;
};

export function createGate(places: number): Gate {
  type Run = { isOffered: boolean; readonly onTurn: () => void };
  const waiting: Run[] = [];
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

  return {
    join(onTurn) {
      const run: Run = { isOffered: false, onTurn };
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
        withdraw() {
          const at = waiting.indexOf(run);
          if (at >= 0) waiting.splice(at, 1);
          if (!run.isOffered) return;
          run.isOffered = false;
          giveBack();
        },
      };
    },
  };
}
