// A Nova flavor as clients of the orchestrator see it.

import { Flavor } from '#proto/pucp/openstack/v1/openstack.ts';
import type { NovaFlavor } from '../api/nova-flavors.ts';

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
