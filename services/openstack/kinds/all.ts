// All kinds of the openstack driver, for one slice.

import type { Kinds } from '#engine/kind.ts';
import { floatingIpKind } from './floating-ip.ts';
import { networkKind } from './network.ts';
import type { SlicePlace } from './place.ts';
import { portKind } from './port.ts';
import { routerKind } from './router.ts';
import { routerInterfaceKind } from './router-interface.ts';
import { securityGroupKind } from './security-group.ts';
import { securityRuleKind } from './security-rule.ts';
import { serverKind } from './server.ts';
import { subnetKind } from './subnet.ts';
import { volumeKind } from './volume.ts';

export function kindsOf(place: SlicePlace): Kinds {
  return {
    network: networkKind(place),
    subnet: subnetKind(place),
    router: routerKind(place),
    routerInterface: routerInterfaceKind(place),
    securityGroup: securityGroupKind(place),
    securityRule: securityRuleKind(place),
    volume: volumeKind(place),
    port: portKind(place),
    floatingIp: floatingIpKind(place),
    server: serverKind(place),
  };
}
