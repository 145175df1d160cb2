// Keystone v3: projects and their tags, users and roles by name, role assignments.
// Reference: https://docs.openstack.org/api-ref/identity/v3/

import { Failure } from '#common/errors.ts';
import type { Page, PageQuery } from './pages.ts';
import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

export type KeystoneProject = {
  readonly id: string;
  readonly name: string;
  readonly domain_id: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly tags: readonly string[];
};

export type ProjectChanges = {
  readonly name?: string;
  readonly description?: string;
  readonly enabled?: boolean;
  /** Each without `/` and `,`. */
  readonly tags?: readonly string[];
};

export type ProjectFilter = {
  readonly name?: string;
  readonly domain_id?: string;
  /** Projects that have all of these. */
  readonly tags?: readonly string[];
};

export type KeystoneUser = {
  readonly id: string;
  readonly name: string;
  readonly domain_id: string;
  readonly enabled: boolean;
  readonly description?: string | null;
  readonly email?: string | null;
};
export type KeystoneRole = {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
};

export type RoleAssignment = {
  readonly role: { readonly id: string; readonly name?: string };
  readonly user?: { readonly id: string; readonly name?: string };
  readonly group?: { readonly id: string; readonly name?: string };
  readonly scope: { readonly project?: { readonly id: string; readonly name?: string } };
};

export type RoleGrant = { readonly projectId: string; readonly userId: string; readonly roleId: string };

export type Keystone = ReturnType<typeof createKeystone>;

export function createKeystone(client: ServiceClient) {
  const grantPath = ({ projectId, userId, roleId }: RoleGrant) =>
    path`/projects/${projectId}/users/${userId}/roles/${roleId}`;

  return {
    async ping(context: CallContext): Promise<void> {
      await client.list('projects', { path: path`/auth/projects`, what: 'list its own projects' }, context);
    },

    /** All projects; for administrators. */
    listProjects: (filter: ProjectFilter, context: CallContext) =>
      client.list<KeystoneProject>('projects', projectList(filter), context),

    /** Keystone may ignore the limit and answer with everything (its `list_limit` is off by default). */
    pageProjects: (
      filter: ProjectFilter & { page: PageQuery },
      context: CallContext,
    ): Promise<Page<KeystoneProject>> =>
      client.page<KeystoneProject>('projects', { ...projectList(filter), page: filter.page }, context),

    /** The projects that the configured credentials have a role in. */
    listOwnProjects: (context: CallContext) =>
      client.list<KeystoneProject>(
        'projects',
        { path: path`/auth/projects`, what: 'list its own projects' },
        context,
      ),

    getProject: (id: string, context: CallContext) =>
      client.item<KeystoneProject>(
        'project',
        { path: path`/projects/${id}`, what: `find project ${id}` },
        context,
      ),

    /** Names are unique in a domain: a second one is ALREADY_EXISTS. */
    createProject: (
      project: ProjectChanges & { name: string; domain_id?: string | undefined },
      context: CallContext,
    ) =>
      client.item<KeystoneProject>(
        'project',
        {
          method: 'POST',
          path: path`/projects`,
          json: { project },
          what: `create the project "${project.name}"`,
        },
        context,
      ),

    updateProject: (id: string, project: ProjectChanges, context: CallContext) =>
      client.item<KeystoneProject>(
        'project',
        { method: 'PATCH', path: path`/projects/${id}`, json: { project }, what: `change project ${id}` },
        context,
      ),

    /** Keystone does not cascade: what other services keep in the project must be removed before. */
    deleteProject: (id: string, context: CallContext) =>
      client.send({ method: 'DELETE', path: path`/projects/${id}`, what: `delete project ${id}` }, context),

    replaceProjectTags: (id: string, tags: readonly string[], context: CallContext) =>
      client.send(
        { method: 'PUT', path: path`/projects/${id}/tags`, json: { tags }, what: `tag project ${id}` },
        context,
      ),

    listUsers: (filter: { name?: string; domain_id?: string }, context: CallContext) =>
      client.list<KeystoneUser>('users', { path: path`/users`, query: filter, what: 'list users' }, context),

    getUser: (id: string, context: CallContext) =>
      client.item<KeystoneUser>('user', { path: path`/users/${id}`, what: `find user ${id}` }, context),

    /** The one user of that name; NOT_FOUND if none, FAILED_PRECONDITION if several domains have one. */
    async findUser(
      name: string,
      filter: { domain_id?: string },
      context: CallContext,
    ): Promise<KeystoneUser> {
      const query = { ...filter, name };
      const what = `find the user "${name}"`;
      const users = await client.list<KeystoneUser>('users', { path: path`/users`, query, what }, context);
      return onlyOne(users, 'user', name);
    },

    /** The global role of that name; NOT_FOUND if the cloud has none. */
    async findRole(name: string, context: CallContext): Promise<KeystoneRole> {
      const what = `find the role "${name}"`;
      const roles = await client.list<KeystoneRole>(
        'roles',
        { path: path`/roles`, query: { name }, what },
        context,
      );
      return onlyOne(roles, 'role', name);
    },

    listRoles: (context: CallContext) =>
      client.list<KeystoneRole>('roles', { path: path`/roles`, what: 'list roles' }, context),

    /** Granting twice is granting once. Tokens issued before do not have the role. */
    grantRole: (grant: RoleGrant, context: CallContext) =>
      client.send(
        { method: 'PUT', path: grantPath(grant), what: `grant a role in project ${grant.projectId}` },
        context,
      ),

    revokeRole: (grant: RoleGrant, context: CallContext) =>
      client.send(
        { method: 'DELETE', path: grantPath(grant), what: `revoke a role in project ${grant.projectId}` },
        context,
      ),

    listRoleAssignments: (filter: { projectId?: string; userId?: string }, context: CallContext) =>
      client.list<RoleAssignment>(
        'role_assignments',
        {
          path: path`/role_assignments`,
          query: { 'scope.project.id': filter.projectId, 'user.id': filter.userId, include_names: true },
          what: 'list role assignments',
        },
        context,
      ),
  };
}

function projectList({ name, domain_id, tags }: ProjectFilter) {
  return {
    path: path`/projects`,
    query: { name, domain_id, tags: tags === undefined || tags.length === 0 ? undefined : tags.join(',') },
    what: 'list projects',
  };
}

function onlyOne<T>(found: readonly T[], kind: 'user' | 'role', name: string): T {
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  const missing = first === undefined;
  throw new Failure({
    code: missing ? 'NOT_FOUND' : 'FAILED_PRECONDITION',
    reason: `${kind.toUpperCase()}_${missing ? 'NOT_FOUND' : 'AMBIGUOUS'}`,
    message: missing
      ? `Keystone has no ${kind} named "${name}"`
      : `Keystone has ${found.length} ${kind}s named "${name}"; name its domain as well`,
  });
}
