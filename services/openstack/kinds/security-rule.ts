// What security groups let through: a rule each, made with one call for each group, gone with their group. A rule's name
// says all of it, so that rules never differ: they are there or not.

import { Failure } from '#common/errors.ts';
import { EQUAL, type Found, type Kind, READY } from '#engine/kind.ts';
import { canonicalRule, isOpenEgress, ruleName } from '#engine/spec/rules.ts';
import { Direction, Resource, SecurityRuleSpec } from '#proto/pucp/driver/v1/resource.ts';
import { absentIsDone } from '../api/errors.ts';
import type { SecurityGroupRule, SecurityGroupRuleCreate } from '../api/neutron-types.ts';
import { type SlicePlace, within } from './place.ts';
import { namesOf } from './subnet.ts';

const MAX_BATCH = 100;

export function securityRuleKind(place: SlicePlace): Kind {
  const { securityGroupRules: rules } = place.clients.neutron;
  return {
    name: 'securityRule',
    maxBatch: MAX_BATCH,
    // Neutron refuses rules of several groups in one call: SecurityGroupNotSingleGroupRules.
    batchOf: (desired) => specOf(desired).securityGroup,
    rebinds: [],
    goesWith: ['securityGroup'],
    async list(look, context) {
      const groups = await namesOf(look, 'securityGroup');
      if (groups.size === 0) return [];
      const listed = await rules.list({ security_group_id: [...groups.keys()] }, within(place, context));
      return listed.flatMap((rule) => {
        const spec = ruleSpecOf(rule, groups);
        return isOpenEgress(spec) ? [] : [foundOf(rule, spec)];
      });
    },
    async create(batch, refs, context) {
      const groupId = (name: string) => refs.id('securityGroup', name);
      const specs = batch.map(({ desired }) => specOf(desired));
      try {
        const bodies = specs.map((spec) => bodyOf(spec, groupId));
        const made = await rules.createMany(bodies, within(place, context));
        return made.map((rule, index) => foundOf(rule, specs[index] ?? specOf(undefined)));
      } catch (error) {
        // All or none are made: if one is there already, the list tells which are to be made still.
        if (!(error instanceof Failure) || error.code !== 'ALREADY_EXISTS') throw error;
        throw new Failure({ code: 'ABORTED', reason: error.reason, message: error.message, retryable: true });
      }
    },
    async update() {},
    async delete({ resource }, context) {
      await absentIsDone(rules.remove(resource.cloudId, within(place, context)));
      return 'gone';
    },
    difference: () => EQUAL,
    readiness: () => READY,
  };
}

/** A rule as the engine writes it; ids of groups that `groups` does not name stay as they are. */
export function ruleSpecOf(rule: SecurityGroupRule, groups: ReadonlyMap<string, string>): SecurityRuleSpec {
  const nameOf = (id: string | null) => (id === null ? '' : (groups.get(id) ?? id));
  return canonicalRule(
    SecurityRuleSpec.fromPartial({
      securityGroup: nameOf(rule.security_group_id),
      direction: rule.direction === 'egress' ? Direction.EGRESS : Direction.INGRESS,
      ipv6: rule.ethertype === 'IPv6',
      protocol: rule.protocol ?? '',
      ...(rule.port_range_min !== null && { portMin: rule.port_range_min }),
      ...(rule.port_range_max !== null && { portMax: rule.port_range_max }),
      remoteCidr: rule.remote_ip_prefix ?? '',
      remoteGroup: nameOf(rule.remote_group_id),
    }),
  );
}

function bodyOf(spec: SecurityRuleSpec, groupId: (name: string) => string): SecurityGroupRuleCreate {
  return {
    security_group_id: groupId(spec.securityGroup),
    direction: spec.direction === Direction.EGRESS ? 'egress' : 'ingress',
    ethertype: spec.ipv6 ? 'IPv6' : 'IPv4',
    ...(spec.protocol !== '' && { protocol: spec.protocol }),
    ...(spec.portMin !== undefined && { port_range_min: spec.portMin }),
    ...(spec.portMax !== undefined && { port_range_max: spec.portMax }),
    ...(spec.remoteCidr !== '' && { remote_ip_prefix: spec.remoteCidr }),
    ...(spec.remoteGroup !== '' && { remote_group_id: groupId(spec.remoteGroup) }),
  };
}

function foundOf(rule: SecurityGroupRule, spec: SecurityRuleSpec): Found {
  const resource = Resource.fromPartial({
    name: ruleName(spec),
    cloudId: rule.id,
    kind: { $case: 'securityRule', value: { spec, status: {} } },
  });
  const uses = [rule.security_group_id, ...(rule.remote_group_id === null ? [] : [rule.remote_group_id])];
  return { resource, uses, replacements: 0 };
}

function specOf(resource: Resource | undefined): SecurityRuleSpec {
  const spec = resource?.kind?.$case === 'securityRule' ? resource.kind.value.spec : undefined;
  return spec ?? SecurityRuleSpec.fromPartial({});
}
