// Images, flavors and zones, as the catalog holds them.

import type { Handlers } from '#common/rpc-server.ts';
import { AvailabilityZone, Image } from '#proto/pucp/openstack/v1/openstack.ts';
import type { OpenstackServiceServer } from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { AvailabilityZone as NovaZone } from '../api/nova.ts';
import { capacityByZone, capacityOf, forAdmins } from '../capacity.ts';
import { aliasesOf } from '../names.ts';
import { callContext, type Deps, utc } from './deps.ts';
import { flavorView } from './flavor-view.ts';
import { usableImages } from './usable-images.ts';

type CatalogHandlers = Pick<
  Handlers<OpenstackServiceServer>,
  'listImages' | 'listFlavors' | 'listAvailabilityZones'
>;

const NO_HOSTS = { hosts: [] };

export function catalogHandlers(deps: Deps): CatalogHandlers {
  const { cloud, catalog, tenancy, config } = deps;
  return {
    async listImages(_request, context) {
      const within = callContext(context);
      const reach = await tenancy.reach(context.caller, within);
      // An admin reaches everybody's, and is shown what the admin's own servers can boot from.
      const places = reach === 'all' ? [await tenancy.findPlace(context.caller, within)] : reach;
      const ids = places.length === 0 ? [undefined] : places.map((place) => place?.projectId);
      const lists = await Promise.all(ids.map((id) => usableImages(deps, id, context)));
      const found = [...new Map(lists.flat().map((image) => [image.id, image])).values()];
      const images = found.map((image) =>
        Image.fromPartial({
          id: image.id,
          name: image.name,
          status: image.status,
          visibility: image.visibility,
          size: image.size ?? 0,
          diskFormat: image.disk_format ?? '',
          containerFormat: image.container_format ?? '',
          minDisk: image.min_disk,
          minRam: image.min_ram,
          createdAt: utc(image.created_at),
          updatedAt: utc(image.updated_at),
          aliases: aliasesOf(image, found, config.images),
        }),
      );
      return { images: images.sort((a, b) => a.name.localeCompare(b.name)) };
    },

    async listFlavors({ sync }, context) {
      if (sync) catalog.forgetFlavors();
      const found = await catalog.flavors(callContext(context));
      const flavors = found.map((flavor) => flavorView(flavor, aliasesOf(flavor, found, config.flavors)));
      return { flavors };
    },

    async listAvailabilityZones({ detailed, capacity }, context) {
      const within = callContext(context);
      const zonesOnly = () => catalog.zones(within);
      const withHosts = detailed && context.caller.role === 'admin';
      const [zones, { hosts }] = await Promise.all([
        withHosts ? forAdmins(catalog.zonesWithHosts(within), zonesOnly) : zonesOnly(),
        capacity ? capacityOf({ catalog, config, home: cloud.project('home') }, within) : NO_HOSTS,
      ]);
      const sorted = [...zones].sort((a, b) => a.zoneName.localeCompare(b.zoneName));
      return {
        availabilityZones: Object.fromEntries(sorted.map((zone) => [zone.zoneName, zoneView(zone)])),
        zoneCapacity: capacityByZone(hosts),
      };
    },
  };
}

function zoneView({ zoneName, zoneState, hosts }: NovaZone): AvailabilityZone {
  return AvailabilityZone.fromPartial({
    name: zoneName,
    state: zoneState.available ? 'available' : 'unavailable',
    hosts: Object.keys(hosts ?? {}).sort(),
    description: `Availability zone ${zoneName}`,
  });
}
