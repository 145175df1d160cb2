// What all of Neutron's resources have in common: lists with filters, creation of one or many in a single call, change,
// deletion, tags. All of it is synchronous. Reference: https://docs.openstack.org/api-ref/network/v2/

import type { Page, PageQuery } from './pages.ts';
import { type Path, path, type Query } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

/** What every resource can be filtered by; any match of a list is enough, save for tags. */
export type CommonFilter = {
  /** A hundred at most: they travel in the URL. */
  readonly id?: string | readonly string[];
  readonly name?: string | readonly string[];
  /** Exactly this, or one of these: what the resources of a slice are found by (see `tagging.ts`). */
  readonly description?: string | readonly string[];
  readonly project_id?: string;
  /** Resources that have all of these. */
  readonly tags?: readonly string[];
  /** Only these fields of each; the others are then absent whatever the type says. */
  readonly fields?: readonly string[];
};

export type ResourceNames = {
  /** The wrapper of one: `security_group`. */
  readonly one: string;
  /** The wrapper of a list: `security_groups`. */
  readonly many: string;
  /** The collection's path: `/security-groups`. */
  readonly collection: Path;
  /** For messages: `security group`. */
  readonly title: string;
};

export type Resource<T, Create, Change, Filter> = {
  list(filter: CommonFilter & Filter, context: CallContext): Promise<T[]>;
  page(filter: CommonFilter & Filter & { page: PageQuery }, context: CallContext): Promise<Page<T>>;
  get(id: string, context: CallContext): Promise<T>;
  /** If the answer is lost the resource may exist: look for its description before trying again. */
  create(resource: Create, context: CallContext): Promise<T>;
  change(id: string, changes: Change, context: CallContext): Promise<T>;
  /** NOT_FOUND if it is gone already; IN_USE while something depends on it. */
  remove(id: string, context: CallContext): Promise<void>;
  replaceTags(id: string, tags: readonly string[], context: CallContext): Promise<void>;
};

/** Resources that Neutron makes many of in one call. Routers and floating IPs are refused with "Bulk operation not supported". */
export type BulkResource<T, Create, Change, Filter> = Resource<T, Create, Change, Filter> & {
  /** All or none of them, in the order given. */
  createMany(resources: readonly Create[], context: CallContext): Promise<T[]>;
};

export function createResource<T extends object, Create extends object, Change extends object, Filter>(
  client: ServiceClient,
  { one, many, collection, title }: ResourceNames,
): BulkResource<T, Create, Change, Filter> {
  const at = (id: string): Path => {
    const tail = path`/${id}`;
    return { ...tail, path: collection.path + tail.path, route: collection.route + tail.route };
  };
  const listCall = (filter: CommonFilter & Filter) => ({
    path: collection,
    query: toQuery(filter),
    what: `list ${title}s`,
  });

  return {
    list: (filter, context) => client.list<T>(many, listCall(filter), context),
    page: ({ page, ...filter }, context) =>
      client.page<T>(many, { ...listCall(filter as CommonFilter & Filter), page }, context),
    get: (id, context) => client.item<T>(one, { path: at(id), what: `find ${title} ${id}` }, context),
    create: (resource, context) =>
      client.item<T>(
        one,
        {
          method: 'POST',
          path: collection,
          json: { [one]: resource },
          what: `create the ${title}${named(resource)}`,
        },
        context,
      ),
    async createMany(resources, context) {
      if (resources.length === 0) return [];
      return await client.item<T[]>(
        many,
        {
          method: 'POST',
          path: collection,
          json: { [many]: resources },
          what: `create ${resources.length} ${title}s`,
        },
        context,
      );
    },
    change: (id, changes, context) =>
      client.item<T>(
        one,
        { method: 'PUT', path: at(id), json: { [one]: changes }, what: `change ${title} ${id}` },
        context,
      ),
    remove: (id, context) =>
      client.send({ method: 'DELETE', path: at(id), what: `delete ${title} ${id}` }, context),
    async replaceTags(id, tags, context) {
      const base = at(id);
      const tagsPath = { ...base, path: `${base.path}/tags`, route: `${base.route}/tags` };
      const what = `tag ${title} ${id}`;
      await client.send({ method: 'PUT', path: tagsPath, json: { tags }, what }, context);
    },
  };
}

/** Neutron wants lists as a repeated key, but tags that must all match in one value. */
function toQuery({ tags, ...filter }: CommonFilter): Query {
  return { ...filter, tags: tags === undefined || tags.length === 0 ? undefined : tags.join(',') };
}

function named(resource: object): string {
  return 'name' in resource && typeof resource.name === 'string' && resource.name !== ''
    ? ` "${resource.name}"`
    : '';
}
