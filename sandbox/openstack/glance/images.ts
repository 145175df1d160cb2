// Images: list, create, show, change by JSON patch, delete.

import { randomUUID } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import {
  type Call,
  created,
  Fault,
  noContent,
  ok,
  type Reply,
  type Route,
  readBody,
  route,
} from '../http.ts';
import { isUuid, nowSeconds } from '../ids.ts';
import { badRequest, conflict, forbidden, noImage } from './faults.ts';
import { listImages } from './list.ts';
import { applyPatch } from './patch.ts';
import type { ImageRow } from './rows.ts';
import { checkProperty, IMAGE_SCHEMA } from './schema.ts';
import { showImage } from './view.ts';
import { isImageVisible } from './visibility.ts';

const PATCH_TYPE = /^application\/openstack-images-v2\.[01]-json-patch/;
const MAX_PATCH_BYTES = 256 * 1024;

export function imageRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/images', (call) => ok(listImages(cloud, call))),
    route('POST', '/images', (call) => create(cloud, call)),
    route('GET', '/images/{id}', (call) => ok(showImage(mustImage(cloud, call)))),
    { ...route('PATCH', '/images/{id}', (call) => patch(cloud, call)), body: 'stream' },
    route('DELETE', '/images/{id}', (call) => remove(cloud, call)),
    route('POST', '/images/{id}/actions/deactivate', (call) => activate(cloud, call, 'deactivated')),
    route('POST', '/images/{id}/actions/reactivate', (call) => activate(cloud, call, 'active')),
    route('GET', '/schemas/image', () => ok(IMAGE_SCHEMA)),
    route('GET', '/schemas/images', () =>
      ok({ name: 'images', properties: { images: { type: 'array', items: IMAGE_SCHEMA } } }),
    ),
    route('GET', '/info/import', () =>
      ok({ 'import-methods': { description: 'Import methods available.', type: 'array', value: [] } }),
    ),
    route('GET', '/info/stores', () => ok({ stores: [{ id: 'local', default: 'true' }] })),
  ];
}

export function mustImage(cloud: Cloud, call: Call): ImageRow {
  const row = cloud.images.get(call.params.id);
  if (!row || !isImageVisible(row, call)) throw noImage(call.params.id);
  return row;
}

export function requireOwner(row: ImageRow, { caller }: Call): void {
  if (!caller.isAdmin && row.owner !== caller.projectId) throw forbidden('You do not own this image');
}

/** Fields that a create may set; everything else that is not Glance's own is a property. */
const SETTABLE = [
  'name',
  'visibility',
  'protected',
  'os_hidden',
  'container_format',
  'disk_format',
  'min_ram',
  'min_disk',
  'tags',
];
const READ_ONLY = [
  ...[
    'created_at',
    'updated_at',
    'status',
    'checksum',
    'size',
    'virtual_size',
    'direct_url',
    'self',
    'file',
    'schema',
  ],
  ...['os_hash_algo', 'os_hash_value', 'stores', 'locations'],
];

function create(cloud: Cloud, call: Call): Reply {
  const { body, caller } = call;
  for (const [name, value] of Object.entries(body)) {
    if (READ_ONLY.includes(name)) throw forbidden(`Attribute '${name}' is read-only.`);
    checkProperty(name, value);
  }
  const id = typeof body.id === 'string' ? body.id : randomUUID();
  if (!isUuid(id))
    throw badRequest(
      `Provided object does not match schema 'image': '${id}' does not match the pattern of an id`,
    );
  if (cloud.images.get(id)) throw conflict(`Image ID ${id} already exists!`);
  requirePublicize(body.visibility, call);
  const owner = body.owner ?? caller.projectId;
  if (owner !== caller.projectId && !caller.isAdmin)
    throw forbidden(`You are not permitted to create images owned by '${String(owner)}'.`);
  const own = [...SETTABLE, 'id', 'owner'];
  const properties = Object.fromEntries(Object.entries(body).filter(([name]) => !own.includes(name)));
  const now = nowSeconds();
  const row: ImageRow = {
    id,
    name: null,
    status: 'queued',
    visibility: 'shared',
    owner: String(owner),
    disk_format: null,
    container_format: null,
    size: null,
    virtual_size: null,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    protected: false,
    os_hidden: false,
    min_ram: 0,
    min_disk: 0,
    created_at: now,
    updated_at: now,
    tags: [],
    ...Object.fromEntries(Object.entries(body).filter(([name]) => SETTABLE.includes(name))),
    ...(Array.isArray(body.tags) ? { tags: [...new Set(body.tags.map(String))] } : {}),
    properties,
  };
  return created(showImage(cloud.images.put(row)), { location: `${cloud.url}/image/v2/images/${id}` });
}

export function requirePublicize(visibility: unknown, { caller }: Call): void {
  if (visibility === 'public' && !caller.isAdmin) {
    throw forbidden('You are not authorized to complete publicize_image action.');
  }
}

async function patch(cloud: Cloud, call: Call): Promise<Reply> {
  const type = call.headers['content-type'] ?? '';
  const bytes = await readBody(call.stream, MAX_PATCH_BYTES);
  if (!PATCH_TYPE.test(type)) {
    throw new Fault(415, `The request media type ${type} is not supported by this server.\n`);
  }
  let operations: unknown;
  try {
    operations = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw badRequest('Malformed JSON in request body.');
  }
  if (!Array.isArray(operations)) throw badRequest('Request body must be a JSON array of operation objects.');
  const row = mustImage(cloud, call);
  requireOwner(row, call);
  const changes = applyPatch(row, operations, { settable: SETTABLE, readOnly: READ_ONLY });
  refuseFormatOfActive(row, changes);
  if (changes.owner !== undefined && changes.owner !== row.owner && !call.caller.isAdmin)
    throw forbidden("Owner can't be updated by non admin.");
  if (changes.visibility !== row.visibility) requirePublicize(changes.visibility, call);
  const updated = cloud.images.update(row.id, { ...changes, updated_at: nowSeconds() }) ?? row;
  return ok(showImage(updated));
}

/** What an image's bytes are is said before they come. */
function refuseFormatOfActive(row: ImageRow, changes: Partial<ImageRow>): void {
  const name = (['disk_format', 'container_format'] as const).find((field) => changes[field] !== undefined);
  if (name !== undefined && row.status !== 'queued')
    throw forbidden(`Attribute ${name} can be only replaced for a queued image.`);
}

/** A deactivated image can be seen, but neither downloaded nor used. */
function activate(cloud: Cloud, call: Call, status: 'active' | 'deactivated'): Reply {
  const row = mustImage(cloud, call);
  requireOwner(row, call);
  if (row.status !== 'active' && row.status !== 'deactivated') {
    throw forbidden(
      `Not allowed to ${status === 'active' ? 're' : 'de'}activate image in status '${row.status}'`,
    );
  }
  cloud.images.update(row.id, { status, updated_at: nowSeconds() });
  return noContent;
}

function remove(cloud: Cloud, call: Call): Reply {
  const row = cloud.images.get(call.params.id);
  if (!row || !isImageVisible(row, call)) {
    throw new Fault(404, `Failed to find image ${call.params.id} to delete`);
  }
  requireOwner(row, call);
  if (row.protected) throw forbidden(`Image ${row.id} is protected and cannot be deleted.`);
  cloud.images.remove(row.id);
  cloud.contents.delete(row.id);
  return noContent;
}
