// The routes that all Neutron resources share, made from a resource's definition: list, show, create (one or many, all
// or nothing), update, delete, tags.

import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import type { Collection } from '../collection.ts';
import {
  type Call,
  created,
  Fault,
  isObject,
  type Json,
  noContent,
  ok,
  type Reply,
  type Route,
  route,
} from '../http.ts';
import { nowSeconds } from '../ids.ts';
import { type Attributes, checkCreate, checkUpdate } from './attributes.ts';
import { badRequest, invalidInput, notAllowed, notFound } from './faults.ts';
import { list, pick } from './lists.ts';
import { reserve } from './quotas.ts';

type OwnedRow = { readonly id: string; readonly project_id: string; readonly revision_number: number };
type TaggedRow = OwnedRow & { readonly tags: readonly string[] };

export type Resource<T extends OwnedRow> = {
  readonly singular: string;
  readonly plural: string;
  /** As in NetworkNotFound. */
  readonly className: string;
  readonly path: string;
  readonly quota: string;
  readonly table: Collection<T>;
  readonly attributes: Attributes;
  /** Names to filter by that are no attributes. */
  readonly filters?: readonly string[];
  /** Attributes that Neutron filters, or sorts, nothing by. */
  readonly isNoFilter?: readonly string[];
  readonly isNoSortKey?: readonly string[];
  /** The rows a caller may see, narrowed by what the query makes cheap. */
  candidates(caller: Caller, query: URLSearchParams): T[];
  isVisible(row: T, caller: Caller): boolean;
  show(row: T, caller: Caller): Json;
  /** A row's rendering in the reply to its create, where that differs. */
  showCreated?(row: T, caller: Caller): Json;
  /** What many made at once must be together. */
  checkMany?(inputs: readonly Json[]): void;
  create(input: Json, caller: Caller): T;
  update(row: T, changes: Json, caller: Caller): T;
  /** Deletes, or throws why it cannot be deleted. */
  remove(row: T, caller: Caller): void;
};

export function resourceRoutes<T extends OwnedRow>(cloud: Cloud, resource: Resource<T>): Route[] {
  const { path, singular } = resource;
  return [
    route('GET', path, (call) => ok(listReply(cloud, resource, call))),
    route('POST', path, (call) => createReply(cloud, resource, call)),
    route('GET', `${path}/{id}`, (call) => {
      const item = resource.show(mustSee(resource, call), call.caller);
      const fields = call.query.getAll('fields');
      return ok({ [singular]: fields.length === 0 ? item : pick(item, fields) });
    }),
    route('PUT', `${path}/{id}`, (call) => {
      const row = mustSee(resource, call);
      const changes = checkUpdate(resource, call.body[singular] ?? missing(singular), call.caller);
      requireOwner(row, call.caller, `update_${singular}`);
      checkRevision(row, call);
      return ok({ [singular]: resource.show(resource.update(row, changes, call.caller), call.caller) });
    }),
    route('DELETE', `${path}/{id}`, (call) => {
      const row = mustSee(resource, call);
      requireOwner(row, call.caller, `delete_${singular}`);
      checkRevision(row, call);
      resource.remove(row, call.caller);
      return noContent;
    }),
  ];
}

function missing(name: string): never {
  throw badRequest(`Unable to find '${name}' in request body`);
}

const NEVER_FILTERS = ['created_at', 'updated_at'];

function listReply<T extends OwnedRow>(cloud: Cloud, resource: Resource<T>, { caller, query }: Call): Json {
  const { attributes, isNoFilter = [], isNoSortKey = [] } = resource;
  const kinds = Object.entries(attributes).map(([name, { type }]) => {
    const kind = type === 'boolean' || type === 'integer' ? type : 'any';
    return [name, kind] as const;
  });
  const names = [...kinds, ...(resource.filters ?? []).map((name) => [name, 'any'] as const)];
  return list(resource.candidates(caller, query), {
    query,
    url: `${cloud.url}/networking/v2.0${resource.path}`,
    plural: resource.plural,
    filters: Object.fromEntries(names.filter(([name]) => ![...NEVER_FILTERS, ...isNoFilter].includes(name))),
    sortKeys: Object.keys(attributes).filter((name) => !isNoSortKey.includes(name)),
    show: (row) => resource.show(row, caller),
    checkMarker: (id) => void mustExist(resource, id, caller),
  });
}

function createReply<T extends OwnedRow>(cloud: Cloud, resource: Resource<T>, { body, caller }: Call): Reply {
  const { singular, plural } = resource;
  const many = body[plural];
  const one = body[singular];
  if (one === undefined && many === undefined) throw missing(singular);
  if (many !== undefined && !Array.isArray(many))
    throw badRequest(`Object '${singular}' contains invalid data`);
  const inputs = (Array.isArray(many) ? many : [one]).map((item) => checkCreate(resource, item, caller));
  if (inputs.length === 0) throw badRequest('Resources required');
  resource.checkMany?.(inputs);
  reserve(
    cloud,
    resource.quota,
    inputs.map((input) => String(input.project_id)),
  );
  const rows: T[] = [];
  try {
    for (const input of inputs) rows.push(resource.create(input, caller));
  } catch (error) {
    // All or nothing: what this request made goes again.
    for (const row of rows.reverse()) resource.table.remove(row.id);
    throw error;
  }
  const show = resource.showCreated ?? resource.show;
  const shown = rows.map((row) => show(row, caller));
  return created(Array.isArray(many) ? { [plural]: shown } : { [singular]: shown[0] });
}

