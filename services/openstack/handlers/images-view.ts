// An image as clients see it, and who may see and change it.

import { notFound } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import { ImageDetails } from '#proto/pucp/openstack/v1/images.ts';
import { absentIsNone } from '../api/errors.ts';
import type { Image } from '../api/glance.ts';
import type { ImageMember } from '../api/glance-members.ts';
import { imageMarkOf, OWNER_MARK } from '../marks.ts';
import { aliasesOf } from '../names.ts';
import { callContext, type Deps, findReachable, utc } from './deps.ts';

/** What is Glance's or Nova's own; whatever else an image has is a property. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  ...['id', 'name', 'status', 'visibility', 'owner', 'size', 'virtual_size', 'min_disk', 'min_ram'],
  ...['disk_format', 'container_format', 'os_hidden', 'created_at', 'updated_at', 'tags', 'protected'],
  ...['checksum', 'os_hash_algo', 'os_hash_value', 'self', 'file', 'schema', 'stores', 'locations'],
  ...['direct_url', 'os_glance_failed_import', 'os_glance_importing_to_stores'],
  // What Nova reads from an image as the disks to boot with.
  ...['block_device_mapping', 'bdm_v2', 'mappings'],
]);

/** Whether a property of this name would be a field of Glance's or Nova's, or a mark of ours. */
export function isReserved(property: string): boolean {
  return OWN_FIELDS.has(property) || property === OWNER_MARK || property.startsWith('os_glance');
}

function propertiesOf(image: Image): Record<string, string> {
  const texts = Object.entries(image).filter(
    (entry): entry is [string, string] => !OWN_FIELDS.has(entry[0]) && typeof entry[1] === 'string',
  );
  return Object.fromEntries(texts);
}

/** The image, if the caller may change it; NOT_FOUND otherwise. */
export function findOwnImage({ cloud, tenancy }: Deps, id: string, context: Context): Promise<Image> {
  const { glance } = cloud.project('home');
  return findReachable(tenancy, context, {
    what: 'image',
    id,
    find: () => glance.getImage(id, callContext(context)),
    owned: (image) => ({ projectId: image.owner, ownerMark: imageMarkOf(image) }),
  });
}

/**
 * The image, if the caller may see it: what is public, what the caller may change, what nobody marked in the own project,
 * what is shared with a project of the caller's, accepted or not.
 */
export async function findVisibleImage(deps: Deps, id: string, context: Context): Promise<Image> {
  const { cloud, tenancy } = deps;
  const within = callContext(context);
  const own = await tenancy.findPlace(context.caller, within);
  let seen: Image | undefined;
  try {
    return await findReachable(tenancy, context, {
      what: 'image',
      id,
      find: async () => {
        seen = await cloud.project('home').glance.getImage(id, within);
        return seen;
      },
      owned: (image) => ({ projectId: image.owner, ownerMark: imageMarkOf(image) }),
    });
  } catch (error) {
    if (seen === undefined) throw error;
    const isCommon = seen.visibility === 'public' || seen.visibility === 'community';
    if (isCommon || (seen.owner === own?.projectId && imageMarkOf(seen) === undefined)) return seen;
    if ((await ownMemberships(deps, seen, context)).length > 0) return seen;
    throw notFound('image', id);
  }
}

/** What the caller's projects are to an image that others share with them. */
export async function ownMemberships(
  { cloud, tenancy }: Deps,
  { id: imageId, visibility }: Image,
  context: Context,
): Promise<ImageMember[]> {
  if (visibility !== 'shared') return [];
  const within = callContext(context);
  const reach = await tenancy.reach(context.caller, within);
  if (reach === 'all') return [];
  const { glance } = cloud.project('home');
  const found = await Promise.all(
    reach.map(({ projectId }) => glance.getMember({ imageId, projectId }, within).catch(absentIsNone)),
  );
  return found.filter((one) => one !== undefined);
}

export async function imageView(deps: Deps, image: Image, context: Context): Promise<ImageDetails> {
  const { catalog, config } = deps;
  const known = await catalog.images(image.owner, callContext(context));
  const { [OWNER_MARK]: _, ...properties } = propertiesOf(image);
  return ImageDetails.fromPartial({
    id: image.id,
    name: image.name ?? '',
    status: image.status,
    visibility: image.visibility,
    size: image.size ?? 0,
    diskFormat: image.disk_format ?? '',
    containerFormat: image.container_format ?? '',
    minDisk: image.min_disk,
    minRam: image.min_ram,
    createdAt: utc(image.created_at),
    updatedAt: utc(image.updated_at),
    aliases: image.name === null ? [] : aliasesOf({ id: image.id, name: image.name }, known, config.images),
    projectId: image.owner,
    checksum: image.checksum ?? '',
    hashAlgo: image.os_hash_algo ?? '',
    hashValue: image.os_hash_value ?? '',
    protected: image.protected,
    properties,
  });
}
