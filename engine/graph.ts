// What depends on what: one line a kind. Everything about order follows from it.

import { type FieldViolation, invalid } from '#common/errors.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { type Key, type KindName, keyOf, kindOf } from './kind.ts';

/** The kinds, each after those it depends on. */
export const KINDS = [
  'network',
  'router',
  'subnet',
  'routerInterface',
  'securityGroup',
  'securityRule',
  'volume',
  'port',
  'floatingIp',
  'server',
] as const satisfies readonly KindName[];

const LABELS: Partial<Record<KindName, string>> = {
  routerInterface: 'router interface',
  securityGroup: 'security group',
  securityRule: 'security rule',
  floatingIp: 'floating IP',
};

/** A kind as people read it: `router interface`. */
export function labelOf(kind: KindName): string {
  return LABELS[kind] ?? kind;
}

/** What must be ready before a resource can be made, by slice-local names. */
export function dependenciesOf(resource: Resource): readonly Key[] {
  const kind = resource.kind;
  switch (kind?.$case) {
    case undefined:
    case 'network':
    case 'router':
    case 'securityGroup':
    case 'volume':
      return [];
    case 'subnet':
      return keys('network', kind.value.spec?.network);
    case 'routerInterface':
      return [...keys('router', kind.value.spec?.router), ...keys('subnet', kind.value.spec?.subnet)];
    case 'securityRule':
      return keys('securityGroup', kind.value.spec?.securityGroup, kind.value.spec?.remoteGroup);
    case 'port':
      return [
        ...keys('network', kind.value.spec?.network),
        ...keys('subnet', kind.value.spec?.subnet),
        ...keys('securityGroup', ...(kind.value.spec?.securityGroups ?? [])),
      ];
    case 'floatingIp':
      return [
        ...keys('port', kind.value.spec?.port),
        ...keys('routerInterface', kind.value.spec?.routerInterface),
      ];
    case 'server':
      return [
        ...keys('port', ...(kind.value.spec?.ports ?? [])),
        ...keys('volume', ...(kind.value.spec?.volumes ?? [])),
      ];
  }
}

/** Refuses, with every mistake, a wish in which a name is taken twice or something depends on what is not wished for. */
export function checkWish(desired: readonly Resource[]): void {
  const known = new Set<Key>();
  const violations: FieldViolation[] = [];
  for (const resource of desired) {
    const key = keyOf(resource);
    if (known.has(key)) violations.push({ field: key, message: 'is there twice' });
    known.add(key);
  }
  for (const resource of desired) {
    for (const needed of dependenciesOf(resource)) {
      if (!known.has(needed))
        violations.push({ field: keyOf(resource), message: `needs ${needed}, which is not wished for` });
    }
  }
  if (violations.length > 0) throw invalid(violations, 'INCONSISTENT_WISH');
}

/** For sorting: a kind comes after those it depends on. */
export function byKind(a: Resource, b: Resource): number {
  return KINDS.indexOf(kindOf(a)) - KINDS.indexOf(kindOf(b));
}

function keys(kind: KindName, ...names: readonly (string | undefined)[]): Key[] {
  const named = names.filter((name): name is string => !!name);
  return [...new Set(named)].map((name) => `${kind}/${name}` as const);
}
