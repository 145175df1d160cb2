// All kinds of the openstack driver, for one slice.

import type { Kinds } from '#engine/kind.ts';
import { networkKind } from './network.ts';
import type { SlicePlace } from './place.ts';
import { portKind } from './port.ts';
import { routerKind } from './router.ts';
import { routerInterfaceKind } from './router-interface.ts';
import { serverKind } from './server.ts';
import { subnetKind } from './subnet.ts';

export function kindsOf(place: SlicePlace): Kinds {
  return {
    network: networkKind(place),
    subnet: subnetKind(place),
    router: routerKind(place),
    routerInterface: routerInterfaceKind(place),
    port: portKind(place),
    server: serverKind(place),
  };
}
