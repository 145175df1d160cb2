// What the cloud may do to a worker: refuse, fail once or for ever, lose answers, show what was, break what it made.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type KindName, kindOf } from '#engine/kind.ts';
import { OnFailure, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { anyMoment, anyWish, entryAt, type Law, law, mustConverge } from './law.ts';

/** The call that makes each kind. */
const CALLS: Readonly<Record<KindName, { readonly method: string; readonly path: string }>> = {
  network: { method: 'POST', path: '/networks$' },
  subnet: { method: 'POST', path: '/subnets$' },
  router: { method: 'POST', path: '/routers$' },
  routerInterface: { method: 'PUT', path: '/add_router_interface$' },
  securityGroup: { method: 'POST', path: '/security-groups$' },
  securityRule: { method: 'POST', path: '/security-group-rules$' },
  volume: { method: 'POST', path: '/volumes$' },
  port: { method: 'POST', path: '/ports$' },
  floatingIp: { method: 'POST', path: '/floatingips$' },
  server: { method: 'POST', path: '/servers$' },
};
const ONE_BY_ONE: readonly KindName[] = ['router', 'routerInterface', 'volume', 'floatingIp', 'server'];
const ANY_CHANGE = '^/(compute|networking|volume)/';

const passing = fc.constantFrom(
  { effect: 'error-before', status: 500 },
  { effect: 'error-before', status: 503 },
  { effect: 'error-before', status: 409 },
  { effect: 'error-after', status: 500 },
  { effect: 'error-after', status: 504 },
  { effect: 'drop-after' },
  { effect: 'reset' },
  { effect: 'garbage' },
  { effect: '429', retry_after: null },
  { effect: 'token-revoked' },
  { effect: 'delay', delay_ms: 60 },
  { effect: 'delay-after', delay_ms: 60 },
);
const final = fc.constantFrom(400, 403, 405);

/** One of the calls that a wish takes. */
function callFor(desired: readonly Resource[], moment: number) {
  const kinds = [...new Set(desired.map(kindOf))];
  const kind = kinds[Math.floor(moment * kinds.length)] ?? 'network';
  const count = ONE_BY_ONE.includes(kind) ? desired.filter((one) => kindOf(one) === kind).length : 1;
  return { kind, match: CALLS[kind], skip: Math.floor(((moment * 7919) % 1) * count) };
}

export const laws: Readonly<Record<string, Law>> = {
  'a step that failed once': law(
    [anyWish, anyMoment, passing],
    async ({ lane, slice }, desired, moment, how) => {
      const { match, skip } = callFor(desired, moment);
      await lane.fault({ match, skip, ...how });
      await mustConverge(slice, { desired });
      assert.equal(await lane.clear(), 1, 'the fault struck');
    },
  ),

  'a removal that failed once': law(
    [anyWish, anyMoment, passing],
    async ({ lane, slice }, desired, moment, how) => {
      await mustConverge(slice, { desired });
      await lane.fault({ match: { method: 'DELETE' }, skip: Math.floor(moment * desired.length), ...how });
      await mustConverge(slice, { desired: [] });
    },
  ),

  'a list that failed once': law(
    [anyWish, anyMoment, passing],
    async ({ lane, slice }, desired, moment, how) => {
      await lane.fault({ match: { method: 'GET', path: ANY_CHANGE }, skip: Math.floor(moment * 60), ...how });
      await mustConverge(slice, { desired });
    },
  ),

  'lists that were stale': law(
    [anyWish, anyMoment, fc.integer({ min: 1, max: 12 }), fc.constantFrom('network', 'compute', 'volume')],
    async ({ lane, slice }, desired, moment, times, service) => {
      const entry = entryAt(desired, moment);
      await mustConverge(slice, {
        desired,
        async onEntry(_entry, count) {
          if (count === entry) await lane.fault({ match: { service }, effect: 'stale-list', times });
        },
      });
    },
  ),

  'a server that broke': law([anyWish, anyMoment], async ({ lane, slice }, desired, moment) => {
    const servers = desired.filter((one) => kindOf(one) === 'server').length;
    await lane.fault({ effect: 'server-error', skip: Math.floor(moment * servers) });
    await mustConverge(slice, { desired });
    assert.equal(await lane.clear(), 1, 'the fault struck');
  }),

  'servers that broke for ever': law([anyWish], async ({ lane, slice }, desired) => {
    await lane.fault({ effect: 'server-error', times: null });
    const { outcome, errorMessage } = await slice.converge({ desired });
    assert.equal(outcome, Outcome.ROLLED_BACK);
    assert.match(errorMessage, /Exhausted all hosts/);
    slice.assertWorld([]);
  }),

  'a step that was refused for ever': law(
    [anyWish, anyMoment, final],
    async ({ lane, slice }, desired, moment, status) => {
      const { match, skip } = callFor(desired, moment);
      await lane.fault({ match, skip, effect: 'error-before', status, times: null });
      const { outcome, errorMessage } = await slice.converge({ desired });
      assert.notEqual(errorMessage, '');
      assert.equal(outcome, Outcome.ROLLED_BACK);
      slice.assertWorld([]);
    },
  ),

  'a step that failed until patience ended': law(
    [anyWish, anyMoment],
    async ({ lane, slice }, desired, moment) => {
      const { match, skip } = callFor(desired, moment);
      await lane.fault({ match, skip, effect: 'error-before', times: null });
      const { outcome } = await slice.converge({ desired, limits: { stepMs: 150 } });
      assert.equal(outcome, Outcome.ROLLED_BACK);
      slice.assertWorld([]);
    },
  ),

  'a failure that was kept and repaired': law(
    [anyWish, anyMoment, final],
    async ({ lane, slice }, desired, moment, status) => {
      const { match, skip } = callFor(desired, moment);
      await lane.fault({ match, skip, effect: 'error-before', status, times: null });
      const { outcome } = await slice.converge({ desired, onFailure: OnFailure.KEEP });
      assert.equal(outcome, Outcome.FAILED);
      await lane.clear();
      await mustConverge(slice, { desired });
    },
  ),

  'every answer was lost': law(
    [anyWish, fc.constantFrom('drop-after', 'error-after')],
    async ({ lane, slice }, desired, effect) => {
      for (const method of ['POST', 'PUT', 'DELETE']) {
        await lane.fault({ match: { method, path: ANY_CHANGE }, effect, times: null });
      }
      await mustConverge(slice, { desired });
      await mustConverge(slice, { desired: [] });
    },
  ),
};
