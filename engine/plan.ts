// From what is wished and what is to the steps between them. Pure: the plan shown is the plan run.

import type { Failure } from '#common/errors.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { byKind, checkWish, dependenciesOf, KINDS } from './graph.ts';
import {
  type Difference,
  type Found,
  type Key,
  type KindName,
  type Kinds,
  keyOf,
  kindOf,
  type Readiness,
} from './kind.ts';

/** `replace` makes a thing anew; the `delete` step that it needs takes the old one away first. */
export type Action = 'create' | 'update' | 'replace' | 'delete' | 'keep';

export type Step = {
  /** Unique in the plan, such as `create server/vm1`. */
  readonly id: string;
  readonly action: Action;
  readonly key: Key;
  /** Why, for people. */
  readonly reason: string;
  /** Ids of the steps that must be done before. */
  readonly needs: readonly string[];
  /** What is wished; absent for `delete`. */
  readonly desired: Resource | undefined;
  /** What is there; absent for `create` and `replace`. */
  readonly found: Found | undefined;
  /** For `create` and `replace`: how often the thing was made anew after a failure, this time included. */
  readonly replacements: number;
};

export type Plan = {
  /** Each after those it needs. */
  readonly steps: readonly Step[];
  /** Resources that the cloud gave up: those that the steps replace, and those that may not be replaced (any more). */
  readonly broken: readonly Broken[];
};

type Broke = Extract<Readiness, { state: 'broken' }>;

export type Broken = { readonly found: Found; readonly failure: Failure; readonly replaced: boolean };

/** Why what is there goes. */
export const NOT_WISHED = 'it is not part of the slice';

export type PlanOptions = {
  readonly desired: readonly Resource[];
  readonly found: readonly Found[];
  readonly kinds: Kinds;
  /** Whether a broken resource may be replaced once more. */
  readonly mayReplace: (key: Key, readiness: Broke) => boolean;
};

export function plan(options: PlanOptions): Plan {
  checkWish(options.desired);
  const fates = decideFates(options);
  spreadReplacement(fates, options);
  return {
    steps: makeSteps(fates, options),
    broken: fates
      .filter(({ desired }) => desired)
      .flatMap(({ found, fate }) => {
        const readiness = options.kinds[kindOf(found.resource)].readiness(found.resource);
        if (readiness.state !== 'broken') return [];
        return [{ found, failure: readiness.failure, replaced: fate === 'replace' }];
      }),
  };
}

/** Whether nothing is left to do or to wait for. */
export function isDone({ steps, broken }: Plan, kinds: Kinds): boolean {
  return broken.length === 0 && steps.every((step) => step.action === 'keep' && isReady(step.found, kinds));
}

/** Counts by action, such as `create 3, delete 1`; empty if everything is kept. */
export function summarize({ steps }: Plan): string {
  return (['create', 'update', 'replace', 'delete'] as const)
    .map((action) => ({ action, count: steps.filter((step) => step.action === action).length }))
    .filter(({ count }) => count > 0)
    .map(({ action, count }) => `${count} to ${action}`)
    .join(', ');
}

/** What becomes of a thing that is there. */
type Fate = {
  fate: 'keep' | 'update' | 'replace' | 'delete' | 'broken';
  reason: string;
  readonly found: Found;
  readonly desired: Resource | undefined;
};

