// Who may use what. In tenancy `user` every user has Keystone projects of their own and reaches what lies in them; in
// `shared` everything lies in the configured project and is told apart by the owner's mark. An admin reaches everything.
// What someone may not reach does not exist for them.

import type { Cache } from '#common/cache.ts';
import { Failure, notFound } from '#common/errors.ts';
import type { Cloud, ProjectClients } from './api/cloud.ts';
import type { KeystoneProject } from './api/keystone.ts';
import type { CallContext } from './api/settings.ts';
import { createMarker, serverFilter } from './api/tagging.ts';
import type { TenancyMode } from './config.ts';
import type { KeystoneProjects, Owner } from './keystone-projects.ts';
import { deployedSliceOf, OWNER_MARK } from './marks.ts';
import type { ProjectRow, Store } from './store.ts';

export type User = Owner & { readonly role: string };

/** A project, and clients whose token is scoped to it. */
export type Place = {
  readonly projectId: string;
  readonly projectName: string;
  readonly clients: ProjectClients;
};

/** A thing in the cloud, as far as it says whose it is. */
export type Owned = { readonly projectId: string; readonly ownerMark: string | undefined };

/** A project, and the user it was made for, if it was made by us. */
export type KnownProject = KeystoneProject & { readonly ownerId: string | undefined };

export type Tenancy = {
  /** Where a user's things go if nothing else is said; a project is made on first use. */
  place(owner: Owner, context: CallContext): Promise<Place>;
  /** The same, but undefined if there is no project yet. */
  findPlace(owner: Owner, context: CallContext): Promise<Place | undefined>;
  /** The place that a request names by id or name, or the user's default if it names none. NOT_FOUND unless reachable. */
  named(user: User, idOrName: string, context: CallContext): Promise<Place>;
  /** The project that a request names, also a disabled one, in which nothing can be done. NOT_FOUND unless reachable. */
  find(user: User, idOrName: string, context: CallContext): Promise<KnownProject>;
  /** To be called when a project was changed: what was known of it counts no longer. */
  forget(projectId: string): void;
  /** The projects that a user's lists are made of; `all` for an admin. Nothing is made. */
  reach(user: User, context: CallContext): Promise<readonly Place[] | 'all'>;
  /** Whether a thing exists for the user. */
  isReachable(user: User, owned: Owned): Promise<boolean>;
  /** What a user's lists leave out of what the projects hold: answers whether a thing with this mark stays. */
  ownerFilter(user: User): Promise<(mark: string | undefined) => boolean>;
  /**
   * The user's deployed slices that have a server, where projects do not tell whose a thing is: networks of a slice bear
   * the slice's mark alone. Empty where projects do tell.
   */
  ownSlices(user: User, context: CallContext): Promise<ReadonlySet<string>>;
  /** A project's name, empty if Keystone does not know it. */
  nameOf(projectId: string, context: CallContext): Promise<string>;
  /** The clients to act with on a thing that the user reaches: the project's where we have a role in it. */
  clientsFor(projectId: string, context: CallContext): Promise<ProjectClients>;
  /** What things of this owner are marked with, so that they are told apart where projects do not. */
  ownerMark(owner: Pick<Owner, 'userId'>): Promise<string>;
  /** The user's projects as Keystone knows them; all for an admin. */
  listProjects(user: User, context: CallContext): Promise<readonly KnownProject[]>;
  /** False only if there surely is no such project any more: one can be removed behind our back. */
  exists(projectId: string, context: CallContext): Promise<boolean>;
  /** Makes a further project; only in tenancy `user`. */
  makeProject: KeystoneProjects['makeFurther'];
};

export type TenancyOptions = {
  readonly mode: TenancyMode;
  readonly cloud: Cloud;
  readonly store: Store;
  readonly projects: KeystoneProjects;
  /** What Keystone said of a project, for as long as it may be believed. */
  readonly known: Cache<KeystoneProject>;
};

export function createTenancy(options: TenancyOptions): Tenancy {
  return options.mode === 'user' ? perUser(options) : shared(options);
}

