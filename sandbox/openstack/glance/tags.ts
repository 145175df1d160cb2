// Tags of images.

import type { Cloud } from '../cloud.ts';
import { Fault, noContent, type Route, route } from '../http.ts';
import { nowSeconds } from '../ids.ts';
import { badRequest } from './faults.ts';
import { mustImage, requireOwner } from './images.ts';

const MAX_TAGS = 128;

export function tagRoutes(cloud: Cloud): Route[] {
  return [
    route('PUT', '/images/{id}/tags/{tag}', (call) => {
      const row = mustImage(cloud, call);
      requireOwner(row, call);
      const { tag = '' } = call.params;
      if (tag.length > 255) throw badRequest(`Invalid tag length: ${tag}`);
      const tags = [...new Set([...row.tags, tag])];
      if (tags.length > MAX_TAGS)
        throw new Fault(
          413,
          `The limit has been exceeded on the number of allowed image tags. Attempted: ${tags.length}, Maximum: ${MAX_TAGS}`,
        );
      cloud.images.update(row.id, { tags, updated_at: nowSeconds() });
      return noContent;
    }),
    route('DELETE', '/images/{id}/tags/{tag}', (call) => {
      const row = mustImage(cloud, call);
      requireOwner(row, call);
      if (!row.tags.includes(call.params.tag ?? '')) throw new Fault(404, 'The resource could not be found.');
      const tags = row.tags.filter((tag) => tag !== call.params.tag);
      cloud.images.update(row.id, { tags, updated_at: nowSeconds() });
      return noContent;
    }),
  ];
}
