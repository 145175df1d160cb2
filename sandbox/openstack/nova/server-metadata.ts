// Metadata and tags of servers.

import type { Cloud } from '../cloud.ts';
import { type Call, Fault, noContent, ok, type Route, route } from '../http.ts';
import { badRequest, conflict, forbidden, metadataOf, notFound } from './faults.ts';
import { computeLimits } from './quotas.ts';
import type { ServerRow } from './rows.ts';
import { checkTag } from './server-create.ts';
import { touch } from './server-life.ts';
import { mustServer } from './servers.ts';

const WRITABLE = ['active', 'paused', 'suspended', 'stopped'];
const MAX_TAGS = 50;

export function metadataRoutes(cloud: Cloud): Route[] {
  const save = (row: ServerRow, metadata: Record<string, string>) => {
    const limit = computeLimits(cloud, row.project_id).metadata_items ?? -1;
    if (limit >= 0 && Object.keys(metadata).length > limit) {
      throw forbidden(`Maximum number of metadata items exceeds ${limit}`);
    }
    touch(cloud, row.id, { metadata });
    return metadata;
  };
  const path = '/servers/{id}/metadata';
  return [
    route('GET', path, (call) => ok({ metadata: mustServer(cloud, call).metadata })),
    route('POST', path, (call) => {
      const row = writable(cloud, call, 'update metadata');
      return ok({ metadata: save(row, { ...row.metadata, ...metadataOf(call.body.metadata, 'metadata') }) });
    }),
    route('PUT', path, (call) => {
      const row = writable(cloud, call, 'update metadata');
      if (call.body.metadata === undefined) throw badRequest("'metadata' is a required property");
      return ok({ metadata: save(row, metadataOf(call.body.metadata, 'metadata')) });
    }),
    route('GET', `${path}/{key}`, (call) => {
      const { key = '' } = call.params;
      const value = mustServer(cloud, call).metadata[key];
      if (value === undefined) throw notFound('Metadata item was not found');
      return ok({ meta: { [key]: value } });
    }),
    route('PUT', `${path}/{key}`, (call) => {
      const { key = '' } = call.params;
      const meta = metadataOf(call.body.meta, 'meta');
      if (meta[key] === undefined) throw badRequest('Request body and URI mismatch');
      const row = writable(cloud, call, 'update metadata');
      save(row, { ...row.metadata, [key]: meta[key] });
      return ok({ meta: { [key]: meta[key] } });
    }),
    route('DELETE', `${path}/{key}`, (call) => {
      const { key = '' } = call.params;
      const { [key]: value, ...rest } = mustServer(cloud, call).metadata;
      if (value === undefined) throw notFound('Metadata item was not found');
      save(writable(cloud, call, 'delete metadata'), rest);
      return noContent;
    }),
    ...tagRoutes(cloud),
  ];
}

function tagRoutes(cloud: Cloud): Route[] {
  const path = '/servers/{id}/tags';
  const server = (call: Call) => {
    if (call.minor < 26) throw new Fault(404, 'The resource could not be found.');
    return mustServer(cloud, call);
  };
  const mustTag = (row: ServerRow, tag: string | undefined) => {
    if (tag === undefined || !row.tags.includes(tag)) throw notFound(`Server ${row.id} has no tag '${tag}'`);
    return tag;
  };
  const save = (row: ServerRow, tags: readonly string[]) => {
    if (tags.length > MAX_TAGS)
      throw badRequest(`The number of tags exceeded the per-server limit ${MAX_TAGS}`);
    const unique = [...new Set(tags)].sort();
    touch(cloud, row.id, { tags: unique });
    return unique;
  };
  return [
    route('GET', path, (call) => ok({ tags: server(call).tags })),
    route('PUT', path, (call) => {
      server(call);
      const { tags } = call.body;
      if (tags === undefined) throw badRequest("'tags' is a required property");
      if (!Array.isArray(tags)) throw badRequest('Invalid input for field/attribute tags.');
      tags.forEach((tag, index) => void checkTag(tag, String(index)));
      return ok({ tags: save(writable(cloud, call, 'update tags'), tags as string[]) });
    }),
    route('DELETE', path, (call) => {
      server(call);
      save(writable(cloud, call, 'delete tags'), []);
      return noContent;
    }),
    route('GET', `${path}/{tag}`, (call) => {
      mustTag(server(call), call.params.tag);
      return noContent;
    }),
    route('PUT', `${path}/{tag}`, (call) => {
      const { tags } = server(call);
      const { tag = '' } = call.params;
      checkTag(tag);
      const row = writable(cloud, call, 'update tag');
      if (tags.includes(tag)) return noContent;
      save(row, [...tags, tag]);
      const location = `${cloud.url}/compute/v2.1/servers/${row.id}/tags/${encodeURIComponent(tag)}`;
      return { status: 201, headers: { location } };
    }),
    route('DELETE', `${path}/{tag}`, (call) => {
      server(call);
      const row = writable(cloud, call, 'delete tag');
      const { tag = '' } = call.params;
      if (!row.tags.includes(tag)) throw notFound(`Instance ${row.id} has no tag '${tag}'`);
      save(
        row,
        row.tags.filter((name) => name !== tag),
      );
      return noContent;
    }),
  ];
}

function writable(cloud: Cloud, call: Call, verb: string): ServerRow {
  const row = mustServer(cloud, call);
  if (WRITABLE.includes(row.vm_state)) return row;
  throw conflict(`Cannot '${verb}' instance ${row.id} while it is in vm_state ${row.vm_state}`);
}
