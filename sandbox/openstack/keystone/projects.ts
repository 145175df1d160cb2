// Projects and their tags.

import type { Cloud } from '../cloud.ts';
import { type Call, created, Fault, type Json, noContent, ok, type Route, route } from '../http.ts';
import { hexId } from '../ids.ts';
import { rolesOn } from './authenticate.ts';
import { bodyOf, invalid, listed, mustProject, nameOf, requireRule } from './faults.ts';
import { checkForms, checkTags } from './forms.ts';
import { DEFAULT_DOMAIN, type ProjectRow } from './rows.ts';

export function projectRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/projects', (call) => {
      requireRule(call.caller, 'identity:list_projects');
      const found = cloud.projects.all().filter((row) => matches(row, call.query));
      return ok(
        listed(
          cloud,
          call.target,
          'projects',
          found.map((row) => show(cloud, row)),
        ),
      );
    }),
    route('POST', '/projects', (call) => create(cloud, call)),
    route('GET', '/auth/projects', (call) => {
      const found = projectsOf(cloud, call.caller.userId);
      return ok(
        listed(
          cloud,
          call.target,
          'projects',
          found.map((row) => show(cloud, row)),
        ),
      );
    }),
    route('GET', '/users/{user_id}/projects', (call) => {
      const { user_id: userId = '' } = call.params;
      requireRule(call.caller, 'identity:list_user_projects', userId === call.caller.userId);
      const found = projectsOf(cloud, userId);
      return ok(
        listed(
          cloud,
          call.target,
          'projects',
          found.map((row) => show(cloud, row)),
        ),
      );
    }),
    route('GET', '/projects/{id}', (call) => {
      if (call.params.id !== DEFAULT_DOMAIN.id) return ok({ project: show(cloud, readable(cloud, call)) });
      requireRule(call.caller, 'identity:get_project');
      return ok({ project: showDomain(cloud) });
    }),
    route('PATCH', '/projects/{id}', (call) => {
      requireRule(call.caller, 'identity:update_project');
      const row = mustProject(cloud, call.params.id);
      const input = bodyOf(call.body, 'project');
      if (input.domain_id !== undefined && input.domain_id !== row.domain_id)
        throw invalid('Cannot change Domain ID');
      const changes = changesOf(input, false, row.extra);
      if (changes.name !== undefined) refuseTakenName(cloud, changes.name, row.id);
      const updated = cloud.projects.update(row.id, changes) ?? row;
      return ok({ project: { ...show(cloud, updated), extra: updated.extra ?? {} } });
    }),
    route('DELETE', '/projects/{id}', (call) => {
      requireRule(call.caller, 'identity:delete_project');
      const row = mustProject(cloud, call.params.id);
      if (cloud.projects.all().some(({ parent_id }) => parent_id === row.id)) {
        const advice = 'Use the cascade option if you want to delete a whole subtree.';
        throw new Fault(
          403,
          `Cannot delete the project ${row.id} since it is not a leaf in the hierarchy. ${advice}`,
        );
      }
      cloud.projects.remove(row.id);
      // Keystone forgets the grants; what the project owned in other services stays, orphaned.
      for (const grant of cloud.assignments.by('project_id', row.id)) cloud.assignments.remove(grant.id);
      return noContent;
    }),
    route('GET', '/projects/{id}/tags', (call) => tagsReply(cloud, readable(cloud, call).tags)),
    route('PUT', '/projects/{id}/tags', (call) => {
      requireRule(call.caller, 'identity:update_project_tags');
      const row = mustProject(cloud, call.params.id);
      const { tags } = call.body;
      if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) {
        throw invalid("'tags' is a required property");
      }
      return tagsReply(cloud, setTags(cloud, row, tags));
    }),
    route('DELETE', '/projects/{id}/tags', (call) => {
      requireRule(call.caller, 'identity:delete_project_tags');
      setTags(cloud, mustProject(cloud, call.params.id), []);
      return noContent;
    }),
    route('GET', '/projects/{id}/tags/{tag}', (call) => {
      mustTag(readable(cloud, call), call.params.tag);
      return noContent;
    }),
    route('PUT', '/projects/{id}/tags/{tag}', (call) => {
      requireRule(call.caller, 'identity:create_project_tag');
      const row = mustProject(cloud, call.params.id);
      setTags(cloud, row, [...row.tags, call.params.tag ?? '']);
      const location = `${cloud.url}/identity/v3/projects/${row.id}/tags/${call.params.tag}`;
      return { status: 201, headers: { location } };
    }),
    route('DELETE', '/projects/{id}/tags/{tag}', (call) => {
      requireRule(call.caller, 'identity:delete_project_tag');
      const row = mustProject(cloud, call.params.id);
      const tag = mustTag(row, call.params.tag);
      setTags(
        cloud,
        row,
        row.tags.filter((name) => name !== tag),
      );
      return noContent;
    }),
  ];
}

/** A domain is a project, too, of which Keystone lists nothing but answers when asked by id. */
function showDomain(cloud: Cloud): Json {
  const { id, name } = DEFAULT_DOMAIN;
  return {
    ...{
      id,
      name,
      domain_id: null,
      description: 'The default domain',
      enabled: true,
      parent_id: null,
      is_domain: true,
    },
    ...{ tags: [], options: {}, links: { self: `${cloud.url}/identity/v3/projects/${id}` } },
  };
}

