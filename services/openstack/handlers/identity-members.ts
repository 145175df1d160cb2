// Who has which role in a project. Members are Keystone's users, which are not the orchestrator's.

import { Failure, type FieldViolation, invalid, notFound } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { Membership } from '#proto/pucp/openstack/v1/identity.ts';
import type { IdentityServiceServer } from '#proto/pucp/openstack/v1/identity_service.ts';
import { absentIsDone, absentIsNone } from '../api/errors.ts';
import type { KeystoneRole, KeystoneUser, RoleAssignment } from '../api/keystone.ts';
import type { CallContext } from '../api/settings.ts';
import { unknownName } from '../names.ts';
import type { KnownProject } from '../tenancy.ts';
import { callContext } from './deps.ts';
import { findOwn, type IdentityDeps } from './identity-projects.ts';
import { pageOf } from './page.ts';
import { HARMLESS_ROLES } from './projects.ts';

type MemberHandlers = Pick<Handlers<IdentityServiceServer>, 'listMembers' | 'addMember' | 'removeMember'>;

export function memberHandlers({ cloud, tenancy, changes, config }: IdentityDeps): MemberHandlers {
  const home = cloud.project('home');
  const { keystone } = home;

  async function membersOf(project: KnownProject, within: CallContext): Promise<Membership[]> {
    return (await keystone.listRoleAssignments({ projectId: project.id }, within)).map(memberView);
  }

  /** The role, or what is wrong with its name. */
  async function findRole(name: string, context: Context): Promise<KeystoneRole | string> {
    const isAdmin = context.caller.role === 'admin';
    // The role admin in any project rules the whole cloud: https://bugs.launchpad.net/keystone/+bug/968696
    if (!isAdmin && !HARMLESS_ROLES.includes(name)) return onlyAdmins(name);
    const roles = await keystone.listRoles(callContext(context));
    return roles.find((role) => role.name === name) ?? unknownName('role', name, roles, {});
  }

  /** The user by name or id, or what is wrong with it. Who else there is only admins are told. */
  async function findUser(nameOrId: string, context: Context): Promise<KeystoneUser | string> {
    const within = callContext(context);
    if (nameOrId === '') return 'is missing';
    try {
      return await keystone.findUser(nameOrId, {}, within);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.reason === 'USER_AMBIGUOUS') return `${error.message}, or give its id`;
      if (error.reason !== 'USER_NOT_FOUND') throw error;
      const byId = await keystone.getUser(nameOrId, within).catch(absentIsNone);
      if (byId) return byId;
      return context.caller.role === 'admin'
        ? unknownName('user', nameOrId, await keystone.listUsers({}, within), {})
        : error.message;
    }
  }

  /** Without them the orchestrator could do nothing in the project. */
  async function assertNotNeeded(
    project: KnownProject,
    members: readonly Membership[],
    within: CallContext,
  ): Promise<void> {
    const [{ userId }, isHome] = await Promise.all([home.identity(within), changes.isHome(project, within)]);
    const needed = members.find(
      (one) => one.userId === userId && (isHome || one.role === config.projectRole),
    );
    if (!needed) return;
    throw new Failure({
      code: 'FAILED_PRECONDITION',
      reason: 'ROLE_NEEDED',
      message: `The orchestrator itself works in project "${project.name}" as ${needed.user} with the role ${needed.role}: it stays`,
    });
  }

  return {
    async listMembers(request, context) {
      const project = await findOwn(tenancy, request.projectId, context);
      const all = await membersOf(project, callContext(context));
      const found = all.filter(
        (one) =>
          (request.user === '' || isUser(one, request.user)) && (request.role || one.role) === one.role,
      );
      const { items, nextPageToken } = pageOf(found, request, {
        key: ({ user, group, role, userId }) => `${user || group} ${role} ${userId}`,
      });
      return { members: items, nextPageToken };
    },

    async addMember(request, context) {
      const within = callContext(context);
      const project = await findOwn(tenancy, request.projectId, context);
      const [user, role] = await Promise.all([
        findUser(request.user, context),
        findRole(request.role || 'member', context),
      ]);
      if (typeof user === 'string' || typeof role === 'string') throw invalid(mistakes({ user, role }));
      await keystone.grantRole({ projectId: project.id, userId: user.id, roleId: role.id }, within);
      return Membership.fromPartial({ user: user.name, userId: user.id, role: role.name, roleId: role.id });
    },

    async removeMember(request, context) {
      const within = callContext(context);
      const project = await findOwn(tenancy, request.projectId, context);
      const members = (await membersOf(project, within)).filter(
        (one) => isUser(one, request.user) && (request.role || one.role) === one.role,
      );
      if (members.length === 0) throw notFound('member', request.user);
      const reserved = members.find(({ role }) => !HARMLESS_ROLES.includes(role));
      if (reserved && context.caller.role !== 'admin') {
        throw invalid([{ field: 'role', message: onlyAdmins(reserved.role) }]);
      }
      await assertNotNeeded(project, members, within);
      for (const { userId, roleId } of members) {
        await absentIsDone(keystone.revokeRole({ projectId: project.id, userId, roleId }, within));
      }
      return { message: 'Member removed successfully' };
    },
  };
}

function memberView({ user, group, role }: RoleAssignment): Membership {
  return {
    user: user?.name ?? '',
    userId: user?.id ?? '',
    role: role.name ?? '',
    roleId: role.id,
    group: group?.name ?? '',
  };
}

function isUser({ user, userId }: Membership, nameOrId: string): boolean {
  // A group has neither.
  return nameOrId !== '' && [user, userId].includes(nameOrId);
}

function onlyAdmins(role: string): string {
  return `must be one of ${HARMLESS_ROLES.join(', ')}: only admins give and take "${role}"`;
}

function mistakes(looked: Readonly<Record<string, unknown>>): FieldViolation[] {
  return Object.entries(looked).flatMap(([field, found]) =>
    typeof found === 'string' ? [{ field, message: found }] : [],
  );
}
