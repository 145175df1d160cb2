// One flavor: looked up by anyone who sees it, made and deleted by admins. The list is the catalog's.

import { type FieldViolation, invalid, notFound } from '#common/errors.ts';
import type { Handlers } from '#common/rpc-server.ts';
import type { ComputeServiceServer, CreateFlavorRequest } from '#proto/pucp/openstack/v1/compute_service.ts';
import type { Nova } from '../api/nova.ts';
import type { NovaFlavor } from '../api/nova-flavors.ts';
import type { CallContext } from '../api/settings.ts';
import { aliasesOf, resolve } from '../names.ts';
import { callContext, type Deps } from './deps.ts';
import { flavorView, visibleFlavors } from './flavor-view.ts';

type FlavorHandlers = Pick<Handlers<ComputeServiceServer>, 'getFlavor' | 'createFlavor' | 'deleteFlavor'>;

const MAX_NAME = 255;

export function flavorHandlers(deps: Deps): FlavorHandlers {
  const { cloud, catalog, config } = deps;
  const { nova } = cloud.project('home');
  return {
    async getFlavor({ id }, context) {
      const flavors = await visibleFlavors(deps, context);
      const flavor = resolve(id, flavors, config.flavors);
      if (!flavor) throw notFound('flavor', id);
      return flavorView(flavor, aliasesOf(flavor, flavors, config.flavors));
    },

    async createFlavor(request, context) {
      const violations = [...check(request)];
      if (violations.length > 0) throw invalid(violations);
      const within = callContext(context);
      const { name, vcpus, ram, disk, ephemeral, swap, id, isPublic = true } = request;
      const made = await nova.createFlavor(
        {
          name,
          vcpus,
          ram,
          disk,
          swap,
          'OS-FLV-EXT-DATA:ephemeral': ephemeral,
          'os-flavor-access:is_public': isPublic,
          ...(id === '' ? {} : { id }),
        },
        within,
      );
      catalog.forgetFlavors();
      return flavorView(made, aliasesOf(made, await visibleFlavors(deps, context), config.flavors));
    },

    async deleteFlavor({ id }, context) {
      const within = callContext(context);
      const flavor = await findFlavor(nova, id, within);
      await nova.deleteFlavor(flavor.id, within);
      catalog.forgetFlavors();
      return { message: 'Flavor deleted successfully' };
    },
  };
}

/** By id or the cloud's own name. Not the catalog's, which may be a minute old. */
export async function findFlavor(nova: Nova, id: string, within: CallContext): Promise<NovaFlavor> {
  const flavor = resolve(id, await nova.listAllFlavors(within), {});
  if (!flavor) throw notFound('flavor', id);
  return flavor;
}

function* check({ name, id, ...sizes }: CreateFlavorRequest): Generator<FieldViolation> {
  if (name === '' || name.trim() !== name || name.length > MAX_NAME) {
    yield { field: 'name', message: `must have 1 to ${MAX_NAME} characters, without spaces around them` };
  }
  if (id !== '' && (!/^[\w .-]{1,255}$/.test(id) || id.trim() !== id)) {
    yield { field: 'id', message: 'must have at most 255 letters, digits, spaces and _ . -' };
  }
  for (const field of ['vcpus', 'ram'] as const) {
    if (sizes[field] < 1) yield { field, message: 'must be at least 1' };
  }
  for (const field of ['disk', 'ephemeral', 'swap'] as const) {
    if (sizes[field] < 0) yield { field, message: 'must not be negative' };
  }
}
