// Every rpc of ImagesService; making an image is `images-create.ts`, sharing one `images-members.ts`.

import { Failure, invalid } from '#common/errors.ts';
import type { Handlers } from '#common/rpc-server.ts';
import type { ImagesServiceServer, UpdateImageRequest } from '#proto/pucp/openstack/v1/images_service.ts';
import { absentIsDone } from '../api/errors.ts';
import type { Image, ImageChange } from '../api/glance.ts';
import { callContext, type Deps } from './deps.ts';
import { checkImage, checkProperties, requireVisibility } from './images-check.ts';
import { createImageHandler } from './images-create.ts';
import { imageMemberHandlers } from './images-members.ts';
import { findOwnImage, findVisibleImage, imageView, isReserved } from './images-view.ts';

export function imagesHandlers(deps: Deps): Handlers<ImagesServiceServer> {
  const { cloud, tenancy } = deps;
  return {
    createImage: createImageHandler(deps),
    ...imageMemberHandlers(deps),

    async getImage({ id }, context) {
      return await imageView(deps, await findVisibleImage(deps, id, context), context);
    },

    async updateImage(request, context) {
      const violations = [...checkImage(request), ...checkProperties(Object.entries(request.properties))];
      if (violations.length > 0) throw invalid(violations);
      const image = await findOwnImage(deps, request.id, context);
      const { visibility = image.visibility } = request;
      if (visibility !== image.visibility) requireVisibility(visibility, context);
      const changes = changesOf(request, image);
      if (changes.length === 0) return await imageView(deps, image, context);
      const within = callContext(context);
      // With an administrator's rights where the new visibility needs them.
      const { glance } =
        visibility === image.visibility
          ? await tenancy.clientsFor(image.owner, within)
          : cloud.project('home');
      return await imageView(deps, await glance.updateImage(image.id, changes, within), context);
    },

    async deleteImage({ id }, context) {
      const image = await findOwnImage(deps, id, context);
      if (image.protected) throw isProtected(image);
      const within = callContext(context);
      const { glance } = await tenancy.clientsFor(image.owner, within);
      await absentIsDone(glance.deleteImage(id, within));
      return { message: 'Image deleted successfully' };
    },
  };
}

function changesOf(request: UpdateImageRequest, image: Image): ImageChange[] {
  const fields = {
    name: request.name,
    min_disk: request.minDisk,
    min_ram: request.minRam,
    visibility: request.visibility,
    protected: request.protected,
    ...request.properties,
  };
  const set = Object.entries(fields).flatMap(([property, value]) =>
    value === undefined ? [] : [{ op: 'add' as const, property, value }],
  );
  const removed = new Set(request.removeProperties).values().filter((name) => {
    return Object.hasOwn(image, name) && !isReserved(name) && !Object.hasOwn(request.properties, name);
  });
  return [...set, ...removed.map((property) => ({ op: 'remove' as const, property }))];
}

function isProtected({ id, name }: Image): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'IMAGE_PROTECTED',
    message: `Image "${name ?? id}" is protected: change that first`,
    metadata: { image_id: id },
  });
}