function decideFates({ desired, found, kinds, mayReplace }: PlanOptions): Fate[] {
  const wishes = new Map(desired.map((resource) => [keyOf(resource), resource]));
  const users = countUsers(found);
  return [...Map.groupBy(found, ({ resource }) => keyOf(resource))].flatMap(([key, all]) => {
    const wish = wishes.get(key);
    const rated = all
      .map((one) => ({ one, ...rate(one, wish, kinds), users: users.get(one.resource.cloudId) ?? 0 }))
      .sort(
        (a, b) =>
          a.score - b.score ||
          b.users - a.users ||
          (a.one.resource.cloudId < b.one.resource.cloudId ? -1 : 1),
      );
    return rated.map(({ one, difference, readiness }, index): Fate => {
      const base = { found: one, desired: index === 0 ? wish : undefined };
      if (!wish) return { ...base, fate: 'delete', reason: NOT_WISHED };
      if (index > 0) return { ...base, fate: 'delete', reason: 'a duplicate' };
      if (readiness.state === 'broken') {
        return {
          ...base,
          fate: mayReplace(key, readiness) ? 'replace' : 'broken',
          reason: readiness.failure.message,
        };
      }
      if (difference.type === 'equal') {
        return { ...base, fate: 'keep', reason: readiness.state === 'waiting' ? readiness.reason : '' };
      }
      return {
        ...base,
        fate: difference.type === 'change' ? 'update' : 'replace',
        reason: difference.reason,
      };
    });
  });
}

/** Of several of one name the best is kept: least different, most ready, most used, and then the same one every time. */
function rate(
  found: Found,
  wish: Resource | undefined,
  kinds: Kinds,
): { difference: Difference; readiness: Readiness; score: number } {
  const kind = kinds[kindOf(found.resource)];
  const readiness = kind.readiness(found.resource);
  const difference: Difference = wish ? kind.difference(wish, found.resource) : { type: 'equal' };
  const score =
    { ready: 0, waiting: 1, broken: 4 }[readiness.state] +
    { equal: 0, change: 0, replace: 2 }[difference.type];
  return { difference, readiness, score };
}

/** What stands on a thing that goes must go before it, and is made anew if it is wished. */
function spreadReplacement(fates: readonly Fate[], { kinds }: PlanOptions): void {
  const byId = new Map(fates.map((fate) => [fate.found.resource.cloudId, fate]));
  for (const fate of fates.toSorted((a, b) => byKind(a.found.resource, b.found.resource))) {
    if (fate.fate === 'delete' || fate.fate === 'replace') continue;
    for (const id of fate.found.uses) {
      const under = byId.get(id);
      if (!under || (under.fate !== 'delete' && under.fate !== 'replace')) continue;
      const underKey = keyOf(under.found.resource);
      const underKind = kindOf(under.found.resource);
      const { rebinds, survives = [] } = kinds[kindOf(fate.found.resource)];
      if (survives.includes(underKind) || (under.fate === 'delete' && rebinds.includes(underKind))) {
        if (fate.fate === 'keep') Object.assign(fate, { fate: 'update', reason: `${underKey} goes` });
        continue;
      }
      Object.assign(fate, { fate: 'replace', reason: `${underKey} goes, which it stands on` });
      break;
    }
  }
}

function makeSteps(fates: readonly Fate[], { desired, kinds }: PlanOptions): Step[] {
  const fateByKey = new Map(
    fates.filter((fate) => fate.desired).map((fate) => [keyOf(fate.found.resource), fate]),
  );
  const deletions = makeDeletions(fates, kinds);
  const room = roomMakers(deletions);
  const steps = new Map(deletions.map((step) => [step.id, step]));
  const idByKey = new Map<Key, string>();
  for (const wish of desired.toSorted(byKind)) {
    const key = keyOf(wish);
    const fate = fateByKey.get(key);
    const needs = dependenciesOf(wish).flatMap((dependency) => idByKey.get(dependency) ?? []);
    const base = { key, desired: wish, needs, reason: fate?.reason ?? 'missing', replacements: 0 };
    const step: Step =
      fate === undefined
        ? { ...base, id: `create ${key}`, action: 'create', found: undefined }
        : fate.fate === 'replace'
          ? {
              ...base,
              id: `replace ${key}`,
              action: 'replace',
              found: undefined,
              needs: [...needs, deleteId(fate.found)],
              replacements: fate.found.replacements + (isBroken(fate.found, kinds) ? 1 : 0),
            }
          : fate.fate === 'update'
            ? { ...base, id: updateId(fate.found), action: 'update', found: fate.found }
            : { ...base, id: `keep ${key}`, action: 'keep', found: fate.found, needs: [] };
    idByKey.set(key, step.id);
    const makes = step.action === 'create' || step.action === 'replace';
    steps.set(step.id, makes ? { ...step, needs: [...step.needs, ...(room.get(kindOf(wish)) ?? [])] } : step);
  }
  return inOrder(steps);
}

