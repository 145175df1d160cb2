// What may happen to a worker: killed, called off, overtaken, paused, run twice.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Failure } from '#common/errors.ts';
import { OnFailure } from '#proto/pucp/driver/v1/driver_service.ts';
import {
  anyMoment,
  anyWish,
  calledOffAt,
  endsOrCancelled,
  entryAt,
  killedAt,
  type Law,
  law,
  mustConverge,
  mustSettle,
} from './law.ts';

export const laws: Readonly<Record<string, Law>> = {
  'a run that was repeated': law([anyWish], async ({ lane, slice }, desired) => {
    await mustConverge(slice, { desired });
    const before = lane.writes();
    await mustConverge(slice, { desired });
    assert.equal(lane.writes(), before, 'the second run changed nothing');
  }),

  'a kill at any entry': law([anyWish, anyMoment, anyMoment], async ({ slice }, desired, first, second) => {
    await killedAt(slice, { desired }, entryAt(desired, first));
    if (second < 0.3) await killedAt(slice, { desired }, entryAt(desired, second));
    await mustConverge(slice, { desired });
  }),

  'a kill during the removal': law([anyWish, anyMoment], async ({ slice }, desired, moment) => {
    await mustConverge(slice, { desired });
    await killedAt(slice, { desired: [] }, entryAt(desired, moment));
    await mustConverge(slice, { desired: [] });
  }),

  'a kill during a change': law([anyWish, anyWish, anyMoment], async ({ slice }, desired, other, moment) => {
    await mustConverge(slice, { desired });
    await killedAt(slice, { desired: other, onFailure: OnFailure.KEEP }, entryAt(other, moment));
    await mustConverge(slice, { desired: other });
  }),

  'a removal during the deployment': law(
    [anyWish, anyMoment, fc.boolean()],
    async ({ slice }, desired, moment, isKilled) => {
      await (isKilled ? killedAt : calledOffAt)(slice, { desired }, entryAt(desired, moment));
      await mustConverge(slice, { desired: [] });
    },
  ),

  'a change during the deployment': law(
    [anyWish, anyWish, anyMoment],
    async ({ slice }, desired, other, moment) => {
      await calledOffAt(slice, { desired }, entryAt(desired, moment));
      await mustConverge(slice, { desired: other });
    },
  ),

  'a worker that another one overtook': law([anyWish, anyMoment], async ({ slice }, desired, moment) => {
    const fence = new AbortController();
    const fenced = new Failure({ code: 'ABORTED', reason: 'FENCED', message: 'fenced', retryable: false });
    let second: Promise<unknown> | undefined;
    const entry = entryAt(desired, moment);
    await endsOrCancelled(
      slice.converge({
        desired,
        signal: fence.signal,
        onEntry(_entry, count) {
          if (count < entry) return;
          second ??= slice.converge({ desired });
          fence.abort(fenced);
          throw fenced;
        },
      }),
    );
    await second;
    await mustConverge(slice, { desired });
  }),

  'a worker that was paused before a call': law(
    [anyWish, fc.constantFrom('same', 'nothing'), anyMoment],
    async ({ slice }, desired, goal, moment) => {
      const fence = new AbortController();
      const fenced = new Failure({ code: 'ABORTED', reason: 'FENCED', message: 'fenced', retryable: false });
      let paused: Promise<void> | undefined;
      const next = goal === 'same' ? desired : [];
      const entry = entryAt(desired, moment);
      await endsOrCancelled(
        slice.converge({
          desired,
          signal: fence.signal,
          async onEntry(_entry, count) {
            if (count < entry) return;
            const isFirst = paused === undefined;
            // Nothing else of it happens either while it is paused. Then the call that had passed its check goes out.
            paused ??= mustSettle(slice, next);
            await paused;
            fence.abort(fenced);
            if (!isFirst) throw fenced;
          },
        }),
      );
      await mustConverge(slice, { desired: next });
    },
  ),
};
