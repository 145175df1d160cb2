// Projects after they are made: shown, changed, removed with all that is in them.

import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type {
  IdentityServiceServer,
  UpdateProjectRequest,
} from '#proto/pucp/openstack/v1/identity_service.ts';
import type { OpenstackConfig } from '../config.ts';
import type { Changes, ProjectChanges } from '../project-changes.ts';
import type { KnownProject, Tenancy } from '../tenancy.ts';
import { callContext, type Deps } from './deps.ts';
import { checkProjectWords, nameTaken, projectView } from './project-view.ts';

export type IdentityDeps = Deps & {
  readonly changes: ProjectChanges;
  readonly config: Pick<OpenstackConfig, 'projectRole'>;
};

type ProjectHandlers = Pick<
  Handlers<IdentityServiceServer>,
  'getProject' | 'updateProject' | 'deleteProject'
>;

export function identityProjectHandlers({ tenancy, changes }: IdentityDeps): ProjectHandlers {
  return {
    async getProject({ projectId }, context) {
      return projectView(await tenancy.find(context.caller, projectId, callContext(context)));
    },

    async updateProject(request, context) {
      const project = await findOwn(tenancy, request.projectId, context);
      const isAdmin = context.caller.role === 'admin';
      const violations = check(request, { mayEnable: isAdmin || !(await changes.isDefault(project)) });
      if (violations.length > 0) throw invalid(violations);
      const wanted = changesOf(request);
      if (Object.keys(wanted).length === 0) return projectView(project);
      try {
        return projectView(await changes.update(project, wanted, callContext(context)));
      } catch (error) {
        throw nameTaken(error, request.projectName ?? '') ?? error;
      }
    },

    async deleteProject({ projectId }, context) {
      try {
        const project = await findOwn(tenancy, projectId, context);
        await changes.remove(project, callContext(context));
      } catch (error) {
        // The end of a removal that was cut short behind Keystone's part of it.
        const isGone = error instanceof Failure && error.reason === 'PROJECT_NOT_FOUND';
        if (!isGone || !(await changes.forgetGone(context.caller, projectId))) throw error;
      }
      return { message: 'Project deleted successfully' };
    },
  };
}

/** A project that the caller may change: an admin any, others their own, which one project for all is nobody's. */
export async function findOwn(tenancy: Tenancy, idOrName: string, context: Context): Promise<KnownProject> {
  const { caller } = context;
  const project = await tenancy.find(caller, idOrName, callContext(context));
  if (caller.role === 'admin' || project.ownerId === caller.userId) return project;
  throw new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'TENANCY_SHARED',
    message: 'Everything lies in one project here (OPENSTACK_TENANCY=shared), and only admins change it',
  });
}

function* checkAll(request: UpdateProjectRequest, may: { mayEnable: boolean }): Generator<FieldViolation> {
  yield* checkProjectWords(request);
  if (request.enabled !== undefined && !may.mayEnable) {
    yield { field: 'enabled', message: 'only admins set it for the project that slices go to' };
  }
}

function check(request: UpdateProjectRequest, may: { mayEnable: boolean }): FieldViolation[] {
  return [...checkAll(request, may)];
}

function changesOf({ projectName, description, enabled }: UpdateProjectRequest): Changes {
  return {
    ...(projectName === undefined ? {} : { name: projectName }),
    ...(description === undefined ? {} : { description }),
    ...(enabled === undefined ? {} : { enabled }),
  };
}
