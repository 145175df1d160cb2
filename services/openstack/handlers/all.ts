// Every rpc of OpenstackService.

import type { Handlers } from '#common/rpc-server.ts';
import type { OpenstackServiceServer } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { catalogHandlers } from './catalog.ts';
import { instanceHandlers } from './instances.ts';
import { networkHandlers } from './networks.ts';
import { projectHandlers } from './projects.ts';
import { quotaHandlers } from './quotas.ts';
import { type SliceDeps, sliceHandlers } from './slices.ts';
import { volumeHandlers } from './volumes.ts';

export function openstackHandlers(deps: SliceDeps): Handlers<OpenstackServiceServer> {
  return {
    ...projectHandlers(deps),
    ...instanceHandlers(deps),
    ...networkHandlers(deps),
    ...volumeHandlers(deps),
    ...catalogHandlers(deps),
    ...quotaHandlers(deps),
    ...sliceHandlers(deps),
  };
}
