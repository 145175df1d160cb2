// Glance v2: images to boot from. Names are not unique, and an image is of use only while its status is `active`.
// Reference: https://docs.openstack.org/api-ref/image/v2/

import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

export type Image = {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  readonly visibility: 'public' | 'private' | 'shared' | 'community';
  readonly owner: string;
  /** Bytes; null until the data is there. */
  readonly size: number | null;
  /** GiB. */
  readonly min_disk: number;
  /** MiB. */
  readonly min_ram: number;
  readonly disk_format: string | null;
  readonly container_format: string | null;
  readonly os_hidden: boolean;
  readonly created_at: string;
  readonly updated_at: string;
  readonly tags: readonly string[];
};

export type ImageFilter = {
  readonly name?: string;
  readonly status?: string;
  /** `all` includes community images. */
  readonly visibility?: Image['visibility'] | 'all';
  /** A project's id. */
  readonly owner?: string;
  /** Only hidden ones; they are left out otherwise. */
  readonly os_hidden?: true;
};

export type Glance = ReturnType<typeof createGlance>;

export function createGlance(client: ServiceClient) {
  return {
    async ping(context: CallContext): Promise<void> {
      await client.item('images', { path: path`/images`, query: { limit: 1 }, what: 'list images' }, context);
    },

    /** What the project may use: its own, public, and shared with it. Community images come only if asked for. */
    listImages: (filter: ImageFilter, context: CallContext) =>
      // Glance pages at 25 unless told otherwise.
      client.list<Image>(
        'images',
        { path: path`/images`, query: { ...filter, limit: 1000 }, what: 'list images' },
        context,
      ),

    /** The image is the answer itself, in no wrapper. */
    getImage: (id: string, context: CallContext) =>
      client.item<Image>('', { path: path`/images/${id}`, what: `find image ${id}` }, context),

    /** ABORTED while it is in use; refused while it is protected. */
    deleteImage: (id: string, context: CallContext) =>
      client.send({ method: 'DELETE', path: path`/images/${id}`, what: `delete image ${id}` }, context),
  };
}
