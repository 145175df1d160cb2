// Images that are shared one by one: the owner offers, the receiver accepts or rejects. Glance knows projects; a user stands
// for the user's default one.

import { Failure, invalid, notFound } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { ImageMember, type ImageShare } from '#proto/pucp/openstack/v1/images.ts';
import type { AddImageMemberRequest, ImagesServiceServer } from '#proto/pucp/openstack/v1/images_service.ts';
import { absentIsDone, isNotFound } from '../api/errors.ts';
import type { Image } from '../api/glance.ts';
import type { ImageMember as GlanceMember, MemberStatus } from '../api/glance-members.ts';
import type { Place } from '../tenancy.ts';
import { callContext, type Deps, utc } from './deps.ts';
import { findOwnImage, findVisibleImage, ownMemberships } from './images-view.ts';
import { pageOf } from './page.ts';

type MemberHandlers = Pick<
  Handlers<ImagesServiceServer>,
  'listImageMembers' | 'addImageMember' | 'updateImageMember' | 'removeImageMember' | 'listImageShares'
>;

const STATUSES: readonly MemberStatus[] = ['pending', 'accepted', 'rejected'];

export function imageMemberHandlers(deps: Deps): MemberHandlers {
  const { cloud, tenancy } = deps;
  const home = cloud.project('home');

  /** All that the caller may know of. */
  async function membersOf(id: string, context: Context): Promise<readonly GlanceMember[]> {
    const image = await findVisibleImage(deps, id, context);
    const own = await ownMemberships(deps, image, context);
    if (own.length > 0) return own;
    // Who sees it because it is public is not its owner; then it has no members either.
    return image.visibility === 'shared' ? await home.glance.listMembers(id, callContext(context)) : [];
  }

  async function sharesOf(place: Place, status: MemberStatus, context: Context): Promise<ImageShare[]> {
    const within = callContext(context);
    const { projectId, clients } = place;
    const images = await clients.glance.listImages({ visibility: 'shared', member_status: status }, within);
    return images
      .filter(({ owner }) => owner !== projectId)
      .map(({ id, name, owner }) => {
        return { imageId: id, imageName: name ?? '', ownerProjectId: owner, projectId, status };
      });
  }

  return {
    async listImageMembers(request, context) {
      const members = await membersOf(request.id, context);
      const { items, nextPageToken } = pageOf(members, request, { key: ({ member_id }) => member_id });
      return { members: items.map(memberView), nextPageToken };
    },

    async addImageMember(request, context) {
      const image = await findOwnImage(deps, request.id, context);
      const within = callContext(context);
      const projectId = await receiverOf(deps, request, context);
      if (projectId === image.owner) throw isOwnersOwn(deps, request);
      if (image.visibility !== 'shared') throw notShared(image);
      const { glance } = await tenancy.clientsFor(image.owner, within);
      const member = await glance
        .addMember({ imageId: image.id, projectId }, within)
        .catch((error: unknown) => {
          throw error instanceof Failure && error.code === 'ABORTED' ? hasIt(image, projectId) : error;
        });
      return memberView(member);
    },

    async updateImageMember({ id, projectId: idOrName, status }, context) {
      const wanted = STATUSES.find((one) => one === status);
      if (!wanted) {
        throw invalid([{ field: 'status', message: `must be one of ${STATUSES.join(', ')}` }]);
      }
      const within = callContext(context);
      const image = await findVisibleImage(deps, id, context);
      const place = await tenancy.named(context.caller, idOrName, within);
      if (place.projectId === image.owner) throw liesThere('project_id');
      const absent = () => notFound('share of the image', `${id} with project ${idOrName}`);
      if (image.visibility !== 'shared') throw absent();
      const { glance } = await tenancy.clientsFor(place.projectId, within);
      const member = { imageId: image.id, projectId: place.projectId };
      return memberView(
        await glance.setMemberStatus(member, wanted, within).catch((error: unknown) => {
          throw isNotFound(error) ? absent() : error;
        }),
      );
    },

    async removeImageMember({ id, projectId }, context) {
      const image = await findOwnImage(deps, id, context);
      const within = callContext(context);
      const { glance } = await tenancy.clientsFor(image.owner, within);
      // Glance keeps the members of an image that is shared no more, and lets nobody at them.
      if (image.visibility === 'shared') {
        await absentIsDone(glance.removeMember({ imageId: id, projectId }, within));
      }
      return { message: 'The image is not shared with the project' };
    },

    async listImageShares(request, context) {
      const { status, projectId } = request;
      const statuses = STATUSES.filter((one) => status === '' || one === status);
      if (statuses.length === 0) {
        throw invalid([{ field: 'status', message: `must be one of ${STATUSES.join(', ')}` }]);
      }
      const places = await placesOf(deps, projectId, context);
      const lists = places.flatMap((place) => statuses.map((one) => sharesOf(place, one, context)));
      const shares = (await Promise.all(lists)).flat();
      const { items, nextPageToken } = pageOf(shares, request, {
        key: ({ imageName, imageId, projectId }) => `${imageName} ${imageId} ${projectId}`,
      });
      return { shares: items, nextPageToken };
    },
  };
}

