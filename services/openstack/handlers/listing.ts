// Lists over all that a user reaches: one call a project of the user's, or one over all projects for an admin.

import type { Context } from '#common/rpc-server.ts';
import type { CallContext } from '../api/settings.ts';
import type { Place, Tenancy } from '../tenancy.ts';
import { callContext } from './deps.ts';

export type Listing<T> = {
  /** Over all projects, or one of them, with an administrator's rights. */
  readonly all: (projectId: string | undefined, within: CallContext) => Promise<readonly T[]>;
  /** What one project's token shows. */
  readonly of: (place: Place, within: CallContext) => Promise<readonly T[]>;
  readonly ownerMark: (thing: T) => string | undefined;
  readonly slice: (thing: T) => string;
  /** Whether everybody may see it, such as a shared network. */
  readonly isCommon?: (thing: T) => boolean;
};

/** Every thing once, filtered by what the request says. */
export async function listOwned<T extends { readonly id: string }>(
  tenancy: Tenancy,
  context: Context,
  request: { readonly projectId: string; readonly sliceId?: string },
  listing: Listing<T>,
): Promise<T[]> {
  const { caller } = context;
  const within = callContext(context);
  const reach = await tenancy.reach(caller, within);
  const named = request.projectId === '' ? undefined : await tenancy.named(caller, request.projectId, within);
  const lists =
    reach === 'all'
      ? [await listing.all(named?.projectId, within)]
      : await Promise.all((named ? [named] : reach).map((place) => listing.of(place, within)));
  const mine = await tenancy.ownerFilter(caller);
  const found = lists.flat().filter((thing) => {
    if (request.sliceId && listing.slice(thing) !== request.sliceId) return false;
    return listing.isCommon?.(thing) || mine(listing.ownerMark(thing));
  });
  return [...new Map(found.map((thing) => [thing.id, thing])).values()];
}

/** Names of the projects that the caller reaches, by id. */
export async function projectNames(tenancy: Tenancy, context: Context): Promise<ReadonlyMap<string, string>> {
  const projects = await tenancy.listProjects(context.caller, callContext(context));
  return new Map(projects.map(({ id, name }) => [id, name]));
}
