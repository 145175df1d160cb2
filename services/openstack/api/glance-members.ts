// Glance's members of an image: the projects that an image is shared with. Only an image of visibility `shared` has some; its
// owner adds and removes them, the receiver accepts or rejects. An administrator's token does both.
// Reference: https://docs.openstack.org/api-ref/image/v2/#sharing

import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

export type ImageMember = {
  readonly image_id: string;
  /** A project's id; Glance does not look whether there is one. */
  readonly member_id: string;
  /** Only an accepted image is in the receiver's lists; by its id a receiver sees it always. */
  readonly status: MemberStatus;
  readonly created_at: string;
  readonly updated_at: string;
};
export type MemberStatus = 'pending' | 'accepted' | 'rejected';

export function createMembers(client: ServiceClient) {
  return {
    /** All to its owner, to a receiver its own alone. CLOUD_FORBIDDEN unless the image is `shared`. */
    listMembers: (imageId: string, context: CallContext) =>
      client.list<ImageMember>(
        'members',
        { path: path`/images/${imageId}/members`, what: `list the members of image ${imageId}` },
        context,
      ),

    getMember: ({ imageId, projectId }: Membership, context: CallContext) =>
      client.item<ImageMember>(
        '',
        {
          path: path`/images/${imageId}/members/${projectId}`,
          what: `find the member ${projectId} of image ${imageId}`,
        },
        context,
      ),

    /** Pending at first. ABORTED (Glance says 409) if it is one already. */
    addMember: ({ imageId, projectId }: Membership, context: CallContext) =>
      client.item<ImageMember>(
        '',
        {
          method: 'POST',
          path: path`/images/${imageId}/members`,
          json: { member: projectId },
          what: `share image ${imageId}`,
        },
        context,
      ),

    setMemberStatus: ({ imageId, projectId }: Membership, status: MemberStatus, context: CallContext) =>
      client.item<ImageMember>(
        '',
        {
          method: 'PUT',
          path: path`/images/${imageId}/members/${projectId}`,
          json: { status },
          what: `set the status of member ${projectId} of image ${imageId}`,
        },
        context,
      ),

    removeMember: ({ imageId, projectId }: Membership, context: CallContext) =>
      client.send(
        {
          method: 'DELETE',
          path: path`/images/${imageId}/members/${projectId}`,
          what: `share image ${imageId} with ${projectId} no longer`,
        },
        context,
      ),
  };
}

type Membership = { readonly imageId: string; readonly projectId: string };
