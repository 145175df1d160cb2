// A Nova flavor as clients of the orchestrator see it, and which ones someone sees.

import type { Context } from '#common/rpc-server.ts';
import { Flavor } from '#proto/pucp/openstack/v1/openstack.ts';
import type { NovaFlavor } from '../api/nova-flavors.ts';
import { callContext, type Deps } from './deps.ts';

export function flavorView(flavor: NovaFlavor, aliases: readonly string[]): Flavor {
  return Flavor.fromPartial({
    id: flavor.id,
    name: flavor.name,
    vcpus: flavor.vcpus,
    ram: flavor.ram,
    disk: flavor.disk,
    ephemeral: flavor['OS-FLV-EXT-DATA:ephemeral'],
    swap: flavor.swap || 0,
    rxtxFactor: 'rxtx_factor' in flavor ? Number(flavor.rxtx_factor) : 1,
    isPublic: flavor['os-flavor-access:is_public'],
    aliases: [...aliases],
  });
}

/** Smallest first: public ones, and those that a project of the caller's may use; all for an admin. */
export async function visibleFlavors(
  { catalog, tenancy }: Pick<Deps, 'catalog' | 'tenancy'>,
  context: Context,
): Promise<readonly NovaFlavor[]> {
  const within = callContext(context);
  const reach = await tenancy.reach(context.caller, within);
  return await catalog.flavors(reach === 'all' ? 'all' : reach.map(({ projectId }) => projectId), within);
}
