// Security groups: found by the slice's mark in their description, made all in one call. Neutron gives each two rules that
// let everything out; they are part of the group, all other rules are resources of their own.

import { EQUAL, type Found, type Kind, READY } from '#engine/kind.ts';
import { isOpenEgress } from '#engine/spec/rules.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { absentIsDone } from '../api/errors.ts';
import type { SecurityGroup } from '../api/neutron-types.ts';
import { neutronMark } from '../api/tagging.ts';
import { foreignPorts, unlessHeld } from './holders.ts';
import { cloudName, localName, neutronOurs, type SlicePlace, within } from './place.ts';
import { ruleSpecOf } from './security-rule.ts';

const MAX_BATCH = 50;
const FAMILIES = ['IPv4', 'IPv6'] as const;

export function securityGroupKind(place: SlicePlace): Kind {
  const { securityGroups, securityGroupRules } = place.clients.neutron;
  return {
    name: 'securityGroup',
    maxBatch: MAX_BATCH,
    rebinds: [],
    async list(_look, context) {
      const groups = await securityGroups.list(neutronOurs(place), within(place, context));
      return groups.map((group) => foundOf(group, place));
    },
    async create(batch, _refs, context) {
      const bodies = batch.map(({ desired }) => ({
        name: cloudName(place, desired.name),
        ...neutronMark(place.marker),
      }));
      const made = await securityGroups.createMany(bodies, within(place, context));
      return made.map((group) => foundOf(group, place));
    },
    async update(desired, { resource }, _refs, context) {
      const calling = within(place, context);
      const group = await securityGroups.get(resource.cloudId, calling);
      const open = openRulesOf(group);
      if (!isOpen(desired)) {
        for (const { id } of open) await absentIsDone(securityGroupRules.remove(id, calling));
        return;
      }
      const missing = FAMILIES.filter((family) => !open.some(({ ethertype }) => ethertype === family));
      if (missing.length === 0) return;
      const bodies = missing.map((ethertype) => ({
        security_group_id: group.id,
        direction: 'egress' as const,
        ethertype,
      }));
      await securityGroupRules.createMany(bodies, calling);
    },
    async delete({ resource }, context) {
      const { cloudId } = resource;
      const removal = absentIsDone(securityGroups.remove(cloudId, within(place, context)));
      await unlessHeld(removal, () => foreignPorts(place, { security_groups: cloudId }, context));
      return 'gone';
    },
    difference(desired, observed) {
      const count =
        observed.kind?.$case === 'securityGroup' ? observed.kind.value.status?.openEgressRules : 0;
      if (count === (isOpen(desired) ? FAMILIES.length : 0)) return EQUAL;
      const reason = isOpen(desired) ? 'it does not let everything out' : 'it lets everything out';
      return { type: 'change', reason };
    },
    readiness: () => READY,
  };
}

function foundOf(group: SecurityGroup, place: SlicePlace): Found {
  const openEgressRules = openRulesOf(group).length;
  const spec = { openEgress: openEgressRules === FAMILIES.length };
  const resource = Resource.fromPartial({
    name: localName(place, group.name),
    cloudId: group.id,
    kind: { $case: 'securityGroup', value: { spec, status: { openEgressRules } } },
  });
  return { resource, uses: [], replacements: 0 };
}

function openRulesOf({ security_group_rules: rules }: SecurityGroup) {
  return rules.filter((rule) => isOpenEgress(ruleSpecOf(rule, new Map())));
}

function isOpen({ kind }: Resource): boolean {
  return (kind?.$case === 'securityGroup' && kind.value.spec?.openEgress) || false;
}
