// What the cloud offers: images, flavors, zones. Read by everyone and changed seldom, so kept for a minute.

import { createCache } from '#common/cache.ts';
import type { Metrics } from '#common/metrics.ts';
import type { Cloud } from './api/cloud.ts';
import type { Image } from './api/glance.ts';
import type { AvailabilityZone, NovaFlavor } from './api/nova.ts';
import type { CallContext } from './api/settings.ts';

/** An image that servers can boot from; Glance allows images without a name. */
export type BootImage = Image & { readonly name: string };

export type Catalog = {
  /** Active images that a project may use, the newest of a name first. Every project sees public and community ones. */
  images(projectId: string | undefined, context: CallContext): Promise<readonly BootImage[]>;
  /** The next reader asks the cloud anew. */
  forgetFlavors(): void;
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
  const images = cache<BootImage[]>('images');
  const flavors = cache<NovaFlavor[]>('flavors');
  const zones = cache<AvailabilityZone[]>('zones');

  return {
    async images(projectId, context) {
      // One list for all: an administrator's has every project's images in it, so that it is filtered here.
      const all = await images.get('', async () =>
        bootable(await home.glance.listImages({ status: 'active' }, shared(context))),
      );
      return all.filter(
        ({ visibility, owner }) =>
          visibility === 'public' || visibility === 'community' || owner === projectId,
      );
    },
    forgetFlavors: () => flavors.clear(),
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

/** Several callers wait for one list: none of them ends it by leaving. The client's own time limit does. */
function shared(context: CallContext): CallContext {
  return { requestId: context.requestId, signal: AbortSignal.timeout(60_000) };
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
