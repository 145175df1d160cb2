// Every rpc of ComputeService.

import type { Handlers } from '#common/rpc-server.ts';
import type { ComputeServiceServer } from '#proto/pucp/openstack/v1/compute_service.ts';
import type { Deps } from './deps.ts';
import { flavorExtraHandlers } from './flavor-extras.ts';
import { flavorHandlers } from './flavors.ts';
import { instanceChangeHandlers } from './instance-changes.ts';
import { createInstances } from './instance-find.ts';
import { instanceMetadataHandlers } from './instance-metadata.ts';
import { instancePortHandlers } from './instance-ports.ts';
import { instanceStateHandlers } from './instance-states.ts';
import { keyPairHandlers } from './key-pairs.ts';
import { usageHandlers } from './usage.ts';

export function computeHandlers(deps: Deps): Handlers<ComputeServiceServer> {
  const instances = createInstances(deps);
  return {
    ...instanceStateHandlers(instances),
    ...instanceChangeHandlers(deps, instances),
    ...instanceMetadataHandlers(instances),
    ...instancePortHandlers(deps, instances),
    ...keyPairHandlers(deps),
    ...flavorHandlers(deps),
    ...flavorExtraHandlers(deps),
    ...usageHandlers(deps),
  };
}
