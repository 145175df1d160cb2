// What the cloud offers: images, flavors, zones, and how much of it a project may use. Read by everyone and
// changed seldom, so kept for a minute; what this process changes is forgotten at once.

import { createCache } from '#common/cache.ts';
import type { Metrics } from '#common/metrics.ts';
import type { Cloud } from './api/cloud.ts';
import type { Image } from './api/glance.ts';
import type { AvailabilityZone } from './api/nova.ts';
import type { NovaFlavor } from './api/nova-flavors.ts';
import type { CallContext } from './api/settings.ts';
import { createQuotaReader, type QuotaReader, shared } from './quota-cache.ts';

/** An image that servers can boot from; Glance allows images without a name. */
export type BootImage = Image & { readonly name: string };

export type Catalog = QuotaReader & {
  /** Active images that a project may use, the newest of a name first. Every project sees public and community ones. */
  images(projectId: string | undefined, context: CallContext): Promise<readonly BootImage[]>;
  /** The next reader asks the cloud anew. */
  forgetFlavors(): void;
  /** The same: Nova makes images behind Glance's back. */
  forgetImages(): void;
  /** Smallest first. */
  flavors(context: CallContext): Promise<readonly NovaFlavor[]>;
  zones(context: CallContext): Promise<readonly AvailabilityZone[]>;
  /** With hosts: for admins. */
  zonesWithHosts(context: CallContext): Promise<readonly AvailabilityZone[]>;
};

const TTL_MS = 60_000;

export function createCatalog({ cloud, metrics }: { cloud: Cloud; metrics: Metrics }): Catalog {
  const home = cloud.project('home');
  const cache = <V extends {}>(name: string) => createCache<V>({ name, max: 2, ttlMs: TTL_MS, metrics });
  const images = cache<Image[]>('images');
  const flavors = cache<NovaFlavor[]>('flavors');
  const zones = cache<AvailabilityZone[]>('zones');

  cloud.onChange((change) => {
    if (change.service === 'glance') images.clear();
    if (change.service === 'nova' && change.route.startsWith('/flavors')) flavors.clear();
  });

  return {
    ...createQuotaReader({ cloud, metrics }),
    async images(projectId, context) {
      // One list for all: an administrator's has every project's images in it, so that it is filtered here.
      const all = await images.get('', () => home.glance.listImages({}, shared(context)));
      // A snapshot becomes active when Nova is done with it: whoever looks next must see it.
      if (all.some(isComing)) images.delete('');
      return bootable(all).filter(
        ({ visibility, owner }) =>
          visibility === 'public' || visibility === 'community' || owner === projectId,
      );
    },
    forgetFlavors: () => flavors.clear(),
    forgetImages: () => images.clear(),
    flavors: (context) =>
      flavors.get('', async () =>
        (await home.nova.listFlavors(shared(context))).filter(isOffered).sort(bySize),
      ),
    zones: (context) => zones.get('', () => home.nova.listAvailabilityZones(shared(context))),
    zonesWithHosts: (context) =>
      zones.get('hosts', async () => {
        const all = await home.nova.listAvailabilityZonesDetail(shared(context));
        // Nova lists its own services as a zone.
        return all.filter((zone) => zone.zoneName !== 'internal');
      }),
  };
}

/** An upload or a snapshot that never ends is not waited for. */
const COMING_MS = 1_800_000;

function isComing({ status, created_at }: Image): boolean {
  return ['queued', 'saving', 'uploading', 'importing'].includes(status) && ageMs(created_at) < COMING_MS;
}

function ageMs(time: string): number {
  return Date.now() - Date.parse(time);
}

function bootable(all: readonly Image[]): BootImage[] {
  return all
    .filter(
      (image): image is BootImage => image.name !== null && image.status === 'active' && !image.os_hidden,
    )
    .sort((a, b) => b.created_at.localeCompare(a.created_at));
}

function isOffered(flavor: NovaFlavor): boolean {
  return flavor['OS-FLV-DISABLED:disabled'] !== true;
}

function bySize(a: NovaFlavor, b: NovaFlavor): number {
  return a.vcpus - b.vcpus || a.ram - b.ram || a.disk - b.disk || a.name.localeCompare(b.name);
}
