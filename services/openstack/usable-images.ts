// The images that someone's servers and volumes may be made from: the project's own, what is public, and what others
// shared with the project. Where one project is everybody's, what someone else marked is left out.

import type { CallContext } from './api/settings.ts';
import type { BootImage, Catalog } from './catalog.ts';
import { imageMarkOf } from './marks.ts';
import type { Tenancy, User } from './tenancy.ts';

export type ImageDeps = {
  readonly catalog: Pick<Catalog, 'images' | 'sharedImages'>;
  readonly tenancy: Pick<Tenancy, 'ownerFilter' | 'clientsFor'>;
};

/**
 * In the order in which a name is looked up: everybody may make community images, so that theirs come last. Of the others
 * the newest first, own and public ones before those that are shared.
 */
export async function usableImages(
  { catalog, tenancy }: ImageDeps,
  { projectId, owner }: { readonly projectId: string | undefined; readonly owner: User },
  context: CallContext,
): Promise<readonly BootImage[]> {
  const sharedWith = async (id: string) =>
    await catalog.sharedImages({ projectId: id, clients: await tenancy.clientsFor(id, context) }, context);
  const [images, shared, mine] = await Promise.all([
    catalog.images(projectId, context),
    projectId === undefined ? [] : sharedWith(projectId),
    tenancy.ownerFilter(owner),
  ]);
  const own = images.filter((image) => {
    const mark = imageMarkOf(image);
    return image.visibility === 'public' || !mark || mine(mark);
  });
  const isCommunity = ({ visibility }: BootImage) => visibility === 'community';
  return [...own.filter((image) => !isCommunity(image)), ...shared, ...images.filter(isCommunity)];
}
