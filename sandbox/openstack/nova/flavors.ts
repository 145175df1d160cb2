// Flavors.

import { randomUUID } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import { type Call, type Json, ok, type Route, route } from '../http.ts';
import { badRequest, conflict, notFound, objectOf, requirePolicy } from './faults.ts';
import { pageOf } from './pages.ts';
import type { FlavorRow } from './rows.ts';

const ALLOWED = [
  ...['name', 'id', 'ram', 'vcpus', 'disk', 'swap', 'rxtx_factor', 'description'],
  ...['OS-FLV-EXT-DATA:ephemeral', 'os-flavor-access:is_public'],
];

export function flavorRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/flavors', (call) => list(cloud, call, (row) => brief(cloud, row, call))),
    route('GET', '/flavors/detail', (call) => list(cloud, call, (row) => show(cloud, row, call))),
    route('POST', '/flavors', (call) => {
      requirePolicy(call.caller, 'os_compute_api:os-flavor-manage:create');
      return ok({ flavor: show(cloud, create(cloud, call.body), call) });
    }),
    route('GET', '/flavors/{id}', (call) => ok({ flavor: show(cloud, visibleFlavor(cloud, call), call) })),
    route('PUT', '/flavors/{id}', (call) => {
      if (call.minor < 55) throw notFound('The resource could not be found.');
      requirePolicy(call.caller, 'os_compute_api:os-flavor-manage:update');
      const allowed = ['description'];
      const { description } = objectOf(call.body, 'flavor', { allowed, required: allowed });
      const row = mustFlavor(cloud, call.params.id);
      const changed = cloud.flavors.update(row.id, { description: description as string | null });
      return ok({ flavor: show(cloud, changed ?? row, call) });
    }),
    route('DELETE', '/flavors/{id}', ({ caller, params }) => {
      requirePolicy(caller, 'os_compute_api:os-flavor-manage:delete');
      cloud.flavors.remove(mustFlavor(cloud, params.id).id);
      return { status: 202 };
    }),
  ];
}

function list(cloud: Cloud, call: Call, render: (row: FlavorRow) => Json) {
  const { query } = call;
  const minRam = Number(query.get('minRam') ?? 0);
  const minDisk = Number(query.get('minDisk') ?? 0);
  const text = query.get('is_public') ?? 'true';
  const asked = text.toLowerCase() === 'none' ? undefined : isTrue(text);
  // An administrator sees the public ones too, unless all are asked for or the private ones.
  const isListed = (row: FlavorRow) => {
    if (!call.caller.isAdmin) return isUsable(row, call.caller.projectId);
    if (asked === undefined) return true;
    return asked ? isUsable(row, call.caller.projectId) : !row.is_public;
  };
  const rows = cloud.flavors
    .all()
    .filter((row) => isListed(row) && row.ram >= minRam && row.disk >= minDisk)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const { page, links } = pageOf(rows, { call, key: 'flavors', base: `${cloud.url}/compute/v2.1` });
  return ok({ flavors: page.map(render), ...links });
}

function brief(cloud: Cloud, row: FlavorRow, { minor }: Call): Json {
  return {
    id: row.id,
    name: row.name,
    links: linksOf(cloud, row.id),
    ...(minor >= 55 ? { description: row.description } : {}),
  };
}

function linksOf(cloud: Cloud, id: string) {
  return [
    { rel: 'self', href: `${cloud.url}/compute/v2.1/flavors/${id}` },
    { rel: 'bookmark', href: `${cloud.url}/compute/flavors/${id}` },
  ];
}

function show(cloud: Cloud, row: FlavorRow, { minor }: Call): Json {
  return {
    id: row.id,
    name: row.name,
    ram: row.ram,
    disk: row.disk,
    swap: row.swap === 0 && minor < 75 ? '' : row.swap,
    'OS-FLV-EXT-DATA:ephemeral': row.ephemeral,
    'OS-FLV-DISABLED:disabled': false,
    vcpus: row.vcpus,
    'os-flavor-access:is_public': row.is_public,
    rxtx_factor: 1.0,
    links: linksOf(cloud, row.id),
    ...(minor >= 55 ? { description: row.description } : {}),
    ...(minor >= 61 ? { extra_specs: row.extra_specs } : {}),
  };
}

/** Whether a project may start servers of a flavor: it is public, or private with access for the project. */
export function isUsable(row: FlavorRow, projectId: string): boolean {
  return row.is_public || (row.access ?? []).includes(projectId);
}

function visibleFlavor(cloud: Cloud, { caller, params }: Call): FlavorRow {
  const row = mustFlavor(cloud, params.id);
  if (caller.isAdmin || isUsable(row, caller.projectId)) return row;
  throw notFound(`Flavor ${row.id} could not be found.`);
}

export function mustFlavor(cloud: Cloud, id: string | undefined): FlavorRow {
  const row = cloud.flavors.get(id);
  if (!row) throw notFound(`Flavor ${id} could not be found.`);
  return row;
}

/** Nova takes many words for true and false. */
function isTrue(value: unknown): boolean {
  const word = String(value).toLowerCase();
  if (['true', '1', 'on', 'yes', 'y', 't'].includes(word)) return true;
  if (['false', '0', 'off', 'no', 'n', 'f'].includes(word)) return false;
  throw badRequest(`Invalid input for field/attribute os-flavor-access:is_public. Value: ${String(value)}.`);
}

function create(cloud: Cloud, body: Json): FlavorRow {
  const input = objectOf(body, 'flavor', { allowed: ALLOWED, required: ['name', 'ram', 'vcpus', 'disk'] });
  const number = (name: string, least: number) => {
    const value = Number(input[name] ?? 0);
    if (!Number.isInteger(value) || value < least)
      throw badRequest(`Invalid input for field/attribute ${name}.`);
    return value;
  };
  const wish = input.id === undefined || input.id === null ? 'auto' : String(input.id);
  const id = wish === 'auto' ? randomUUID() : wish;
  if (cloud.flavors.get(id)) throw conflict(`Flavor with ID ${id} already exists.`);
  if (cloud.flavors.all().some((row) => row.name === input.name)) {
    throw conflict(`Flavor with name ${String(input.name)} already exists.`);
  }
  return cloud.flavors.put({
    id,
    name: String(input.name),
    vcpus: number('vcpus', 1),
    ram: number('ram', 1),
    disk: number('disk', 0),
    ephemeral: number('OS-FLV-EXT-DATA:ephemeral', 0),
    swap: number('swap', 0),
    is_public: isTrue(input['os-flavor-access:is_public'] ?? true),
    description: typeof input.description === 'string' ? input.description : null,
    extra_specs: {},
  });
}