/** A thing goes after everything that stands on it has gone or has let go of it, where it does not do so by itself. */
function makeDeletions(fates: readonly Fate[], kinds: Kinds): Step[] {
  const going = new Map(
    fates
      .filter(({ fate }) => fate === 'delete' || fate === 'replace')
      .map((fate) => [fate.found.resource.cloudId, fate]),
  );
  const isTakenAlong = ({ found, fate }: Fate): boolean => {
    const { goesWith = [] } = kinds[kindOf(found.resource)];
    const under = found.uses.flatMap((id) => going.get(id) ?? []);
    return fate === 'delete' && under.some((one) => goesWith.includes(kindOf(one.found.resource)));
  };
  const users = Map.groupBy(
    fates.flatMap((fate) => fate.found.uses.map((id) => ({ id, fate }))),
    ({ id }) => id,
  );
  return [...going.values()]
    .filter((one) => !isTakenAlong(one))
    .map(({ found, fate, reason }) => ({
      id: deleteId(found),
      action: 'delete' as const,
      key: keyOf(found.resource),
      reason: fate === 'replace' ? `to be replaced: ${reason}` : reason,
      needs: (users.get(found.resource.cloudId) ?? [])
        .filter(({ fate: user }) => !isTakenAlong(user) && !letsGo(user, found, kinds))
        .map(({ fate: user }) => (user.fate === 'update' ? updateId(user.found) : deleteId(user.found))),
      desired: undefined,
      found,
      replacements: 0,
    }));
}

function letsGo(user: Fate, { resource }: Found, kinds: Kinds): boolean {
  return kinds[kindOf(user.found.resource)].survives?.includes(kindOf(resource)) ?? false;
}

/**
 * What is removed makes room (quota, addresses) for what is made of the same kind, so it goes first, unless its going
 * waits for a change, which in turn may wait for what is made.
 */
function roomMakers(deletions: readonly Step[]): ReadonlyMap<KindName, readonly string[]> {
  const byId = new Map(deletions.map((step) => [step.id, step]));
  // A removal needs only changes and removals of kinds further up, so that this ends.
  const waits = new Map<string, boolean>();
  const waitsForChange = (id: string): boolean => {
    const known = waits.get(id) ?? byId.get(id)?.needs.some(waitsForChange) ?? true;
    waits.set(id, known);
    return known;
  };
  const free = deletions.filter(({ id }) => !waitsForChange(id));
  const byKind = Map.groupBy(free, ({ key }) => key.split('/')[0] as KindName);
  return new Map([...byKind].map(([kind, steps]) => [kind, steps.map(({ id }) => id)]));
}

/** Kinds in the order of dependency, removals the other way round and first. */
function inOrder(steps: ReadonlyMap<string, Step>): Step[] {
  const rank = (step: Step): number => {
    const kind = KINDS.findIndex((name) => step.key.startsWith(`${name}/`));
    return step.action === 'delete' ? -kind - 1 : kind;
  };
  return [...steps.values()].sort((a, b) => rank(a) - rank(b));
}

function countUsers(found: readonly Found[]): Map<string, number> {
  const users = new Map<string, number>();
  for (const { uses } of found) for (const id of uses) users.set(id, (users.get(id) ?? 0) + 1);
  return users;
}

function isReady(found: Found | undefined, kinds: Kinds): boolean {
  return !!found && kinds[kindOf(found.resource)].readiness(found.resource).state === 'ready';
}

function isBroken(found: Found, kinds: Kinds): boolean {
  return kinds[kindOf(found.resource)].readiness(found.resource).state === 'broken';
}

/** With the cloud's id, as several things of one name may have to go. */
export function deleteId({ resource }: Found): string {
  return `delete ${keyOf(resource)} ${resource.cloudId}`;
}

function updateId({ resource }: Found): string {
  return `update ${keyOf(resource)}`;
}
