// Users and roles of the cloud, for admins who give roles in projects.

import type { Handlers } from '#common/rpc-server.ts';
import type { IdentityServiceServer } from '#proto/pucp/openstack/v1/identity_service.ts';
import { callContext, type Deps } from './deps.ts';
import { pageOf } from './page.ts';

type ListHandlers = Pick<Handlers<IdentityServiceServer>, 'listKeystoneUsers' | 'listKeystoneRoles'>;
type Named = { readonly id: string; readonly name: string };

export function keystoneListHandlers({ cloud }: Pick<Deps, 'cloud'>): ListHandlers {
  const { keystone } = cloud.project('home');
  return {
    async listKeystoneUsers(request, context) {
      const found = (await keystone.listUsers({}, callContext(context))).filter(hasInName(request.name));
      const { items, nextPageToken } = pageOf(found, request, byName);
      const users = items.map((user) => ({
        id: user.id,
        name: user.name,
        domainId: user.domain_id,
        enabled: user.enabled,
        description: user.description ?? '',
        email: user.email ?? '',
      }));
      return { users, nextPageToken };
    },

    async listKeystoneRoles(request, context) {
      const found = (await keystone.listRoles(callContext(context))).filter(hasInName(request.name));
      const { items, nextPageToken } = pageOf(found, request, byName);
      const roles = items.map(({ id, name, description }) => ({ id, name, description: description ?? '' }));
      return { roles, nextPageToken };
    },
  };
}

const byName = { key: ({ name, id }: Named) => `${name} ${id}` };

function hasInName(text: string): (thing: Named) => boolean {
  const wanted = text.toLowerCase();
  return ({ name }) => name.toLowerCase().includes(wanted);
}
