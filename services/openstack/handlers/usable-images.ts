// The images that a caller may boot from or copy. Where one project is everybody's, what someone else marked is left out.

import type { Context } from '#common/rpc-server.ts';
import type { BootImage } from '../catalog.ts';
import { callContext, type Deps } from './deps.ts';
import { markOfImage } from './images-view.ts';

/** As the catalog has them for the project, the newest of a name first. */
export async function usableImages(
  { catalog, tenancy }: Pick<Deps, 'catalog' | 'tenancy'>,
  projectId: string | undefined,
  context: Context,
): Promise<readonly BootImage[]> {
  const [images, mine] = await Promise.all([
    catalog.images(projectId, callContext(context)),
    tenancy.ownerFilter(context.caller),
  ]);
  return images.filter((image) => {
    const mark = markOfImage(image);
    return image.visibility === 'public' || image.visibility === 'community' || !mark || mine(mark);
  });
}