/** The projects whose shares are listed: an admin's own, since what is shared with everybody says nothing to anybody. */
async function placesOf({ tenancy }: Deps, idOrName: string, context: Context): Promise<readonly Place[]> {
  const within = callContext(context);
  if (idOrName !== '') return [await tenancy.named(context.caller, idOrName, within)];
  const reach = await tenancy.reach(context.caller, within);
  if (reach !== 'all') return reach;
  const own = await tenancy.findPlace(context.caller, within);
  return own ? [own] : [];
}

/** The project that is to have an image. Throws INVALID_ARGUMENT, or NOT_FOUND for a user without one. */
async function receiverOf(
  { tenancy }: Deps,
  { projectId, userId }: AddImageMemberRequest,
  context: Context,
): Promise<string> {
  const within = callContext(context);
  if ((projectId === '') === (userId === '')) {
    throw invalid([{ field: 'project_id', message: 'say either a project_id or a user_id' }]);
  }
  if (userId !== '') {
    const place = await tenancy.findPlace({ userId, username: '' }, within);
    if (!place) throw noProject(userId);
    return place.projectId;
  }
  const own = await tenancy.listProjects(context.caller, within);
  const named = own.find(({ id, name }) => id === projectId || name === projectId);
  if (named) return named.id;
  const isThere = /^[\w-]{1,64}$/.test(projectId) && (await tenancy.exists(projectId, within));
  if (!isThere) throw notFound('project', projectId);
  return projectId;
}

function memberView(member: GlanceMember): ImageMember {
  return ImageMember.fromPartial({
    imageId: member.image_id,
    projectId: member.member_id,
    status: member.status,
    createdAt: utc(member.created_at),
    updatedAt: utc(member.updated_at),
  });
}

function notShared({ id, name, visibility }: Image): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'IMAGE_NOT_SHARED',
    message: `Image "${name ?? id}" is ${visibility}: change its visibility to shared first`,
    metadata: { image_id: id, visibility },
  });
}

function isOwnersOwn({ config }: Deps, { projectId }: AddImageMemberRequest): Failure {
  if (config.tenancy === 'shared') {
    return new Failure({
      code: 'FAILED_PRECONDITION',
      reason: 'TENANCY_SHARED',
      message:
        'Everything lies in one project here (OPENSTACK_TENANCY=shared), so no image is shared with one user alone; an admin can make it public',
    });
  }
  return liesThere(projectId === '' ? 'user_id' : 'project_id');
}

function liesThere(field: string): Failure {
  return invalid([{ field, message: 'is where the image lies: name another' }]);
}

function hasIt({ id, name }: Image, projectId: string): Failure {
  return new Failure({
    code: 'ALREADY_EXISTS',
    reason: 'IMAGE_MEMBER_EXISTS',
    message: `Image "${name ?? id}" is shared with project ${projectId} already`,
    metadata: { image_id: id, project_id: projectId },
  });
}

function noProject(userId: string): Failure {
  return new Failure({
    code: 'NOT_FOUND',
    reason: 'PROJECT_NOT_FOUND',
    message: `User "${userId}" has no project that an image could be shared with; one is made when the user first uses the cloud`,
  });
}
