// Nova's flavors: the sizes of servers. All projects see a public one; who sees a private one is `nova-flavor-extras.ts`.
// Reference: https://docs.openstack.org/api-ref/compute/#flavors

import { createFlavorExtras } from './nova-flavor-extras.ts';
import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

export type NovaFlavor = {
  readonly id: string;
  readonly name: string;
  readonly vcpus: number;
  /** MiB. */
  readonly ram: number;
  /** GiB; 0 means as large as the image. */
  readonly disk: number;
  /** MiB, or empty for none. */
  readonly swap: number | '';
  readonly 'OS-FLV-EXT-DATA:ephemeral': number;
  readonly 'os-flavor-access:is_public': boolean;
  readonly 'OS-FLV-DISABLED:disabled'?: boolean;
};

export type FlavorCreate = {
  readonly name: string;
  readonly vcpus: number;
  /** MiB. */
  readonly ram: number;
  /** GiB. */
  readonly disk: number;
  /** MiB. */
  readonly swap?: number;
  /** GiB. */
  readonly 'OS-FLV-EXT-DATA:ephemeral'?: number;
  /** True if absent. */
  readonly 'os-flavor-access:is_public'?: boolean;
  /** Chosen by Nova if absent. */
  readonly id?: string;
};

export function createFlavors(client: ServiceClient) {
  return {
    ...createFlavorExtras(client),

    listFlavors: (context: CallContext) =>
      client.list<NovaFlavor>('flavors', { path: path`/flavors/detail`, what: 'list flavors' }, context),

    /** To an administrator all; to others the public ones and those that the token's project may use. */
    listAllFlavors: (context: CallContext) =>
      client.list<NovaFlavor>(
        'flavors',
        { path: path`/flavors/detail`, query: { is_public: 'none' }, what: 'list flavors' },
        context,
      ),

    /** For administrators. ALREADY_EXISTS if the name or the id is taken. */
    createFlavor: (flavor: FlavorCreate, context: CallContext) =>
      client.item<NovaFlavor>(
        'flavor',
        {
          method: 'POST',
          path: path`/flavors`,
          json: { flavor },
          what: `create the flavor "${flavor.name}"`,
        },
        context,
      ),

    /** For administrators. Servers that have it keep their size. */
    deleteFlavor: (id: string, context: CallContext) =>
      client.send({ method: 'DELETE', path: path`/flavors/${id}`, what: `delete flavor ${id}` }, context),
  };
}
