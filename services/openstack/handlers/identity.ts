// Every rpc of IdentityService.

import type { Handlers } from '#common/rpc-server.ts';
import type { IdentityServiceServer } from '#proto/pucp/openstack/v1/identity_service.ts';
import { keystoneListHandlers } from './identity-lists.ts';
import { memberHandlers } from './identity-members.ts';
import { type IdentityDeps, identityProjectHandlers } from './identity-projects.ts';
import { quotaChangeHandlers } from './identity-quotas.ts';

export function identityHandlers(deps: IdentityDeps): Handlers<IdentityServiceServer> {
  return {
    ...identityProjectHandlers(deps),
    ...memberHandlers(deps),
    ...keystoneListHandlers(deps),
    ...quotaChangeHandlers(deps),
  };
}