function show(cloud: Cloud, row: ProjectRow): Json {
  return {
    ...row.extra,
    id: row.id,
    name: row.name,
    domain_id: row.domain_id,
    description: row.description,
    enabled: row.enabled,
    parent_id: row.parent_id ?? row.domain_id,
    is_domain: false,
    tags: row.tags,
    options: {},
    links: { self: `${cloud.url}/identity/v3/projects/${row.id}` },
  };
}

function create(cloud: Cloud, call: Call) {
  requireRule(call.caller, 'identity:create_project');
  const input = bodyOf(call.body, 'project');
  const name = nameOf(input, 64, true) ?? '';
  const domainId = input.domain_id ?? DEFAULT_DOMAIN.id;
  if (domainId !== DEFAULT_DOMAIN.id) throw invalid(`Could not find domain: ${String(domainId)}.`);
  const parentId = String(input.parent_id ?? DEFAULT_DOMAIN.id);
  const isInside = parentId !== DEFAULT_DOMAIN.id;
  if (isInside && !cloud.projects.get(parentId)) throw invalid(`Could not find project: ${parentId}.`);
  refuseTakenName(cloud, name);
  const row: ProjectRow = {
    id: hexId(),
    domain_id: DEFAULT_DOMAIN.id,
    description: '',
    enabled: true,
    tags: [],
    ...changesOf(input, true),
    ...(isInside ? { parent_id: parentId } : {}),
    name,
  };
  return created({ project: show(cloud, cloud.projects.put(row)) });
}

const KNOWN = [
  'id',
  'name',
  'domain_id',
  'description',
  'enabled',
  'tags',
  'parent_id',
  'is_domain',
  'options',
];

function changesOf(input: Json, isCreate: boolean, before: Json = {}): Partial<ProjectRow> {
  checkForms(input, ['description'], ['enabled', 'is_domain']);
  checkTags(input.tags);
  const { description, enabled, tags } = input;
  const extra = {
    ...before,
    ...Object.fromEntries(Object.entries(input).filter(([key]) => !KNOWN.includes(key))),
  };
  const name = nameOf(input, 64, isCreate);
  return {
    ...(name === undefined ? {} : { name }),
    ...(typeof description === 'string' ? { description } : {}),
    ...(typeof enabled === 'boolean' ? { enabled } : {}),
    ...(Array.isArray(tags) ? { tags: tags.map(String) } : {}),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
}

function refuseTakenName(cloud: Cloud, name: string, except?: string): void {
  const taken = cloud.projects.all().find((row) => row.name === name && row.id !== except);
  if (!taken) return;
  throw new Fault(
    409,
    `Conflict occurred attempting to store project - it is not permitted to have two projects with either the same name or same id in the same domain: name is ${name}, project id ${taken.id}.`,
  );
}

function projectsOf(cloud: Cloud, userId: string): ProjectRow[] {
  return cloud.projects.all().filter((row) => rolesOn(cloud, userId, row.id).length > 0);
}

/** A project that the caller may see: its own, or any for an admin. */
function readable(cloud: Cloud, call: Call): ProjectRow {
  requireRule(call.caller, 'identity:get_project', call.params.id === call.caller.projectId);
  return mustProject(cloud, call.params.id);
}

function matches(row: ProjectRow, query: URLSearchParams): boolean {
  const is = (key: string, value: string) => !query.has(key) || query.get(key) === value;
  const enabled = query.get('enabled');
  const list = (key: string) => query.get(key)?.split(',') ?? [];
  return (
    is('name', row.name) &&
    is('domain_id', row.domain_id) &&
    is('parent_id', row.parent_id ?? row.domain_id) &&
    (query.get('is_domain') ?? 'false').toLowerCase() !== 'true' &&
    (enabled === null || (enabled.toLowerCase() !== 'false' && enabled !== '0') === row.enabled) &&
    list('tags').every((tag) => row.tags.includes(tag)) &&
    (!query.has('tags-any') || list('tags-any').some((tag) => row.tags.includes(tag))) &&
    (!query.has('not-tags') || !list('not-tags').every((tag) => row.tags.includes(tag))) &&
    !list('not-tags-any').some((tag) => row.tags.includes(tag)) &&
    (!query.has('name__contains') || row.name.includes(query.get('name__contains') ?? ''))
  );
}

function setTags(cloud: Cloud, row: ProjectRow, tags: readonly string[]): readonly string[] {
  if (tags.length > 80) throw invalid('[…] is too long');
  if (tags.some((tag) => tag === '' || tag.length > 255 || /[,/]/.test(tag)))
    throw invalid('a tag is not valid');
  checkTags(tags);
  const unique = [...new Set(tags)];
  cloud.projects.update(row.id, { tags: unique });
  return unique;
}

function mustTag(row: ProjectRow, tag: string | undefined): string {
  if (tag === undefined || !row.tags.includes(tag))
    throw new Fault(404, `Could not find project tag: ${tag}.`);
  return tag;
}

function tagsReply(cloud: Cloud, tags: readonly string[]) {
  return ok({ links: { self: `${cloud.url}/identity/v3` }, tags });
}
