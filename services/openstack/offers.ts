// What the names in a wish mean in this cloud: images, flavors, key pairs, volume types and the external network, for the
// kinds and for validation.

import { Failure } from '#common/errors.ts';
import type { ProjectClients } from './api/cloud.ts';
import type { NeutronNetwork } from './api/neutron-types.ts';
import type { NovaFlavor } from './api/nova-flavors.ts';
import type { CallContext } from './api/settings.ts';
import type { BootImage, Catalog } from './catalog.ts';
import type { OpenstackConfig } from './config.ts';
import { ownKeyName } from './key-names.ts';
import type { Owner } from './keystone-projects.ts';
import { resolve, unknownName } from './names.ts';
import type { Tenancy } from './tenancy.ts';
import { type ImageDeps, usableImages } from './usable-images.ts';

export type OfferDeps = ImageDeps & {
  readonly catalog: Catalog;
  readonly tenancy: Pick<Tenancy, 'ownerMark'>;
  readonly config: Pick<OpenstackConfig, 'flavors' | 'images' | 'externalNetwork'>;
  /** Clients of the configured project, which sees the external networks as every other does. */
  readonly home: ProjectClients;
};

/** Looks a name up; answers what is wrong with it, as a sentence, where it means nothing. */
export type Offers = {
  image(name: string, context: CallContext): Promise<BootImage | string>;
  flavor(name: string, context: CallContext): Promise<NovaFlavor | string>;
  externalNetwork(context: CallContext): Promise<NeutronNetwork | string>;
  /** Nothing if the owner has such a key pair. */
  keyPair(name: string, context: CallContext): Promise<string | undefined>;
  /** Nothing if every project may use volumes of that type; an empty name leaves the choice to the cloud. */
  volumeType(name: string, context: CallContext): Promise<string | undefined>;
};

/** The offers to the owner of a slice in a project; undefined for one that does not exist yet. */
export function createOffers(
  { catalog, tenancy, config, home }: OfferDeps,
  { projectId, scope }: { readonly projectId: string | undefined; readonly scope: Owner },
): Offers {
  // Whoever is at work, an admin too: a slice is made of what its owner may use.
  const owner = { ...scope, role: '' };
  // Asked once for all nodes and volumes of a wish.
  const keyPairs = once((context) => home.nova.listKeypairs(context));
  const volumeTypes = once((context) => home.cinder.listVolumeTypes(context).catch(noneWithoutService));
  return {
    async image(name, context) {
      const images = await usableImages({ catalog, tenancy }, { projectId, owner }, context);
      return resolve(name, images, config.images) ?? unknownName('image', name, images, config.images);
    },
    async flavor(name, context) {
      const flavors = await catalog.flavors(projectId === undefined ? [] : [projectId], context);
      return resolve(name, flavors, config.flavors) ?? unknownName('flavor', name, flavors, config.flavors);
    },
    async externalNetwork(context) {
      const networks = await home.neutron.listExternalNetworks(context);
      const wanted = config.externalNetwork;
      const found = networks
        .filter(({ id, name }) => wanted === '' || id === wanted || name === wanted)
        .toSorted((a, b) => a.name.localeCompare(b.name))[0];
      if (found) return found;
      const known = networks.map(({ name }) => name).join(', ') || 'none';
      return wanted === ''
        ? 'the cloud has no external network, so nothing can lead outside'
        : `the configured external network "${wanted}" does not exist; there are: ${known}`;
    },
    async keyPair(name, context) {
      const [mark, pairs] = await Promise.all([tenancy.ownerMark(owner), keyPairs(context)]);
      const own = pairs.map((pair) => ownKeyName(mark, pair.name)).filter((one) => one !== undefined);
      if (own.includes(name)) return undefined;
      const known =
        own.length === 0 ? 'you have none: make or import one first' : `you have: ${own.join(', ')}`;
      return `key pair "${name}" does not exist; ${known}`;
    },
    async volumeType(name, context) {
      const types = await volumeTypes(context);
      if (!types) return 'the cloud has no volumes: leave them out';
      const usable = types.filter((type) => type.is_public);
      if (name === '' || usable.some((type) => type.name === name)) return undefined;
      return unknownName('volume type', name, usable, {});
    },
  };
}

function once<T>(load: (context: CallContext) => Promise<T>): typeof load {
  let loaded: Promise<T> | undefined;
  return (context) => {
    loaded ??= load(context);
    return loaded;
  };
}

function noneWithoutService(error: unknown): undefined {
  if (error instanceof Failure && error.reason === 'ENDPOINT_MISSING') return undefined;
  throw error;
}

/** What was looked up, or a failure that tells what is wrong with the name. */
export function mustFind<T extends { readonly id: string }>(found: T | string, reason: string): T {
  if (typeof found !== 'string') return found;
  throw new Failure({ code: 'INVALID_ARGUMENT', reason, message: found });
}
