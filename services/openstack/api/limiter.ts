// At most so many requests to a cloud at once, a few of which are kept for each service: one that hangs fills the line with
// its own requests only. Those that wait are served in order and leave the line when called off.

import { calledOff } from './called-off.ts';

export type Limiter<Lane extends string> = {
  /** Resolves with the function that gives the place back. */
  acquire(lane: Lane, signal: AbortSignal): Promise<() => void>;
};

type Waiter = { readonly number: number; readonly enter: () => void };
type LaneState = { used: number; readonly waiting: Set<Waiter> };

/** A lane alone gets half of all places and what the others need not have kept for them: of 32 for five, 20. */
export function createLimiter<Lane extends string>(max: number, lanes: readonly Lane[]): Limiter<Lane> {
  const kept = Math.floor(max / 2 / lanes.length);
  const states = new Map<Lane, LaneState>(lanes.map((lane) => [lane, { used: 0, waiting: new Set() }]));
  let used = 0;
  let arrivals = 0;

  function hasPlace(state: LaneState): boolean {
    let keptForOthers = 0;
    for (const other of states.values()) {
      if (other !== state) keptForOthers += Math.max(0, kept - other.used);
    }
    return used + keptForOthers < max;
  }

  function enter(state: LaneState): () => void {
    used += 1;
    state.used += 1;
    let isGivenBack = false;
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      used -= 1;
      state.used -= 1;
      admitNext();
    };
  }

  /** Whoever has waited longest among those whose lane has a place. One place was given back, so one gets in. */
  function admitNext(): void {
    let next: Waiter | undefined;
    for (const state of states.values()) {
      const [first] = state.waiting;
      if (first && (!next || first.number < next.number) && hasPlace(state)) next = first;
    }
    next?.enter();
  }

  return {
    async acquire(lane, signal) {
      if (signal.aborted) throw calledOff(signal);
      const state = states.get(lane);
      if (state === undefined) throw new Error(`There is no lane "${lane}"`);
      if (state.waiting.size === 0 && hasPlace(state)) return enter(state);
      return await new Promise((resolve, reject) => {
        const waiter = {
          number: arrivals++,
          enter: () => {
            state.waiting.delete(waiter);
            signal.removeEventListener('abort', leave);
            resolve(enter(state));
          },
        };
        const leave = () => {
          state.waiting.delete(waiter);
          reject(calledOff(signal));
        };
        state.waiting.add(waiter);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
  };
}
