import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { dependenciesOf } from './graph.ts';
import { type Found, keyOf } from './kind.ts';
import { isDone, type Plan, plan, summarize } from './plan.ts';
import { createFakeCloud } from './testing/fake-cloud.ts';
import { createVirtualClock } from './testing/virtual-clock.ts';
import { shapes, wishOf } from './testing/wishes.ts';

const { kinds } = createFakeCloud({ clock: createVirtualClock() });

/** The world in which a wish is fulfilled. */
function worldOf(desired: readonly Resource[], prefix = 'id'): Found[] {
  return desired.map((resource) => ({
    resource: { ...resource, cloudId: `${prefix}-${keyOf(resource)}` },
    uses: dependenciesOf(resource).map((key) => `${prefix}-${key}`),
    replacements: 0,
  }));
}
const planOf = (desired: readonly Resource[], found: readonly Found[], mayReplace = true): Plan =>
  plan({ desired, found, kinds, mayReplace: () => mayReplace });
const lab = wishOf({ routed: [true], servers: [[0], [0]] });
const idsOf = (one: Plan) => one.steps.filter(({ action }) => action !== 'keep').map(({ id }) => id);

test('a plan against an equal world is empty', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const desired = wishOf(shape);
      const next = planOf(desired, worldOf(desired));
      assert.ok(isDone(next, kinds));
      assert.equal(summarize(next), '');
    }),
  );
});

test('steps can always be run in the order of the plan, whatever is there', () => {
  fc.assert(
    fc.property(shapes, shapes, fc.boolean(), (one, other, isTwice) => {
      const world = [...worldOf(wishOf(one)), ...(isTwice ? worldOf(wishOf(one), 'twin') : [])];
      const { steps } = planOf(wishOf(other), world);
      const done = new Set<string>();
      let left = [...steps];
      while (left.length > 0) {
        const next = left.filter(({ needs }) => needs.every((id) => done.has(id)));
        assert.notEqual(next.length, 0, `stuck at ${left.map(({ id }) => id)}`);
        for (const { id } of next) done.add(id);
        left = left.filter(({ id }) => !done.has(id));
      }
      assert.equal(new Set(steps.map(({ id }) => id)).size, steps.length);
    }),
  );
});

test('everything is removed after what stands on it', () => {
  const { steps } = planOf([], worldOf(lab));
  const needsOf = (id: string) => steps.find((step) => step.id === id)?.needs;
  assert.deepEqual(needsOf('delete port/vm0-net0 id-port/vm0-net0'), ['delete server/vm0 id-server/vm0']);
  assert.deepEqual(needsOf('delete router/gw id-router/gw'), [
    'delete routerInterface/net0 id-routerInterface/net0',
  ]);
  assert.equal(needsOf('delete network/net0 id-network/net0')?.length, 3);
});

test('a network that has to be replaced takes along what stands on it, and nothing else', () => {
  const world = worldOf(wishOf({ routed: [true, false], servers: [[0], [1]] }));
  const desired = wishOf({ routed: [true, false], servers: [[0], [1]] }).map((resource) =>
    keyOf(resource) === 'network/net1'
      ? {
          ...resource,
          kind: { $case: 'network' as const, value: { spec: { vlanId: 7 }, status: undefined } },
        }
      : resource,
  );
  const next = planOf(desired, world);
  assert.deepEqual(
    next.steps.filter(({ action }) => action === 'replace').map(({ key }) => key),
    ['network/net1', 'subnet/net1', 'port/vm1-net1', 'server/vm1'],
  );
  assert.equal(summarize(next), '4 to replace, 4 to delete');
});

test('a node that loses a link lets go of its port before the port is removed', () => {
  const world = worldOf(wishOf({ routed: [false, false], servers: [[0, 1]] }));
  const next = planOf(wishOf({ routed: [false, false], servers: [[0]] }), world);
  assert.deepEqual(idsOf(next).sort(), ['delete port/vm0-net1 id-port/vm0-net1', 'update server/vm0']);
  assert.deepEqual(next.steps.find(({ action }) => action === 'delete')?.needs, ['update server/vm0']);
});

test('a broken server is replaced if it may be, and named otherwise', () => {
  const world = worldOf(lab).map((found) =>
    keyOf(found.resource) === 'server/vm1'
      ? { ...found, resource: { ...found.resource, message: 'broken' }, replacements: 3 }
      : found,
  );
  const may = planOf(lab, world);
  assert.deepEqual(idsOf(may), ['delete server/vm1 id-server/vm1', 'replace server/vm1']);
  assert.equal(may.steps.find(({ action }) => action === 'replace')?.replacements, 4);
  const mayNot = planOf(lab, world, false);
  assert.deepEqual(idsOf(mayNot), []);
  assert.equal(mayNot.broken[0]?.replaced, false);
  assert.equal(isDone(mayNot, kinds), false);
});

test('of several of one name the one in use is kept', () => {
  const world = worldOf(lab);
  const [network] = world;
  assert.ok(network);
  const twin = { ...network, resource: { ...network.resource, cloudId: 'a-twin' } };
  const next = planOf(lab, [twin, ...world]);
  assert.deepEqual(idsOf(next), ['delete network/net0 a-twin']);
  assert.equal(next.steps[0]?.reason, 'a duplicate');
});

test('room is made before it is taken: what goes of a kind goes before what comes', () => {
  const renamed: Resource[] = JSON.parse(JSON.stringify(lab).replaceAll('vm1', 'vm9'));
  const { steps } = planOf(renamed, worldOf(lab));
  const create = steps.find(({ id }) => id === 'create port/vm9-net0');
  assert.ok(create?.needs.includes('delete port/vm1-net0 id-port/vm1-net0'));
});
