// What the fake driver plans: a step for each resource, and the quotas of the one project that all slices lie in.

import type { PlanResponse } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { type Amount, type PlannedStep, StepAction } from '#proto/pucp/slice/v1/plan.ts';

export type FlavorSize = { readonly vcpus: number; readonly ram: number; readonly disk: number };

export type FakeLook = {
  readonly desired: readonly Resource[];
  /** What the cloud holds of the slice. */
  readonly held: readonly Resource[];
  /** What it holds of all slices. */
  readonly all: readonly Resource[];
  readonly limits: ReadonlyMap<string, number>;
  readonly flavors: Readonly<Record<string, FlavorSize>>;
};

type FakePlan = Pick<PlanResponse, 'steps' | 'quotas' | 'digest'>;

export function fakePlan({ desired, held, all, limits, flavors }: FakeLook): FakePlan {
  const there = new Map(held.map((resource) => [keyOf(resource), resource]));
  const wished = new Set(desired.map(keyOf));
  const steps = [
    ...held.filter((one) => !wished.has(keyOf(one))).map((one) => stepOf(StepAction.DELETE, one, [])),
    ...desired.map((wish) => {
      const found = there.get(keyOf(wish));
      if (!found) return stepOf(StepAction.CREATE, wish, needsOf(wish, flavors));
      const isSame = JSON.stringify(wish.kind?.value.spec) === JSON.stringify(found.kind?.value.spec);
      return stepOf(isSame ? StepAction.KEEP : StepAction.UPDATE, found, []);
    }),
  ];
  const needed = sumOf(steps.flatMap(({ needs }) => needs));
  const used = sumOf(all.flatMap((one) => needsOf(one, flavors)));
  const quotas = [...needed].map(([name, amount]) => ({
    name,
    needed: amount,
    used: used.get(name) ?? 0,
    limit: limits.get(name) ?? -1,
    reserved: 0,
  }));
  const work = steps.filter(({ action }) => action !== StepAction.KEEP);
  quotas.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { steps, quotas, digest: JSON.stringify([work, desired]) };
}

function stepOf(action: StepAction, { name, cloudId, kind }: Resource, needs: Amount[]): PlannedStep {
  const resourceKind = (kind?.$case ?? '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const reason = action === StepAction.CREATE ? 'missing' : '';
  return { action, resourceKind, resourceName: name, cloudId, reason, needs };
}

function needsOf({ kind }: Resource, flavors: FakeLook['flavors']): Amount[] {
  if (kind?.$case === 'network') return [{ name: 'networks', amount: 1 }];
  if (kind?.$case === 'port') return [{ name: 'ports', amount: 1 }];
  if (kind?.$case !== 'server') return [];
  const { vcpus = 0, ram = 0, disk = 0 } = flavors[kind.value.spec?.flavor ?? ''] ?? {};
  return Object.entries({ instances: 1, vcpus, ram, disk }).map(([name, amount]) => ({ name, amount }));
}

function sumOf(amounts: readonly Amount[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { name, amount } of amounts) sums.set(name, (sums.get(name) ?? 0) + amount);
  return sums;
}

function keyOf({ name, kind }: Resource): string {
  return `${kind?.$case} ${name}`;
}
