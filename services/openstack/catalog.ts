// What the cloud offers: images, flavors, zones, and how much of it a project may use. Read by everyone and
// changed seldom, so kept for a minute; what this process changes is forgotten at once.

import { createCache } from '#common/cache.ts';
import { Failure } from '#common/errors.ts';
import type { Metrics } from '#common/metrics.ts';
import type { Cloud } from './api/cloud.ts';
import { absentIsNone } from './api/errors.ts';
import type { Image } from './api/glance.ts';
import type { AvailabilityZone } from './api/nova.ts';
import type { NovaFlavor } from './api/nova-flavors.ts';
import type { CallContext } from './api/settings.ts';
import { createQuotaReader, type QuotaReader, shared } from './quota-cache.ts';
import type { Place } from './tenancy.ts';

/** An image that servers can boot from; Glance allows images without a name. */
export type BootImage = Image & { readonly name: string };

export type Catalog = QuotaReader & {
  /** Active images that a project may use, the newest of a name first. Every project sees public and community ones. */
  images(projectId: string | undefined, context: CallContext): Promise<readonly BootImage[]>;
  /** Active images that others shared with a project, which accepted them. The clients are the ones to act there with. */
  sharedImages(place: Receiver, context: CallContext): Promise<readonly BootImage[]>;
  /** The next reader asks the cloud anew. */
  forgetFlavors(): void;
  /** The same: Nova makes images behind Glance's back. */
  forgetImages(): void;
  /** Those that one of the projects may use, smallest first; every project may use the public ones. */
  flavors(projectIds: readonly string[] | 'all', context: CallContext): Promise<readonly NovaFlavor[]>;
  zones(context: CallContext): Promise<readonly AvailabilityZone[]>;
  /** With hosts: for admins. */
  zonesWithHosts(context: CallContext): Promise<readonly AvailabilityZone[]>;
};

export type Receiver = Pick<Place, 'projectId' | 'clients'>;

/** Undefined: all that there are. */
type Projects = ReadonlySet<string> | undefined;
type OfferedFlavor = { readonly flavor: NovaFlavor; readonly projects: Projects };

const TTL_MS = 60_000;

export function createCatalog({ cloud, metrics }: { cloud: Cloud; metrics: Metrics }): Catalog {
  const home = cloud.project('home');
  const cache = <V extends {}>(name: string) => createCache<V>({ name, max: 2, ttlMs: TTL_MS, metrics });
  const images = cache<Image[]>('images');
  const flavors = cache<OfferedFlavor[]>('flavors');
  const shares = createCache<BootImage[]>({ name: 'shared_images', max: 1_000, ttlMs: TTL_MS, metrics });
  const zones = cache<AvailabilityZone[]>('zones');

  cloud.onChange((change) => {
    if (change.service === 'glance') forgetImages();
    if (change.service === 'nova' && change.route.startsWith('/flavors')) flavors.clear();
  });

  function forgetImages(): void {
    images.clear();
    shares.clear();
  }

  async function loadFlavors(context: CallContext): Promise<OfferedFlavor[]> {
    const all = (await home.nova.listAllFlavors(context)).filter(isOffered).sort(bySize);
    return await Promise.all(
      all.map(async (flavor) => {
        if (flavor['os-flavor-access:is_public']) return { flavor, projects: undefined };
        return { flavor, projects: await projectsOf(flavor, context) };
      }),
    );
  }

  async function projectsOf({ id }: NovaFlavor, context: CallContext): Promise<Projects> {
    try {
      const access = await home.nova.listFlavorAccess(id, context);
      return new Set(access.map(({ tenant_id }) => tenant_id));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // Credentials of one project are told nothing more; that project may use whatever they see.
      if (error.reason === 'CLOUD_FORBIDDEN') return undefined;
      // It was deleted meanwhile.
      if (error.code === 'NOT_FOUND') return new Set();
      throw error;
    }
  }

  return {
    ...createQuotaReader({ cloud, metrics }),
    async images(projectId, context) {
      // One list for all: an administrator's has every project's images in it, so that it is filtered here.
      const all = await images.get('', () => home.glance.listImages({ visibility: 'all' }, shared(context)));
      // A snapshot becomes active when Nova is done with it: whoever looks next must see it.
      if (all.some(isComing)) images.delete('');
      return bootable(all).filter(
        ({ visibility, owner }) =>
          visibility === 'public' || visibility === 'community' || owner === projectId,
      );
    },
    sharedImages: ({ projectId, clients: { glance } }, context) =>
      shares.get(projectId, async () => {
        const within = shared(context);
        const filter = { visibility: 'shared', member_status: 'accepted' } as const;
        const all = bootable(await glance.listImages(filter, within));
        const foreign = all.filter(({ owner }) => owner !== projectId);
        // An administrator's token is shown what is shared with anyone.
        const isAccepted = await Promise.all(
          foreign.map(async ({ id: imageId }) => {
            const member = await glance.getMember({ imageId, projectId }, within).catch(absentIsNone);
            return member?.status === 'accepted';
          }),
        );
        return foreign.filter((_, index) => isAccepted[index]);
      }),
    forgetFlavors: () => flavors.clear(),
    forgetImages,
    async flavors(projectIds, context) {
      const all = await flavors.get('', () => loadFlavors(shared(context)));
      const offered = all.filter(
        ({ projects }) => !projects || projectIds === 'all' || projectIds.some((id) => projects.has(id)),
      );
      return offered.map(({ flavor }) => flavor);
    },
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