function mustExist<T extends OwnedRow>(resource: Resource<T>, id: string, caller: Caller): T {
  const row = resource.table.get(id);
  if (!row || !resource.isVisible(row, caller)) throw notFound(resource.className, id);
  return row;
}

export function mustSee<T extends OwnedRow>(resource: Resource<T>, { params, caller }: Call): T {
  return mustExist(resource, params.id ?? '', caller);
}

export function isOwn(row: OwnedRow, caller: Caller): boolean {
  return caller.isAdmin || (caller.projectId !== '' && row.project_id === caller.projectId);
}

function requireOwner(row: OwnedRow, caller: Caller, rule: string): void {
  if (!isOwn(row, caller)) throw notAllowed(`rule:${rule}`);
}

/** If-Match: revision_number=N, the API's optimistic lock. */
function checkRevision(row: OwnedRow, call: Call): void {
  const wanted = /^revision_number=(\d+)$/.exec(call.headers['if-match'] ?? '')?.[1];
  if (wanted === undefined || Number(wanted) === row.revision_number) return;
  const message = `Constrained to ${wanted}, but current revision is ${row.revision_number}`;
  throw new Fault(412, message, 'RevisionNumberConstraintFailed');
}

/** An update that changes the time and revision as well. */
export function bump<T extends OwnedRow>(table: Collection<T>, row: T, changes: Partial<T>): T {
  const stamp = {
    updated_at: nowSeconds(),
    revision_number: row.revision_number + 1,
  } as unknown as Partial<T>;
  return table.update(row.id, { ...changes, ...stamp }) ?? row;
}

export function standardRow(input: Json) {
  const now = nowSeconds();
  return {
    project_id: String(input.project_id),
    name: String(input.name ?? ''),
    description: String(input.description ?? ''),
    tags: [] as readonly string[],
    created_at: now,
    updated_at: now,
    revision_number: 0,
  };
}

/** Neutron sets no limit; the sandbox must. */
const MAX_TAGS = 1000;

export function tagRoutes<T extends TaggedRow>(resource: Resource<T>): Route[] {
  const path = `${resource.path}/{id}/tags`;
  const set = (row: T, tags: readonly string[]) => {
    if (tags.length > MAX_TAGS) throw invalidInput(`a resource has at most ${MAX_TAGS} tags.`);
    for (const tag of tags) {
      if (typeof tag !== 'string') throw invalidInput(`'${tag}' is not a valid string.`);
      if (tag.length > 255) throw invalidInput(`'${tag}' exceeds maximum length of 255.`);
    }
    const twice = tags.find((tag, index) => tags.indexOf(tag) !== index);
    if (twice !== undefined) throw invalidInput(`Duplicate items in the list: '${twice}'.`);
    const unique = [...tags].sort();
    bump(resource.table, row, { tags: unique } as unknown as Partial<T>);
    return unique;
  };
  const seen = (call: Call) => {
    const row = resource.table.get(call.params.id);
    if (row && resource.isVisible(row, call.caller)) return row;
    const message = `Resource ${resource.plural} ${call.params.id} could not be found.`;
    throw new Fault(404, message, 'TagResourceNotFound');
  };
  const owned = (call: Call) => {
    const row = seen(call);
    requireOwner(row, call.caller, `update_${resource.singular}_tags`);
    return row;
  };
  const mustTag = (row: T, tag: string | undefined) => {
    if (tag === undefined || !row.tags.includes(tag))
      throw new Fault(404, `Tag ${tag} could not be found.`, 'TagNotFound');
    return tag;
  };
  return [
    route('GET', path, (call) => ok({ tags: seen(call).tags })),
    route('PUT', path, (call) => {
      const row = owned(call);
      const { tags } = isObject(call.body) ? call.body : {};
      if (tags === undefined) throw invalidInput('Invalid tags body.');
      if (!Array.isArray(tags)) throw invalidInput(`'${String(tags)}' is not a list.`);
      return ok({ tags: set(row, tags) });
    }),
    route('DELETE', path, (call) => {
      set(owned(call), []);
      return noContent;
    }),
    route('GET', `${path}/{tag}`, (call) => {
      mustTag(seen(call), call.params.tag);
      return noContent;
    }),
    {
      ...route('PUT', `${path}/{tag}`, (call) => {
        const row = owned(call);
        const { tag = '' } = call.params;
        if (!row.tags.includes(tag)) set(row, [...row.tags, tag]);
        return created(null);
      }),
      // Whatever is sent along, an object or not: Neutron does not look at it.
      body: 'stream',
    },
    route('DELETE', `${path}/{tag}`, (call) => {
      const row = owned(call);
      const tag = mustTag(row, call.params.tag);
      set(
        row,
        row.tags.filter((name) => name !== tag),
      );
      return noContent;
    }),
  ];
}