function perUser({ cloud, store, projects, known }: TenancyOptions): Tenancy {
  const home = cloud.project('home');
  const making = new Map<string, Promise<KeystoneProject>>();

  const placeOf = ({ id, name }: Pick<KeystoneProject, 'id' | 'name'>): Place => ({
    projectId: id,
    projectName: name,
    clients: cloud.project({ projectId: id }),
  });

  async function findPlace(owner: Owner, context: CallContext): Promise<Place | undefined> {
    const row = await store.defaultProject(owner.userId);
    if (!row?.projectId) return undefined;
    const project = await stillThere(row.projectId, context);
    return project && enabledPlace(project);
  }

  // A project can be removed behind our back; a minute later at most that is noticed.
  async function stillThere(projectId: string, context: CallContext): Promise<KeystoneProject | undefined> {
    try {
      return await known.get(projectId, () => home.keystone.getProject(projectId, context));
    } catch (error) {
      if (error instanceof Failure && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  async function place(owner: Owner, context: CallContext): Promise<Place> {
    const found = await findPlace(owner, context);
    if (found) return found;
    const underWay = making.get(owner.userId);
    // Whoever waits for another caller's work does not end it by leaving, nor the other way round.
    const made = underWay ?? makeOnce(owner, context);
    return placeOf(await made);
  }

  function makeOnce(owner: Owner, context: CallContext): Promise<KeystoneProject> {
    const work = projects
      .makeDefault(owner, { ...context, signal: AbortSignal.timeout(MAKE_MS) })
      .finally(() => making.delete(owner.userId));
    making.set(owner.userId, work);
    return work;
  }

  async function named(user: User, idOrName: string, context: CallContext): Promise<Place> {
    if (idOrName === '') return await place(user, context);
    return enabledPlace(await find(user, idOrName, context));
  }

  async function find(user: User, idOrName: string, context: CallContext): Promise<KnownProject> {
    const own = (await store.projectsOf(user.userId)).find((row) => isNamed(row, idOrName));
    const ownProject = own?.projectId ? await stillThere(own.projectId, context) : undefined;
    if (ownProject) return { ...ownProject, ownerId: user.userId };
    if (user.role !== 'admin' || idOrName === '') throw notFound('project', idOrName);
    const project =
      (await stillThere(idOrName, context)) ??
      (await home.keystone.listProjects({ name: idOrName }, context))[0];
    if (!project) throw notFound('project', idOrName);
    return { ...project, ownerId: (await store.findProject(project.id))?.userId };
  }

  // Keystone gives no tokens for it, and says no more than that the credentials are wrong.
  function enabledPlace(project: KeystoneProject): Place {
    if (!project.enabled) throw disabled(project);
    return placeOf(project);
  }

  return {
    place,
    findPlace,
    named,
    find,
    forget: (projectId) => known.delete(projectId),
    async reach(user, context) {
      if (user.role === 'admin') return 'all';
      const rows = await store.projectsOf(user.userId);
      const found = await Promise.all(rows.map(({ projectId }) => stillThere(projectId ?? '', context)));
      // Keystone gives no token for a disabled one, so it can show nothing.
      return found.flatMap((project) => (project?.enabled ? [placeOf(project)] : []));
    },
    async isReachable(user, { projectId }) {
      return user.role === 'admin' || (await store.findProject(projectId))?.userId === user.userId;
    },
    ownerFilter: async () => () => true,
    ownSlices: async () => new Set(),
    nameOf: async (projectId, context) => (await stillThere(projectId, context))?.name ?? '',
    async clientsFor(projectId) {
      return (await store.findProject(projectId)) ? cloud.project({ projectId }) : home;
    },
    ownerMark: (owner) => ownerMark(store, owner),
    async listProjects(user, context) {
      const isAdmin = user.role === 'admin';
      const rows = await (isAdmin ? store.allProjects() : store.projectsOf(user.userId));
      const found = isAdmin
        ? await home.keystone.listProjects({}, context)
        : await Promise.all(rows.map(({ projectId }) => stillThere(projectId ?? '', context)));
      const owners = new Map(rows.map((row) => [row.projectId, row.userId]));
      return found
        .filter((project) => project !== undefined)
        .map((project) => ({ ...project, ownerId: owners.get(project.id) }));
    },
    async exists(projectId, context) {
      if (await stillThere(projectId, context)) return true;
      // A 404 may also be a proxy's, before a Keystone that is being restarted.
      return (await home.keystone.listProjects({}, context)).some(({ id }) => id === projectId);
    },
    makeProject: projects.makeFurther,
  };
}

function shared({ cloud, store, known }: TenancyOptions): Tenancy {
  const clients = cloud.project('home');

  async function theOne(context: CallContext): Promise<KeystoneProject> {
    const projectId = await clients.projectId(context);
    // Credentials of one project may not look it up; then the id has to do for a name.
    return await known.get(projectId, async () => {
      const own = await clients.keystone.listOwnProjects(context);
      const found = own.find(({ id }) => id === projectId);
      return (
        found ?? { id: projectId, name: projectId, domain_id: '', description: '', enabled: true, tags: [] }
      );
    });
  }

  async function place(context: CallContext): Promise<Place> {
    const { id, name } = await theOne(context);
    return { projectId: id, projectName: name, clients };
  }

  return {
    place: (_owner, context) => place(context),
    findPlace: (_owner, context) => place(context),
    async named(_user, idOrName, context) {
      const only = await place(context);
      if (['', only.projectId, only.projectName].includes(idOrName)) return only;
      throw notFound('project', idOrName);
    },
    async find(_user, idOrName, context) {
      const only = await theOne(context);
      if (![only.id, only.name].includes(idOrName)) throw notFound('project', idOrName);
      return { ...only, ownerId: undefined };
    },
    forget: (projectId) => known.delete(projectId),
    reach: async (_user, context) => [await place(context)],
    isReachable: async (user, owned) =>
      user.role === 'admin' || owned.ownerMark === (await ownerMark(store, user)),
    async ownerFilter(user) {
      const mine = await ownerMark(store, user);
      return (mark) => user.role === 'admin' || mark === mine;
    },
    async ownSlices(user, context) {
      const marker = createMarker(OWNER_MARK, await ownerMark(store, user));
      const servers = await clients.nova.listServers(serverFilter(marker), context);
      return new Set(servers.map(deployedSliceOf).filter((id) => id !== undefined));
    },
    async nameOf(projectId, context) {
      const { id, name } = await theOne(context);
      return id === projectId ? name : '';
    },
    clientsFor: async () => clients,
    ownerMark: (owner) => ownerMark(store, owner),
    listProjects: async (_user, context) => [{ ...(await theOne(context)), ownerId: undefined }],
    // Credentials of one project cannot tell, and need not: everything lies where they are.
    exists: async () => true,
    async makeProject() {
      throw new Failure({
        code: 'FAILED_PRECONDITION',
        reason: 'TENANCY_SHARED',
        message:
          'Everything lies in one project here (OPENSTACK_TENANCY=shared), so no further one can be made',
      });
    },
  };
}

const MAKE_MS = 60_000;

function disabled({ id, name }: KeystoneProject): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'PROJECT_DISABLED',
    message: `Project "${name}" is disabled, so nothing can be done in it; it can be enabled again by a change of the project`,
    metadata: { project_id: id },
  });
}

function isNamed(row: ProjectRow, idOrName: string): boolean {
  return row.projectId === idOrName || row.name === idOrName;
}

// At most 60 characters for Nova's tags, with `pucp:owner=` before it. User ids are small numbers, and other installations
// on the same cloud have the same.
async function ownerMark(store: Store, { userId }: Pick<Owner, 'userId'>): Promise<string> {
  return `${(await store.installationId()).slice(0, 8)}.${userId.replace(/[,/]/g, '_').slice(0, 36)}`;
}
