// Glance v2: images to boot from. Names are not unique, and an image is of use only while its status is `active`.
// Reference: https://docs.openstack.org/api-ref/image/v2/

import { createMembers, type MemberStatus } from './glance-members.ts';
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
  readonly protected: boolean;
  /** MD5 of the data, hexadecimal; null until the data is there, or always on clouds that leave it out. */
  readonly checksum: string | null;
  readonly os_hash_algo: string | null;
  readonly os_hash_value: string | null;
};

export type ImageCreate = {
  readonly name: string;
  readonly disk_format: string;
  readonly container_format: string;
  readonly visibility: Image['visibility'];
  readonly min_disk: number;
  readonly min_ram: number;
  readonly tags: readonly string[];
  /** Properties of the user's own. */
  readonly [property: string]: unknown;
};

/** One step of a change; `add` also replaces. Reference: https://docs.openstack.org/api-ref/image/v2/#update-image */
export type ImageChange =
  | { readonly op: 'add'; readonly property: string; readonly value: string | number | boolean }
  | { readonly op: 'remove'; readonly property: string };

export type ImageFilter = {
  readonly name?: string;
  readonly status?: string;
  /** `all` includes community images. */
  readonly visibility?: Image['visibility'] | 'all';
  /** With `shared`: only those that were shared with the token's project and are so. */
  readonly member_status?: MemberStatus;
  /** A project's id. */
  readonly owner?: string;
  /** Only those that have it. */
  readonly tag?: string;
  /** Only hidden ones; they are left out otherwise. */
  readonly os_hidden?: true;
};

export type Glance = ReturnType<typeof createGlance>;

export function createGlance(client: ServiceClient) {
  return {
    ...createMembers(client),

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

    /** Empty, and `queued` until its data is uploaded. If the answer is lost it may exist: look for its tags. */
    createImage: (image: ImageCreate, context: CallContext) =>
      client.item<Image>(
        '',
        { method: 'POST', path: path`/images`, json: image, what: `create the image "${image.name}"` },
        context,
      ),

    /** Done when it answers. If it breaks off, the image is `queued` again and can be removed at once. */
    uploadImage: (id: string, data: AsyncIterable<Uint8Array>, context: CallContext) =>
      client.send(
        {
          method: 'PUT',
          path: path`/images/${id}/file`,
          upload: data,
          contentType: 'application/octet-stream',
          isLong: true,
          what: `take the data of image ${id}`,
        },
        context,
      ),

    /** All changes or none. */
    updateImage: (id: string, changes: readonly ImageChange[], context: CallContext) =>
      client.item<Image>(
        '',
        {
          method: 'PATCH',
          path: path`/images/${id}`,
          json: changes.map(({ property, ...step }) => ({ ...step, path: pointer(property) })),
          contentType: 'application/openstack-images-v2.1-json-patch',
          what: `change image ${id}`,
        },
        context,
      ),

    /** ABORTED while it is in use; refused while it is protected. */
    deleteImage: (id: string, context: CallContext) =>
      client.send({ method: 'DELETE', path: path`/images/${id}`, what: `delete image ${id}` }, context),
  };
}

/** RFC 6901. */
function pointer(property: string): string {
  return `/${property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
