// What the openstack service keeps of Keystone projects: which of them are whose. What exists in the cloud is the cloud's
// to say.

import { randomUUID } from 'node:crypto';
import type { Knex } from '#common/database.ts';

/** A Keystone project that the orchestrator made for a user. */
export type ProjectRow = {
  readonly id: string;
  /** Keystone's id; null while it is being made. */
  readonly projectId: string | null;
  readonly name: string;
  readonly userId: string;
  /** Whether it is the one meant where a request names none. */
  readonly isDefault: boolean;
  /** Whether roles and quotas stand. */
  readonly isReady: boolean;
};

export type ProjectStore = ReturnType<typeof createProjectStore>;
export type Store = ReturnType<typeof createStore>;

export function createStore(knex: Knex) {
  return {
    ...createProjectStore(knex),
    /**
     * Runs `work` while no other replica runs work under the same name; waits for its turn. What `inside` writes counts
     * when the work is over: it uses the lock's own connection, so that locks cannot starve each other of connections.
     */
    async exclusively<T>(name: string, work: (inside: ProjectStore) => Promise<T>): Promise<T> {
      return await knex.transaction(async (lock) => {
        await lock.raw('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`openstack ${name}`]);
        return await work(createProjectStore(lock));
      });
    },
  };
}

function createProjectStore(knex: Knex) {
  const projects = () => knex<ProjectColumns>('projects');
  // It never changes.
  let installation: string | undefined;

  return {
    /** Tells this installation's projects from those of another one on the same cloud. */
    async installationId(): Promise<string> {
      if (installation !== undefined) return installation;
      const row = await knex<{ id: string }>('installation').first('id');
      if (!row) throw new Error('the table installation is empty');
      installation = row.id;
      return installation;
    },

    /** The user's finished projects, the default first, then by name. */
    async projectsOf(userId: string): Promise<ProjectRow[]> {
      const rows = await projects()
        .where({ user_id: userId, is_ready: true })
        .orderBy([{ column: 'is_default', order: 'desc' }, 'name']);
      return rows.map(projectRow);
    },
    /** All finished projects. */
    async allProjects(): Promise<ProjectRow[]> {
      return (await projects().where({ is_ready: true }).orderBy('name')).map(projectRow);
    },
    async defaultProject(userId: string): Promise<ProjectRow | undefined> {
      const row = await projects().where({ user_id: userId, is_default: true }).first();
      return row && projectRow(row);
    },
    async findProject(projectId: string): Promise<ProjectRow | undefined> {
      const row = await projects().where({ project_id: projectId, is_ready: true }).first();
      return row && projectRow(row);
    },
    /** Notes that a further project is going to be made. */
    async beginProject({ name, userId }: Pick<ProjectRow, 'name' | 'userId'>): Promise<ProjectRow> {
      const row = { id: randomUUID(), project_id: null, name, user_id: userId, is_default: false };
      const [kept] = await projects().insert(row).returning('*');
      if (!kept) throw new Error('a project that was just noted is gone');
      return projectRow(kept);
    },
    /** Notes the user's default project, in place of a former one. */
    async putDefaultProject(
      project: Pick<ProjectRow, 'name' | 'userId'> & { projectId: string },
    ): Promise<void> {
      const { name, userId, projectId } = project;
      const found = { project_id: projectId, name, is_ready: true };
      await projects()
        .insert({ id: randomUUID(), user_id: userId, is_default: true, ...found })
        .onConflict(knex.raw('(user_id) where is_default'))
        .merge(found);
    },
    /** How many projects the user has besides the default one, those that are being made included. */
    async countFurther(userId: string): Promise<number> {
      const row = await projects()
        .where({ user_id: userId, is_default: false })
        .count({ count: '*' })
        .first();
      return Number(row?.count ?? 0);
    },
    async renameProject(projectId: string, name: string): Promise<void> {
      await projects().where({ project_id: projectId }).update({ name });
    },
    async finishProject(id: string, projectId: string): Promise<void> {
      await projects().where({ id }).update({ project_id: projectId, is_ready: true });
    },
    async forgetProject(id: string): Promise<void> {
      await projects().where({ id }).delete();
    },
    /** Projects that were begun so long ago that nobody can be at work on them any more. */
    async abandonedProjects(olderThanS: number): Promise<ProjectRow[]> {
      const old = knex.raw("now() - ? * interval '1 second'", [olderThanS]);
      return (await projects().where({ is_ready: false }).where('created_at', '<=', old)).map(projectRow);
    },
  };
}

type ProjectColumns = {
  id: string;
  project_id: string | null;
  name: string;
  user_id: string;
  is_default: boolean;
  is_ready: boolean;
  created_at: Date;
};

function projectRow(row: ProjectColumns): ProjectRow {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    userId: row.user_id,
    isDefault: row.is_default,
    isReady: row.is_ready,
  };
}
