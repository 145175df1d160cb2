// Security groups. Every project has one named default, which Neutron makes and keeps. Rules are
// `networking-rules.ts`.

import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { SecurityGroup } from '#proto/pucp/openstack/v1/networking.ts';
import type { NetworkingServiceServer } from '#proto/pucp/openstack/v1/networking_service.ts';
import { absentIsDone } from '../api/errors.ts';
import type { SecurityGroup as NeutronGroup } from '../api/neutron-types.ts';
import { createMarker } from '../api/tagging.ts';
import { OWNER_MARK, sliceOf } from '../marks.ts';
import { callContext, type Deps } from './deps.ts';
import { byName, byTime, orderedPage } from './networking-order.ts';
import { only, type Reach } from './networking-reach.ts';
import { createRules, ruleView } from './networking-rules.ts';
import { checkDescription, checkName, describe, descriptionOf, textChanges } from './networking-text.ts';

type GroupHandlers = Pick<
  Handlers<NetworkingServiceServer>,
  | 'listSecurityGroups'
  | 'getSecurityGroup'
  | 'createSecurityGroup'
  | 'updateSecurityGroup'
  | 'deleteSecurityGroup'
>;

const TAKE_BACK_MS = 30_000;

export function securityGroupHandlers(deps: Deps, reach: Reach): GroupHandlers {
  const { tenancy } = deps;
  const rules = createRules(deps, reach);

  return {
    async listSecurityGroups(request, context) {
      const groups = await reach.list<NeutronGroup>(request, context, (neutron, project, within) =>
        neutron.securityGroups.list({ ...only('name', request.name), ...project }, within),
      );
      const { items, nextPageToken } = orderedPage(groups, request, { name: byName, created_at: byTime });
      return { securityGroups: items.map(groupView), nextPageToken };
    },

    async getSecurityGroup({ id }, context) {
      return groupView(await reach.group(id, context));
    },

    async createSecurityGroup(request, context) {
      const { caller } = context;
      const within = callContext(context);
      const violations: FieldViolation[] = [
        ...checkName(request.name),
        ...checkDescription(request.description),
      ];
      const existing =
        request.projectId === ''
          ? await tenancy.findPlace(caller, within)
          : await tenancy.named(caller, request.projectId, within);
      const checked = await rules.check(request.rules, existing?.projectId, context);
      violations.push(...checked.violations);
      if (violations.length > 0) throw invalid(violations);
      const { projectId } = existing ?? (await tenancy.place(caller, within));
      const mark = createMarker(OWNER_MARK, await tenancy.ownerMark(caller)).text;
      const { securityGroups } = await reach.clientFor(projectId, context);
      const group = await securityGroups.create(
        { name: request.name, project_id: projectId, description: describe(mark, request.description) },
        within,
      );
      try {
        await rules.add(group, checked.bodies, context);
      } catch (error) {
        // The caller may have left; what was begun is taken back all the same.
        const signal = AbortSignal.timeout(TAKE_BACK_MS);
        const undo = absentIsDone(securityGroups.remove(group.id, { ...within, signal }));
        await undo.catch((cause: unknown) =>
          context.log.error({ cause, group_id: group.id }, 'a security group without its rules stays'),
        );
        throw error;
      }
      return groupView(await securityGroups.get(group.id, within));
    },

    async updateSecurityGroup(request, context) {
      const group = await reach.group(request.id, context);
      const violations = [...checkName(request.name), ...checkDescription(request.description)];
      if (violations.length > 0) throw invalid(violations);
      const isRenamed = request.name !== undefined && request.name !== group.name;
      if (isDefault(group) && isRenamed) throw defaultStays(group, 'renamed');
      const { name: _same, ...text } = textChanges(request, group);
      const changes = isRenamed ? { ...text, name: request.name ?? '' } : text;
      if (Object.keys(changes).length === 0) return groupView(group);
      const neutron = await reach.clientFor(group.project_id, context);
      return groupView(await neutron.securityGroups.change(group.id, changes, callContext(context)));
    },

    async deleteSecurityGroup({ id }, context) {
      const group = await reach.group(id, context);
      if (isDefault(group)) throw defaultStays(group, 'deleted');
      const neutron = await reach.clientFor(group.project_id, context);
      try {
        await absentIsDone(neutron.securityGroups.remove(id, callContext(context)));
      } catch (error) {
        throw await explain(error, group, context);
      }
      return { message: 'Security group deleted successfully' };
    },
  };

  async function explain(error: unknown, group: NeutronGroup, context: Context): Promise<unknown> {
    if (!(error instanceof Failure) || error.reason !== 'IN_USE') return error;
    const neutron = await reach.clientFor(group.project_id, context);
    const ports = await neutron.ports.list({ project_id: group.project_id }, callContext(context));
    const ids = ports.filter((port) => port.security_groups.includes(group.id)).map(({ id }) => id);
    const who = ids.length === 0 ? 'ports or rules of other groups' : `ports ${ids.join(', ')}`;
    return new Failure({
      code: 'ABORTED',
      reason: 'SECURITY_GROUP_IN_USE',
      message: `Security group "${group.name}" is in use by ${who}: take it from them first`,
      metadata: { security_group_id: group.id },
      retryable: true,
      cause: error,
    });
  }
}

function isDefault({ name }: NeutronGroup): boolean {
  return name === 'default';
}

function defaultStays({ id }: NeutronGroup, change: string): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'SECURITY_GROUP_DEFAULT',
    message: `The default security group of a project cannot be ${change}; its rules can be changed`,
    metadata: { security_group_id: id },
  });
}

function groupView(group: NeutronGroup): SecurityGroup {
  return SecurityGroup.fromPartial({
    id: group.id,
    name: group.name,
    projectId: group.project_id,
    description: descriptionOf(group),
    rules: group.security_group_rules
      .toSorted((a, b) => (`${a.created_at} ${a.id}` < `${b.created_at} ${b.id}` ? -1 : 1))
      .map(ruleView),
    sliceId: sliceOf(group),
    createdAt: group.created_at,
  });
}
