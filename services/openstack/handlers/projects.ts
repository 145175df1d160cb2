// Projects: a user's own, all of Keystone's for an admin, and further ones made on request.

import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Handlers } from '#common/rpc-server.ts';
import type {
  CreateProjectRequest,
  OpenstackServiceServer,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { ProjectQuotas } from '../tables.ts';
import { callContext, type Deps } from './deps.ts';
import { pageOf } from './page.ts';
import { checkProjectWords, nameTaken, projectView } from './project-view.ts';

type ProjectHandlers = Pick<Handlers<OpenstackServiceServer>, 'listProjects' | 'createProject'>;

/** Further projects of a user who is no admin: each comes with quotas of its own. */
const MAX_FURTHER = 10;
/** What a user may give to others; admins give any role. */
export const HARMLESS_ROLES = ['member', 'reader'];

export function projectHandlers({ tenancy, config }: Deps): ProjectHandlers {
  return {
    async listProjects(request, context) {
      const all = await tenancy.listProjects(context.caller, callContext(context));
      const { items, nextPageToken } = pageOf(all, request, { key: ({ name, id }) => `${name} ${id}` });
      return { projects: items.map(projectView), nextPageToken };
    },

    async createProject(request, context) {
      const { caller } = context;
      const isAdmin = caller.role === 'admin';
      const violations = check(request, config.quotas, isAdmin);
      if (violations.length > 0) throw invalid(violations);
      const wanted = {
        name: request.projectName,
        description: request.description,
        quotas: quotasOf(request),
        members: request.members,
        atMost: isAdmin ? undefined : MAX_FURTHER,
      };
      try {
        const project = await tenancy.makeProject(caller, wanted, callContext(context));
        return {
          id: project.id,
          projectName: project.name,
          openstackProjectId: project.id,
          message: 'Project created successfully',
        };
      } catch (error) {
        throw nameTaken(error, request.projectName) ?? memberUnknown(error) ?? error;
      }
    },
  };
}

function quotasOf({ quotaVcpus, quotaRam, quotaDisk }: CreateProjectRequest): Partial<ProjectQuotas> {
  return {
    ...(quotaVcpus === undefined ? {} : { cores: quotaVcpus }),
    ...(quotaRam === undefined ? {} : { ram: quotaRam }),
    ...(quotaDisk === undefined ? {} : { gigabytes: quotaDisk }),
  };
}

function check(request: CreateProjectRequest, most: ProjectQuotas, isAdmin: boolean): FieldViolation[] {
  const violations = [...checkProjectWords(request)];
  const quotas = [
    { field: 'quota_vcpus', value: request.quotaVcpus, limit: most.cores },
    { field: 'quota_ram', value: request.quotaRam, limit: most.ram },
    { field: 'quota_disk', value: request.quotaDisk, limit: most.gigabytes },
  ];
  for (const { field, value, limit } of quotas) {
    if (value === undefined) continue;
    const message = quotaMistake(value, limit, isAdmin);
    if (message) violations.push({ field, message });
  }
  for (const [index, { user, role }] of request.members.entries()) {
    if (user === '') violations.push({ field: `members[${index}].user`, message: 'is missing' });
    // The role admin in any project rules the whole cloud: https://bugs.launchpad.net/keystone/+bug/968696
    if (!isAdmin && role !== '' && !HARMLESS_ROLES.includes(role)) {
      const message = `must be one of ${HARMLESS_ROLES.join(', ')}: only admins give "${role}"`;
      violations.push({ field: `members[${index}].role`, message });
    }
  }
  return violations;
}

function quotaMistake(value: number, limit: number, isAdmin: boolean): string | undefined {
  if (value < (isAdmin ? -1 : 0)) return 'must not be negative';
  if (!isAdmin && limit >= 0 && value > limit) return `must be at most ${limit}: only admins give more`;
  return undefined;
}

/** A member that was named, and that Keystone does not know. */
function memberUnknown(error: unknown): Failure | undefined {
  if (!(error instanceof Failure) || error.code !== 'NOT_FOUND') return undefined;
  return invalid([{ field: 'members', message: error.message }]);
}
