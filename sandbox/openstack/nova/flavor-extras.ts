// What hangs on a flavor: its extra specs, the projects that may use it if it is private, and its description.

import type { Cloud } from '../cloud.ts';
import { type Call, isObject, type Json, ok, type Route, route } from '../http.ts';
import { pythonText } from '../ids.ts';
import { badRequest, conflict, invalidField, notFound, requirePolicy } from './faults.ts';
import { mustFlavor } from './flavors.ts';
import type { FlavorRow } from './rows.ts';

const SPECS = 'os_compute_api:os-flavor-extra-specs';
const ACCESS = 'os_compute_api:os-flavor-access';

export function flavorExtraRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/flavors/{id}/os-extra_specs', ({ params }) =>
      ok({ extra_specs: mustFlavor(cloud, params.id).extra_specs }),
    ),
    route('POST', '/flavors/{id}/os-extra_specs', ({ caller, params, body }) => {
      requirePolicy(caller, `${SPECS}:create`);
      const added = specsOf(body.extra_specs);
      const row = mustFlavor(cloud, params.id);
      cloud.flavors.update(row.id, { extra_specs: { ...row.extra_specs, ...added } });
      return ok({ extra_specs: added });
    }),
    route('GET', '/flavors/{id}/os-extra_specs/{key}', ({ params: { id, key = '' } }) => {
      return ok({ [key]: mustSpec(mustFlavor(cloud, id), key) });
    }),
    route('PUT', '/flavors/{id}/os-extra_specs/{key}', ({ caller, params: { id, key = '' }, body }) => {
      requirePolicy(caller, `${SPECS}:update`);
      const changed = specsOf(body);
      if (Object.keys(changed).length > 1) throw badRequest(`${pythonText(changed)} has too many properties`);
      if (!(key in changed)) throw badRequest('Request body and URI mismatch');
      const row = mustFlavor(cloud, id);
      cloud.flavors.update(row.id, { extra_specs: { ...row.extra_specs, ...changed } });
      return ok(changed);
    }),
    route('DELETE', '/flavors/{id}/os-extra_specs/{key}', ({ caller, params: { id, key = '' } }) => {
      requirePolicy(caller, `${SPECS}:delete`);
      const row = mustFlavor(cloud, id);
      mustSpec(row, key);
      const { [key]: _, ...rest } = row.extra_specs;
      cloud.flavors.update(row.id, { extra_specs: rest });
      return { status: 200 };
    }),
    route('GET', '/flavors/{id}/os-flavor-access', ({ caller, params }) => {
      requirePolicy(caller, ACCESS);
      const row = mustFlavor(cloud, params.id);
      if (row.is_public) throw notFound('Access list not available for public flavors.');
      return accessReply(row);
    }),
    route('POST', '/flavors/{id}/action', (call) => changeAccess(cloud, call)),
  ];
}

function specsOf(value: unknown): Record<string, string> {
  if (value === undefined) throw badRequest("'extra_specs' is a required property");
  if (!isObject(value))
    throw invalidField('extra_specs', value, `${pythonText(value)} is not of type 'object'`);
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner === 'string' || typeof inner === 'number') continue;
    throw invalidField(key, pythonText(inner), `${pythonText(inner)} is not of type 'string', 'number'`);
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, String(inner)]));
}

function mustSpec(row: FlavorRow, key: string): string {
  const value = row.extra_specs[key];
  if (value === undefined) throw notFound(`Flavor ${row.id} has no extra specs with key ${key}.`);
  return value;
}

function changeAccess(cloud: Cloud, { caller, params, body }: Call) {
  const [name = ''] = Object.keys(body);
  if (name !== 'addTenantAccess' && name !== 'removeTenantAccess') {
    throw badRequest(`There is no such action: ${name}`);
  }
  const isAdded = name === 'addTenantAccess';
  requirePolicy(caller, `${ACCESS}:${isAdded ? 'add' : 'remove'}_tenant_access`);
  const { tenant } = isObject(body[name]) ? (body[name] as Json) : {};
  if (typeof tenant !== 'string') throw invalidField(name, body[name], "'tenant' is a required property");
  const row = mustFlavor(cloud, params.id);
  if (!cloud.projects.get(tenant)) throw badRequest(`Project ID ${tenant} is not a valid project.`);
  const before = row.access ?? [];
  if (isAdded === before.includes(tenant)) {
    throw isAdded
      ? conflict(`Flavor access already exists for flavor ${row.id} and project ${tenant} combination.`)
      : notFound(`Flavor access not found for ${row.id} / ${tenant} combination.`);
  }
  const access = isAdded ? [...before, tenant] : before.filter((id) => id !== tenant);
  return accessReply(cloud.flavors.update(row.id, { access }) ?? row);
}

function accessReply(row: FlavorRow) {
  return ok({ flavor_access: (row.access ?? []).map((id) => ({ flavor_id: row.id, tenant_id: id })) });
}
