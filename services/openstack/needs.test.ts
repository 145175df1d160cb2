// What steps take and free, and what of it has to be there before they begin.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Found, Key } from '#engine/kind.ts';
import { keyOf } from '#engine/kind.ts';
import type { Action, Step } from '#engine/plan.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { asAmounts, needsOf, sumOf } from './needs.ts';

const FLAVORS = {
  small: { vcpus: 1, ram: 512, disk: 1 },
  large: { vcpus: 4, ram: 4096, disk: 10 },
} as const;
const flavors = (name: string) => FLAVORS[name as keyof typeof FLAVORS];

const server = (name: string, flavor = 'small') =>
  Resource.fromPartial({ name, kind: { $case: 'server', value: { spec: { flavor } } } });
const port = (name: string) => Resource.fromPartial({ name, kind: { $case: 'port', value: { spec: {} } } });
const group = (name: string, openEgress: boolean) =>
  Resource.fromPartial({ name, kind: { $case: 'securityGroup', value: { spec: { openEgress } } } });

type Parts = { desired?: Resource; held?: Resource; needs?: string[] };

function step(action: Action, { desired, held, needs = [] }: Parts): Step {
  const found: Found | undefined = held && {
    resource: { ...held, cloudId: 'c1' },
    uses: [],
    replacements: 0,
  };
  const key: Key = keyOf(desired ?? held ?? server('none'));
  const id = `${action} ${key}`;
  return { id, action, key, reason: '', needs, desired, found, replacements: 0 };
}

function sum(...steps: Step[]) {
  return sumOf(steps, needsOf(steps, flavors));
}

test('what is made takes, what is kept takes nothing', () => {
  const steps = [
    step('create', { desired: server('vm1') }),
    step('keep', { desired: server('vm2'), held: server('vm2') }),
  ];
  assert.deepEqual(sum(...steps), { instances: 1, vcpus: 1, ram: 512, disk: 1 });
});

test('a larger flavor takes the difference, and a smaller one makes no room that others could count on', () => {
  const grow = step('update', { desired: server('vm1', 'large'), held: server('vm1') });
  assert.deepEqual(sum(grow), { vcpus: 3, ram: 3584, disk: 9 });
  const shrink = step('update', { desired: server('vm2'), held: server('vm2', 'large') });
  assert.deepEqual(asAmounts(needsOf([shrink], flavors).get(shrink.id) ?? {}), [
    { name: 'disk', amount: -9 },
    { name: 'ram', amount: -3584 },
    { name: 'vcpus', amount: -3 },
  ]);
  assert.deepEqual(sum(grow, shrink), { vcpus: 3, ram: 3584, disk: 9 });
});

test('what is removed first makes room, what may be removed last does not', () => {
  const going = step('delete', { held: port('old') });
  const coming = step('create', { desired: port('new'), needs: [going.id] });
  assert.equal(sum(going, coming).ports, 0);
  assert.equal(sum(going, { ...coming, needs: [] }).ports, 1);
});

test('a thing made anew takes no more than the one it replaces', () => {
  const going = step('delete', { held: server('vm1') });
  const coming = step('replace', { desired: server('vm1', 'large'), needs: [going.id] });
  assert.deepEqual(sum(going, coming), { instances: 0, vcpus: 3, ram: 3584, disk: 9 });
});

test('a new group brings two rules for a while, also one that is to have none', () => {
  const made = step('create', { desired: group('shut', false) });
  assert.deepEqual(sum(made), { security_groups: 1, security_group_rules: 2 });
});
