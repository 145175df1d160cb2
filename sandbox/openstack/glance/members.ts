// Members of images: the projects that a `shared` image is shared with. The owner adds and removes them, a member says
// whether it accepts; an administrator does both.

import type { Cloud } from '../cloud.ts';
import { type Call, Fault, type Json, noContent, ok, type Route, route } from '../http.ts';
import { nowSeconds } from '../ids.ts';
import { badRequest, conflict, forbidden } from './faults.ts';
import type { ImageRow, MemberRow } from './rows.ts';
import { isImageVisible, membersOf } from './visibility.ts';

const STATUSES = ['pending', 'accepted', 'rejected'] as const;

export function memberRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/images/{id}/members', (call) => {
      const row = mustSee(cloud, call);
      if (row.visibility !== 'shared') {
        throw forbidden(`Not allowed to list members for image ${row.id}: Only shared images have members.`);
      }
      const members = membersOf(row).filter((one) => isShown(row, one, call));
      return ok({ members: members.map((one) => show(row, one)), schema: '/v2/schemas/members' });
    }),
    route('POST', '/images/{id}/members', (call) => {
      const row = mustSee(cloud, call);
      requireOwner(row, call, 'create');
      const { member } = call.body;
      if (typeof member !== 'string' || member === '') throw badRequest('Member not specified');
      if (membersOf(row).some((one) => one.member_id === member)) {
        throw conflict(`Member ${member} is duplicated for image ${row.id}`);
      }
      const now = nowSeconds();
      const added = { member_id: member, status: 'pending', created_at: now, updated_at: now } as const;
      cloud.images.update(row.id, { members: [...membersOf(row), added] });
      return ok(show(row, added));
    }),
    route('GET', '/images/{id}/members/{member}', (call) => {
      const row = mustSee(cloud, call);
      const member = mustMember(row, call.params.member);
      if (!isShown(row, member, call)) throw noMember(row, member.member_id);
      return ok(show(row, member));
    }),
    route('PUT', '/images/{id}/members/{member}', (call) => {
      const row = mustSee(cloud, call);
      const { status: wish } = call.body;
      if (wish === undefined) throw badRequest('Status not specified');
      const { projectId, isAdmin } = call.caller;
      if (row.visibility !== 'shared' || (!isAdmin && projectId !== call.params.member)) {
        throw forbidden(`Not allowed to update members for image ${row.id}.`);
      }
      const member = mustMember(row, call.params.member);
      const status = STATUSES.find((one) => one === wish);
      if (!status) {
        throw badRequest('Incorrect request: Status must be "pending", "accepted" or "rejected".');
      }
      const changed = { ...member, status, updated_at: nowSeconds() };
      const members = membersOf(row).map((one) => (one === member ? changed : one));
      cloud.images.update(row.id, { members });
      return ok(show(row, changed));
    }),
    route('DELETE', '/images/{id}/members/{member}', (call) => {
      const row = mustSee(cloud, call);
      requireOwner(row, call, 'delete');
      const member = mustMember(row, call.params.member);
      cloud.images.update(row.id, { members: membersOf(row).filter((one) => one !== member) });
      return noContent;
    }),
  ];
}

function mustSee(cloud: Cloud, call: Call): ImageRow {
  const row = cloud.images.get(call.params.id);
  if (!row || !isImageVisible(row, call)) throw new Fault(404, `Image ${call.params.id} not found.`);
  return row;
}

function requireOwner(row: ImageRow, { caller }: Call, action: string): void {
  if (row.visibility === 'shared' && (caller.isAdmin || row.owner === caller.projectId)) return;
  throw forbidden(`Not allowed to ${action} members for image ${row.id}.`);
}

/** A member sees itself alone. */
function isShown(row: ImageRow, { member_id }: MemberRow, { caller }: Call): boolean {
  return caller.isAdmin || row.owner === caller.projectId || member_id === caller.projectId;
}

function mustMember(row: ImageRow, id: string | undefined): MemberRow {
  const member = membersOf(row).find(({ member_id }) => member_id === id);
  if (!member) throw noMember(row, id);
  return member;
}

function noMember(row: ImageRow, id: string | undefined): Fault {
  return new Fault(404, `${id} not found in the member list of the image ${row.id}.`);
}

function show(row: ImageRow, member: MemberRow): Json {
  return { ...member, image_id: row.id, schema: '/v2/schemas/member' };
}
