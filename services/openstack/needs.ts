// What the steps of a plan take of what the cloud's services limit. What becomes free has an amount below zero.

import type { Step } from '#engine/plan.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import type { Amount } from '#proto/pucp/slice/v1/plan.ts';

/** By the names of the proto's Amount. */
export type Amounts = Readonly<Record<string, number>>;
export type FlavorSize = { readonly vcpus: number; readonly ram: number; readonly disk: number };

/** A flavor's size by the name in a wish; undefined if it means nothing any more. */
export type Flavors = (name: string) => FlavorSize | undefined;

/** By the step's id, for each step that takes or frees anything. */
export function needsOf(steps: readonly Step[], flavors: Flavors): ReadonlyMap<string, Amounts> {
  return new Map(
    steps.map((step) => {
      // From a size that nobody knows any more nobody can tell how far it is: the cloud refuses by itself.
      if (step.action === 'update' && isOfUnknownSize(step, flavors)) return [step.id, {}];
      return [step.id, difference(wishedBy(step, flavors), heldBy(step, flavors))];
    }),
  );
}

/**
 * What has to be free before the steps begin. What a removal frees counts for what waits for it; any other removal may
 * come after all creations.
 */
export function sumOf(steps: readonly Step[], needs: ReadonlyMap<string, Amounts>): Amounts {
  const awaited = new Set(steps.filter(({ action }) => isMaking(action)).flatMap((step) => step.needs));
  const counted = steps.filter(({ id, action }) => action !== 'delete' || awaited.has(id));
  const sum: Record<string, number> = {};
  for (const { id, action } of counted) {
    for (const [name, amount] of Object.entries(needs.get(id) ?? {})) {
      // A server that shrinks may do so last.
      const taken = action === 'update' ? Math.max(0, amount) : amount;
      sum[name] = (sum[name] ?? 0) + taken;
    }
  }
  return sum;
}

/** In the order of the names. */
export function asAmounts(amounts: Amounts): Amount[] {
  return Object.entries(amounts)
    .map(([name, amount]) => ({ name, amount }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function isOfUnknownSize({ found }: Step, flavors: Flavors): boolean {
  const kind = found?.resource.kind;
  return kind?.$case === 'server' && flavors(kind.value.spec?.flavor ?? '') === undefined;
}

function isMaking(action: Step['action']): boolean {
  return action === 'create' || action === 'replace';
}

function wishedBy({ action, desired }: Step, flavors: Flavors): Amounts {
  if (!desired || action === 'keep') return {};
  const amounts = amountsOf(desired, flavors);
  // Neutron gives each new group two rules, also those that are taken away again.
  return isMaking(action) && desired.kind?.$case === 'securityGroup'
    ? { ...amounts, security_group_rules: 2 }
    : amounts;
}

function heldBy({ action, found }: Step, flavors: Flavors): Amounts {
  return found && action !== 'keep' ? amountsOf(found.resource, flavors) : {};
}

function amountsOf({ kind }: Resource, flavors: Flavors): Amounts {
  switch (kind?.$case) {
    case undefined:
      return {};
    case 'network':
      return { networks: 1 };
    case 'subnet':
      return { subnets: 1, ports: kind.value.spec?.dhcp ? DHCP_PORTS : 0 };
    case 'router':
      // The port of its gateway belongs to no project.
      return { routers: 1 };
    case 'routerInterface':
    case 'port':
      return { ports: 1 };
    case 'securityGroup':
      return {
        security_groups: 1,
        security_group_rules: kind.value.status?.openEgressRules ?? (kind.value.spec?.openEgress ? 2 : 0),
      };
    case 'securityRule':
      return { security_group_rules: 1 };
    case 'volume':
      return { volumes: 1, volume_gigabytes: kind.value.spec?.size ?? 0 };
    case 'floatingIp':
      // The port of its address belongs to no project, either.
      return { floating_ips: 1 };
    case 'server': {
      const { vcpus, ram, disk } = flavors(kind.value.spec?.flavor ?? '') ?? { vcpus: 0, ram: 0, disk: 0 };
      return { instances: 1, vcpus, ram, disk };
    }
  }
}

/**
 * Neutron's DHCP agent makes its port in the network's project, also beyond the project's limit: it is never refused, but
 * takes the room of one that would be (seen on Zed). Where several agents serve a network there are more.
 */
const DHCP_PORTS = 1;

function difference(wished: Amounts, held: Amounts): Amounts {
  const names = new Set([...Object.keys(wished), ...Object.keys(held)]);
  const entries = [...names].map((name) => [name, (wished[name] ?? 0) - (held[name] ?? 0)] as const);
  return Object.fromEntries(entries.filter(([, amount]) => amount !== 0));
}
