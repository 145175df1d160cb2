// Making Keystone projects for users, whole or not at all: the role of our own user in it, quotas in Nova, Neutron and
// Cinder, and the marks by which it is found again. Which of them are whose lies in the store; who may use which in
// tenancy.ts.

import { Failure } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import type { Cloud } from './api/cloud.ts';
import type { KeystoneProject } from './api/keystone.ts';
import type { CallContext } from './api/settings.ts';
import { removeProject, setQuotas } from './project-contents.ts';
import type { Store } from './store.ts';
import type { ProjectQuotas } from './tables.ts';

export type Owner = { readonly userId: string; readonly username: string };

export type FurtherProject = {
  readonly name: string;
  readonly description: string;
  readonly quotas: Partial<ProjectQuotas>;
  readonly members: readonly { readonly user: string; readonly role: string }[];
  /** How many further projects the owner may have with this one; as many as there are, if not set. */
  readonly atMost: number | undefined;
};

export type KeystoneProjects = {
  /** The user's default project: the one that bears the user's marks, completed if a crash cut its making short, or a
   * new one. Only one caller at a time, over all replicas, gets to make it. */
  makeDefault(owner: Owner, context: CallContext): Promise<KeystoneProject>;
  /** A further project of the user's. What was made is removed again if anything fails. */
  makeFurther(owner: Owner, wanted: FurtherProject, context: CallContext): Promise<KeystoneProject>;
  /** Removes what makers that crashed left behind. */
  sweep(olderThanS: number, context: CallContext): Promise<void>;
};

export type KeystoneProjectsOptions = {
  readonly cloud: Cloud;
  readonly store: Store;
  readonly log: Log;
  /** The role our own Keystone user takes in each project. */
  readonly role: string;
  readonly quotas: ProjectQuotas;
};

/** On every project of ours. Keystone's tags hold neither `/` nor `,` (JSON schema of its API, release Zed). */
export const PROJECT_TAG = 'pucp';
// Keystone's limit.
const MAX_NAME = 64;

export function createKeystoneProjects(options: KeystoneProjectsOptions): KeystoneProjects {
  const { cloud, store, log, role, quotas } = options;
  const home = cloud.project('home');

  // User ids are small numbers: only together with the installation do they say whose a project is.
  async function tagsOf(mark: string): Promise<string[]> {
    return [PROJECT_TAG, `pucp:installation=${await store.installationId()}`, mark];
  }

  async function findMarked(mark: string, context: CallContext): Promise<KeystoneProject | undefined> {
    const found = await home.keystone.listProjects({ tags: await tagsOf(mark) }, context);
    return found[0];
  }

  /** Everything but the project itself; doing it twice is doing it once. */
  async function complete(
    project: KeystoneProject,
    limits: ProjectQuotas,
    context: CallContext,
  ): Promise<void> {
    const [{ userId }, { id: roleId }] = await Promise.all([
      home.identity(context),
      home.keystone.findRole(role, context),
    ]);
    await home.keystone.grantRole({ projectId: project.id, userId, roleId }, context);
    await setQuotas(cloud, project.id, limits, context);
  }

  async function createProject(
    wanted: { name: string; description: string; mark: string },
    context: CallContext,
  ): Promise<KeystoneProject> {
    const { name, description, mark } = wanted;
    try {
      const homeProject = await home.keystone.getProject(await home.projectId(context), context);
      const tags = await tagsOf(mark);
      return await home.keystone.createProject(
        { name, description, tags, domain_id: homeProject.domain_id },
        context,
      );
    } catch (error) {
      throw error instanceof Failure && error.reason === 'CLOUD_FORBIDDEN' ? mayNotMake(error) : error;
    }
  }

  async function makeDefault(owner: Owner, context: CallContext): Promise<KeystoneProject> {
    const { userId, username } = owner;
    const mark = `pucp:user=${tagText(userId)}`;
    return await store.exclusively(`default project of ${userId}`, async (inside) => {
      // Whoever had the turn before may have made it.
      const project = (await findMarked(mark, context)) ?? (await createNamed(username, mark, context));
      await complete(project, quotas, context);
      await inside.putDefaultProject({ userId, projectId: project.id, name: project.name });
      log.info({ project_id: project.id, owner_id: userId }, 'a default project is ready');
      return project;
    });
  }

  // A project of that name that does not bear our marks is someone else's, whatever it is called.
  async function createNamed(username: string, mark: string, context: CallContext): Promise<KeystoneProject> {
    const description = `Slices of ${username}`;
    const name = `pucp-${username}`.slice(0, MAX_NAME);
    try {
      return await createProject({ name, description, mark }, context);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'ALREADY_EXISTS') throw error;
      const suffix = `-${(await store.installationId()).slice(0, 8)}`;
      const longer = `${name.slice(0, MAX_NAME - suffix.length)}${suffix}`;
      return await createProject({ name: longer, description, mark }, context);
    }
  }

  async function makeFurther(
    owner: Owner,
    wanted: FurtherProject,
    context: CallContext,
  ): Promise<KeystoneProject> {
    const grants = await Promise.all(
      wanted.members.map(async (member) => ({
        userId: (await home.keystone.findUser(member.user, {}, context)).id,
        roleId: (await home.keystone.findRole(member.role || 'member', context)).id,
      })),
    );
    const row = await store.beginProject({ name: wanted.name, userId: owner.userId });
    const mark = markOf(row);
    // Counted with this one noted, so that calls at once cannot slip past the limit together.
    const count = await store.countFurther(owner.userId);
    if (wanted.atMost !== undefined && count > wanted.atMost) {
      await store.forgetProject(row.id);
      throw tooMany(wanted.atMost);
    }
    try {
      const project = await createProject({ ...wanted, mark }, context);
      await complete(project, { ...quotas, ...wanted.quotas }, context);
      for (const grant of grants) {
        await home.keystone.grantRole({ projectId: project.id, ...grant }, context);
      }
      await store.finishProject(row.id, project.id);
      return project;
    } catch (error) {
      // The caller may have left; what was begun is taken back all the same. If this fails too, the sweep does it.
      await takeBack(row, { ...context, signal: AbortSignal.timeout(TAKE_BACK_MS) }).catch((cause: unknown) =>
        log.warn({ cause, project_name: row.name }, 'a project that was cut short is left to the sweep'),
      );
      throw error;
    }
  }

  async function takeBack(row: { id: string }, context: CallContext): Promise<void> {
    const project = await findMarked(markOf(row), context);
    if (project) await removeProject(cloud, project.id, context);
    await store.forgetProject(row.id);
  }

  return {
    makeDefault,
    makeFurther,
    async sweep(olderThanS, context) {
      for (const row of await store.abandonedProjects(olderThanS)) {
        log.info({ project_name: row.name }, 'removing a project that was cut short');
        await takeBack(row, context);
      }
    },
  };
}

const TAKE_BACK_MS = 30_000;

function markOf(row: { readonly id: string }): string {
  return `pucp:project=${row.id}`;
}

function tagText(text: string): string {
  return text.replace(/[,/]/g, '_').slice(0, 200);
}

function tooMany(atMost: number): Failure {
  return new Failure({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'TOO_MANY_PROJECTS',
    message: `You have ${atMost} projects besides your default one, and that is the most`,
    metadata: { limit: String(atMost) },
  });
}

function mayNotMake(cause: Failure): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'PROJECTS_FORBIDDEN',
    message:
      'The configured OpenStack credentials may not make projects; an operator must give them the role admin, or set OPENSTACK_TENANCY=shared to work in their own project',
    cause,
  });
}
