// Images, flavors and zones, as the catalog holds them.

import { invalid } from '#common/errors.ts';
import type { Handlers } from '#common/rpc-server.ts';
import { AvailabilityZone, Image } from '#proto/pucp/openstack/v1/openstack.ts';
import type { OpenstackServiceServer } from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { AvailabilityZone as NovaZone } from '../api/nova.ts';
import { capacityByZone, capacityOf, forAdmins } from '../capacity.ts';
import { aliasesOf } from '../names.ts';
import { usableImages } from '../usable-images.ts';
import { callContext, type Deps, utc } from './deps.ts';
import { flavorView, visibleFlavors } from './flavor-view.ts';
import { type PageRequest, pageOf } from './page.ts';

type CatalogHandlers = Pick<
  Handlers<OpenstackServiceServer>,
  'listImages' | 'listFlavors' | 'listAvailabilityZones'
>;

const NO_HOSTS = { hosts: [] };
const VISIBILITIES = ['public', 'private', 'shared', 'community'];

export function catalogHandlers(deps: Deps): CatalogHandlers {
  const { cloud, catalog, tenancy, config } = deps;
  return {
    async listImages(request, context) {
      const within = callContext(context);
      const reach = await tenancy.reach(context.caller, within);
      // An admin reaches everybody's, and is shown what the admin's own servers can boot from.
      const places = reach === 'all' ? [await tenancy.findPlace(context.caller, within)] : reach;
      const ids = places.length === 0 ? [undefined] : places.map((place) => place?.projectId);
      const lists = await Promise.all(
        ids.map((projectId) => usableImages(deps, { projectId, owner: context.caller }, within)),
      );
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
      const { visibility = '' } = request;
      if (visibility !== '' && !VISIBILITIES.includes(visibility)) {
        throw invalid([{ field: 'visibility', message: `must be one of ${VISIBILITIES.join(', ')}` }]);
      }
      // As Glance: whatever everybody may make is listed for those who ask for it.
      const isAsked = (actual: string) =>
        visibility === '' ? actual !== 'community' : actual === visibility;
      const wanted = images.filter((image) => isNamed(image, request) && isAsked(image.visibility));
      const { items, nextPageToken } = pageOf(wanted, pageRequestOf(request), {
        key: ({ name, id }) => `${name.toLowerCase()} ${id}`,
      });
      return { images: items, nextPageToken };
    },

    async listFlavors(request, context) {
      if (request.sync) catalog.forgetFlavors();
      const found = await visibleFlavors(deps, context);
      const flavors = found.map((flavor) => flavorView(flavor, aliasesOf(flavor, found, config.flavors)));
      const { items, nextPageToken } = pageOf(
        flavors.filter((flavor) => isNamed(flavor, request)),
        pageRequestOf(request),
        { key: ({ ram, vcpus, disk, name }) => `${[ram, vcpus, disk].map(sortable).join(' ')} ${name}` },
      );
      return { flavors: items, nextPageToken };
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

function isNamed(
  { name }: { readonly name: string },
  request: { readonly name?: string | undefined },
): boolean {
  return name.toLowerCase().includes((request.name ?? '').toLowerCase());
}

function pageRequestOf(request: {
  pageSize?: number | undefined;
  pageToken?: string | undefined;
}): PageRequest {
  return { pageSize: request.pageSize ?? 0, pageToken: request.pageToken ?? '' };
}

/** Whole numbers as texts that sort as the numbers do. */
function sortable(count: number): string {
  return String(count).padStart(10, '0');
}

function zoneView({ zoneName, zoneState, hosts }: NovaZone): AvailabilityZone {
  return AvailabilityZone.fromPartial({
    name: zoneName,
    state: zoneState.available ? 'available' : 'unavailable',
    hosts: Object.keys(hosts ?? {}).sort(),
    description: `Availability zone ${zoneName}`,
  });
}
