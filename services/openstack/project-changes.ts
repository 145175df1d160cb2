// Changing and removing Keystone projects that the orchestrator made. Making them is keystone-projects.ts's, who may reach
// them tenancy.ts's, and what they have in the cloud project-emptying.ts's.

import { Failure } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import type { Cloud } from './api/cloud.ts';
import type { CallContext } from './api/settings.ts';
import { PROJECT_TAG } from './keystone-projects.ts';
import { deployedSliceOf } from './marks.ts';
import { removeProject } from './project-contents.ts';
import { emptyProject } from './project-emptying.ts';
import type { SliceStore } from './slice-store.ts';
import type { Store } from './store.ts';
import type { KnownProject, Tenancy, User } from './tenancy.ts';

export type Changes = { readonly name?: string; readonly description?: string; readonly enabled?: boolean };

export type ProjectChanges = {
  update(project: KnownProject, changes: Changes, context: CallContext): Promise<KnownProject>;
  /** Answers when nothing of it is left in any service. */
  remove(project: KnownProject, context: CallContext): Promise<void>;
  /** Forgets a project of the user's that is in our books and no longer in Keystone; false if there is none such. */
  forgetGone(user: User, idOrName: string): Promise<boolean>;
  /** Whether the user's slices go to it if nothing else is said. */
  isDefault(project: KnownProject): Promise<boolean>;
  /** The project whose rights the orchestrator works with. */
  isHome(project: KnownProject, context: CallContext): Promise<boolean>;
};

export type ProjectChangesOptions = {
  readonly cloud: Cloud;
  readonly store: Store;
  readonly slices: Pick<SliceStore, 'slicesIn'>;
  readonly tenancy: Pick<Tenancy, 'forget'>;
  readonly log: Log;
};

export function createProjectChanges(options: ProjectChangesOptions): ProjectChanges {
  const { cloud, store, slices, tenancy, log } = options;
  const home = cloud.project('home');

  async function assertOurs(project: KnownProject): Promise<void> {
    const mark = `pucp:installation=${await store.installationId()}`;
    if (project.tags.includes(PROJECT_TAG) && project.tags.includes(mark)) return;
    throw new Failure({
      code: 'FAILED_PRECONDITION',
      reason: 'PROJECT_FOREIGN',
      message: `Project "${project.name}" was not made by this orchestrator: change it with OpenStack's own tools`,
      metadata: { project_id: project.id },
    });
  }

  // Asked before, since Keystone of the release Zed hangs up on a name that is taken: its own 409 fails with a KeyError.
  async function assertFree(name: string, project: KnownProject, context: CallContext): Promise<void> {
    const named = await home.keystone.listProjects({ name, domain_id: project.domain_id }, context);
    if (named.every(({ id }) => id === project.id)) return;
    throw new Failure({
      code: 'ALREADY_EXISTS',
      reason: 'ALREADY_EXISTS',
      message: `Keystone has a project named "${name}" already`,
    });
  }

  async function assertNoSlices(project: KnownProject, context: CallContext): Promise<void> {
    const here = { allProjects: true, projectId: project.id };
    const [noted, servers, networks] = await Promise.all([
      slices.slicesIn(project.id),
      home.nova.listServers(here, context),
      home.neutron.networks.list({ project_id: project.id }, context),
    ]);
    const marked = [...servers, ...networks].map(deployedSliceOf).filter((id) => id !== undefined);
    const found = [...new Set([...noted, ...marked])].sort();
    if (found.length === 0) return;
    throw new Failure({
      code: 'FAILED_PRECONDITION',
      reason: 'PROJECT_HAS_SLICES',
      message: `Slices are in project "${project.name}": delete them first (${found.join(', ')})`,
      metadata: { project_id: project.id, slices: found.join(',') },
    });
  }

  async function setEnabled(project: KnownProject, enabled: boolean, context: CallContext): Promise<void> {
    await home.keystone.updateProject(project.id, { enabled }, context);
    tenancy.forget(project.id);
  }

  async function enableAgain(project: KnownProject): Promise<void> {
    // The caller may have left.
    const within = { signal: AbortSignal.timeout(ENABLE_MS) };
    await setEnabled(project, true, within).catch((cause: unknown) => {
      log.warn({ cause, project_id: project.id }, 'a project that could not be removed stays disabled');
    });
  }

  const isDefault = async ({ id }: KnownProject) => (await store.findProject(id))?.isDefault === true;

  return {
    isDefault,
    isHome: async ({ id }, context) => id === (await home.projectId(context)),
    async update(project, changes, context) {
      await assertOurs(project);
      if (changes.name !== undefined) await assertFree(changes.name, project, context);
      const changed = await home.keystone.updateProject(project.id, changes, context);
      if (changes.name !== undefined) await store.renameProject(project.id, changes.name);
      tenancy.forget(project.id);
      return { ...changed, ownerId: project.ownerId };
    },
    async remove(project, context) {
      await assertOurs(project);
      const row = await store.findProject(project.id);
      if (row?.isDefault) await assertNoSlices(project, context);
      // Nobody gets a token for a disabled project, so nothing new comes while it is being emptied.
      await setEnabled(project, false, context);
      try {
        if (row?.isDefault) await assertNoSlices(project, context);
        await emptyProject(cloud, project.id, context);
        await removeProject(cloud, project.id, context);
      } catch (error) {
        if (project.enabled) await enableAgain(project);
        throw error;
      }
      if (row) await store.forgetProject(row.id);
      tenancy.forget(project.id);
      log.info({ project_id: project.id, owner_id: project.ownerId }, 'a project is removed');
    },
    async forgetGone(user, idOrName) {
      const rows = await store.projectsOf(user.userId);
      const byAdmin = user.role === 'admin' ? await store.findProject(idOrName) : undefined;
      const row = rows.find((one) => one.projectId === idOrName || one.name === idOrName) ?? byAdmin;
      if (row) await store.forgetProject(row.id);
      return row !== undefined;
    },
  };
}

const ENABLE_MS = 30_000;
