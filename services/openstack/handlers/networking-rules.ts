// Rules of security groups. Neutron's do not change, and there are no two alike in a group: adding one that is there is
// done, and changing one replaces it.

import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { SecurityGroupRule, SecurityGroupRuleSpec } from '#proto/pucp/openstack/v1/networking.ts';
import type {
  NetworkingServiceServer,
  UpdateSecurityGroupRuleRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { absentIsDone } from '../api/errors.ts';
import type { SecurityGroupRule as NeutronRule, SecurityGroup } from '../api/neutron-types.ts';
import { callContext, type Deps } from './deps.ts';
import { createGroupNames } from './networking-group-names.ts';
import { byTime, orderedPage } from './networking-order.ts';
import type { Reach } from './networking-reach.ts';
import { checkRule, type RuleBody, ruleBody, ruleKey } from './networking-rule-check.ts';

type RuleHandlers = Pick<
  Handlers<NetworkingServiceServer>,
  | 'listSecurityGroupRules'
  | 'getSecurityGroupRule'
  | 'createSecurityGroupRules'
  | 'updateSecurityGroupRule'
  | 'deleteSecurityGroupRule'
>;

const MAX_RULES = 100;
const TAKE_BACK_MS = 30_000;

export function ruleHandlers(deps: Deps, reach: Reach): RuleHandlers {
  const rules = createRules(deps, reach);

  return {
    async listSecurityGroupRules(request, context) {
      const { securityGroupId, direction, ethertype, protocol } = request;
      // A rule bears no mark: it is whose its group is.
      const groups = await reach.list<SecurityGroup>(request, context, (neutron, project, within) =>
        neutron.securityGroups.list(
          { ...(securityGroupId === '' ? {} : { id: securityGroupId }), ...project },
          within,
        ),
      );
      const found = groups
        .flatMap((group) => group.security_group_rules)
        .filter((rule) => direction === '' || rule.direction === direction)
        .filter((rule) => ethertype === '' || rule.ethertype.toLowerCase() === ethertype.toLowerCase())
        .filter((rule) => protocol === '' || rule.protocol === protocol.toLowerCase());
      const { items, nextPageToken } = orderedPage(found, request, {
        created_at: byTime,
        direction: ({ direction }) => direction,
        ethertype: ({ ethertype }) => ethertype,
        protocol: ({ protocol }) => protocol ?? '',
      });
      return { rules: items.map(ruleView), nextPageToken };
    },

    async getSecurityGroupRule({ id }, context) {
      return ruleView((await reach.rule(id, context)).rule);
    },

    async createSecurityGroupRules(request, context) {
      const group = await reach.group(request.id, context);
      const checked = await rules.check(request.rules, group.project_id, context);
      const violations = [...checked.violations];
      if (request.rules.length === 0 || request.rules.length > MAX_RULES) {
        violations.push({ field: 'rules', message: `must have 1 to ${MAX_RULES} entries` });
      }
      if (violations.length > 0) throw invalid(violations);
      const made = await rules.add(group, checked.bodies, context);
      return { rules: made.map(ruleView) };
    },

    async updateSecurityGroupRule(request, context) {
      const { rule, group } = await reach.rule(request.id, context);
      const spec = changedSpec(rule, request);
      const { bodies, violations } = await rules.check([spec], group.project_id, context, '');
      const [body] = bodies;
      if (violations.length > 0 || !body) throw invalid(violations);
      const isSame = ruleKey(body) === ruleKey(rule);
      if (isSame && (body.description ?? '') === (rule.description ?? '')) return ruleView(rule);
      return ruleView(await (isSame ? rules.rewrite : rules.replace)(group, rule, body, context));
    },

    async deleteSecurityGroupRule({ id }, context) {
      const { group } = await reach.rule(id, context);
      const neutron = await reach.clientFor(group.project_id, context);
      await absentIsDone(neutron.securityGroupRules.remove(id, callContext(context)));
      return { message: 'Security group rule deleted successfully' };
    },
  };
}

/** What can be done with rules, all of it or nothing. */
export function createRules(deps: Deps, reach: Reach) {
  const groupNames = createGroupNames(deps);

  /** The rules as Neutron wants them, and what is wrong with them; paths begin with `rules[0].`, or with `at`. */
  async function check(
    specs: readonly SecurityGroupRuleSpec[],
    projectId: string | undefined,
    context: Context,
    at?: string,
  ): Promise<{ bodies: RuleBody[]; violations: FieldViolation[] }> {
    const prefix = (index: number) => at ?? `rules[${index}].`;
    const violations = specs.flatMap((spec, index) => [...checkRule(spec, prefix(index))]);
    const named = specs.flatMap(({ remoteGroup }, index) =>
      remoteGroup === '' ? [] : [{ remoteGroup, index }],
    );
    const ids = new Map<string, string>();
    for (const { remoteGroup, index } of named) {
      const found = await groupNames.resolve(
        [remoteGroup],
        projectId,
        context,
        () => `${prefix(index)}remote_group`,
      );
      violations.push(...found.violations);
      const [id] = found.ids;
      if (id !== undefined) ids.set(remoteGroup, id);
    }
    if (violations.length > 0) return { bodies: [], violations };
    return { bodies: specs.map((spec) => ruleBody(spec, ids.get(spec.remoteGroup))), violations };
  }

  /** Those that are missing are made in one call; answers all of them, in order. */
  async function add(
    group: SecurityGroup,
    bodies: readonly RuleBody[],
    context: Context,
  ): Promise<NeutronRule[]> {
    const within = callContext(context);
    const neutron = await reach.clientFor(group.project_id, context);
    const known = new Map(group.security_group_rules.map((rule) => [ruleKey(rule), rule]));
    const missing = new Map(
      bodies.filter((body) => !known.has(ruleKey(body))).map((body) => [ruleKey(body), body]),
    );
    const wanted = [...missing.values()].map((body) => ({ ...body, security_group_id: group.id }));
    try {
      const made = await neutron.securityGroupRules.createMany(wanted, within);
      for (const rule of made) known.set(ruleKey(rule), rule);
    } catch (error) {
      // Someone else added one of them meanwhile: with it known, the rest is tried again.
      if (!(error instanceof Failure) || error.code !== 'ALREADY_EXISTS') throw error;
      const fresh = await neutron.securityGroups.get(group.id, within);
      if (fresh.security_group_rules.length === group.security_group_rules.length) throw error;
      return await add(fresh, bodies, context);
    }
    return bodies.flatMap((body) => known.get(ruleKey(body)) ?? []);
  }

  /** The new one is there before the old one goes, so that what both let through passes all the time. */
  async function replace(
    group: SecurityGroup,
    old: NeutronRule,
    body: RuleBody,
    context: Context,
  ): Promise<NeutronRule> {
    const neutron = await reach.clientFor(group.project_id, context);
    const [made] = await add(group, [body], context);
    if (!made) throw new Error('a rule that was added is there');
    try {
      await absentIsDone(neutron.securityGroupRules.remove(old.id, callContext(context)));
    } catch (error) {
      const wasThere = group.security_group_rules.some(({ id }) => id === made.id);
      if (!wasThere) await takeBack(absentRemoval(made.id), context);
      throw error;
    }
    return made;

    function absentRemoval(id: string) {
      return (signal: AbortSignal) =>
        absentIsDone(neutron.securityGroupRules.remove(id, { ...callContext(context), signal }));
    }
  }

  /** For what only differs in its description: both at once Neutron takes for the same. */
  async function rewrite(
    group: SecurityGroup,
    old: NeutronRule,
    body: RuleBody,
    context: Context,
  ): Promise<NeutronRule> {
    const within = callContext(context);
    const { securityGroupRules } = await reach.clientFor(group.project_id, context);
    await absentIsDone(securityGroupRules.remove(old.id, within));
    try {
      return await securityGroupRules.create({ ...body, security_group_id: group.id }, within);
    } catch (error) {
      const before = { ...ruleBody(specOf(old), old.remote_group_id ?? undefined) };
      await takeBack(
        (signal) =>
          securityGroupRules.create({ ...before, security_group_id: group.id }, { ...within, signal }),
        context,
      );
      throw error;
    }
  }

  return { check, add, replace, rewrite };
}

/** The caller may have left; what was begun is taken back all the same. */
async function takeBack(undo: (signal: AbortSignal) => Promise<unknown>, { log }: Context): Promise<void> {
  try {
    await undo(AbortSignal.timeout(TAKE_BACK_MS));
  } catch (cause) {
    log.error({ cause }, 'a security group rule could not be put back');
  }
}

/** The rule with what the request sets. */
function changedSpec(rule: NeutronRule, request: UpdateSecurityGroupRuleRequest): SecurityGroupRuleSpec {
  const old = specOf(rule);
  const { portRangeMin: least, portRangeMax: most } = request;
  const port = (asked: number | undefined, before: number | undefined) =>
    asked === undefined ? before : asked === -1 ? undefined : asked;
  return {
    direction: request.direction ?? old.direction,
    ethertype: request.ethertype ?? old.ethertype,
    protocol: request.protocol ?? old.protocol,
    portRangeMin: port(least, old.portRangeMin),
    portRangeMax: port(most, old.portRangeMax),
    remoteIpPrefix: request.remoteIpPrefix ?? (request.remoteGroup ? '' : old.remoteIpPrefix),
    remoteGroup: request.remoteGroup ?? (request.remoteIpPrefix ? '' : old.remoteGroup),
    description: request.description ?? old.description,
  };
}

function specOf(rule: NeutronRule): SecurityGroupRuleSpec {
  return SecurityGroupRuleSpec.fromPartial({
    direction: rule.direction,
    ethertype: rule.ethertype,
    protocol: rule.protocol ?? '',
    portRangeMin: rule.port_range_min ?? undefined,
    portRangeMax: rule.port_range_max ?? undefined,
    remoteIpPrefix: rule.remote_ip_prefix ?? '',
    remoteGroup: rule.remote_group_id ?? '',
    description: rule.description ?? '',
  });
}

export function ruleView(rule: NeutronRule): SecurityGroupRule {
  return SecurityGroupRule.fromPartial({
    id: rule.id,
    securityGroupId: rule.security_group_id,
    direction: rule.direction,
    ethertype: rule.ethertype,
    protocol: rule.protocol ?? '',
    portRangeMin: rule.port_range_min ?? undefined,
    portRangeMax: rule.port_range_max ?? undefined,
    remoteIpPrefix: rule.remote_ip_prefix ?? '',
    remoteGroupId: rule.remote_group_id ?? '',
    description: rule.description ?? '',
    projectId: rule.project_id,
    createdAt: rule.created_at,
  });
}
