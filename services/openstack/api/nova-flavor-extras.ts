// What hangs on a flavor: the projects that may use a private one, and what scheduler and hypervisors are told with it. All
// but reading extra specs is for administrators.
// Reference: https://docs.openstack.org/api-ref/compute/#flavors-access-flavors-os-flavor-access-os-flavor-extra-specs

import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

export type FlavorAccess = { readonly flavor_id: string; readonly tenant_id: string };
export type ExtraSpecs = Readonly<Record<string, string>>;

export function createFlavorExtras(client: ServiceClient) {
  const changeAccess = (id: string, json: object, context: CallContext) =>
    client.send(
      { method: 'POST', path: path`/flavors/${id}/action`, json, what: `change who may use flavor ${id}` },
      context,
    );

  return {
    /** NOT_FOUND for a public one. */
    listFlavorAccess: (id: string, context: CallContext) =>
      client.item<readonly FlavorAccess[]>(
        'flavor_access',
        { path: path`/flavors/${id}/os-flavor-access`, what: `list who may use flavor ${id}` },
        context,
      ),

    /** ALREADY_EXISTS if it may already. */
    addFlavorAccess: (id: string, projectId: string, context: CallContext) =>
      changeAccess(id, { addTenantAccess: { tenant: projectId } }, context),

    /** NOT_FOUND if it may not. */
    removeFlavorAccess: (id: string, projectId: string, context: CallContext) =>
      changeAccess(id, { removeTenantAccess: { tenant: projectId } }, context),

    getExtraSpecs: (id: string, context: CallContext) =>
      client.item<ExtraSpecs>(
        'extra_specs',
        { path: path`/flavors/${id}/os-extra_specs`, what: `tell the extra specs of flavor ${id}` },
        context,
      ),

    /** Others stay. */
    addExtraSpecs: (id: string, specs: ExtraSpecs, context: CallContext) =>
      client.item<ExtraSpecs>(
        'extra_specs',
        {
          method: 'POST',
          path: path`/flavors/${id}/os-extra_specs`,
          json: { extra_specs: specs },
          what: `set extra specs of flavor ${id}`,
        },
        context,
      ),

    removeExtraSpec: (id: string, key: string, context: CallContext) =>
      client.send(
        {
          method: 'DELETE',
          path: path`/flavors/${id}/os-extra_specs/${key}`,
          what: `take the extra spec ${key} from flavor ${id}`,
        },
        context,
      ),
  };
}
