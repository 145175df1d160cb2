// What handlers are made with, and what they all need: the context of a call to the cloud, and answers that do not tell
// other people's things from things that do not exist.

import { Failure, notFound } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import type { Cloud } from '../api/cloud.ts';
import type { CallContext } from '../api/settings.ts';
import type { Catalog } from '../catalog.ts';
import type { OpenstackConfig } from '../config.ts';
import type { Tenancy } from '../tenancy.ts';

export type Deps = {
  readonly cloud: Cloud;
  readonly tenancy: Tenancy;
  readonly catalog: Catalog;
  readonly config: Pick<
    OpenstackConfig,
    'flavors' | 'images' | 'quotas' | 'dnsServers' | 'externalNetwork' | 'tenancy'
  >;
};

export function callContext({ signal, requestId }: Context): CallContext {
  return { signal, requestId };
}

/**
 * Finds a thing by id with the orchestrator's own eyes and answers it if the caller may know of it: NOT_FOUND says the same
 * of what does not exist, of what is someone else's and of what is no id.
 */
export async function findReachable<T>(
  tenancy: Tenancy,
  { caller }: Context,
  wanted: {
    readonly what: string;
    readonly id: string;
    readonly find: () => Promise<T>;
    readonly owned: (thing: T) => { readonly projectId: string; readonly ownerMark: string | undefined };
  },
): Promise<T> {
  const { what, id, find, owned } = wanted;
  if (!/^[\w-]{1,64}$/.test(id)) throw notFound(what, id);
  const thing = await find().catch((error: unknown) => {
    throw error instanceof Failure && error.code === 'NOT_FOUND' ? notFound(what, id) : error;
  });
  if (!(await tenancy.isReachable(caller, owned(thing)))) throw notFound(what, id);
  return thing;
}

/** Nova and Cinder leave the zone out of their times; both mean UTC. */
export function utc(time: string | null | undefined): string | undefined {
  if (!time) return undefined;
  return new Date(/(z|[+-]\d\d:?\d\d)$/i.test(time) ? time : `${time}Z`).toISOString();
}
