// Ways outside: which external network is meant, and through which routers a port is reached from one.

import { invalid } from '#common/errors.ts';
import type { NeutronNetwork, NeutronPort } from '../api/neutron-types.ts';
import type { CallContext } from '../api/settings.ts';
import { ROUTER_INTERFACE_OWNERS } from '../kinds/router-interface.ts';
import { resolve, unknownName } from '../names.ts';
import type { Deps } from './deps.ts';

/** An address of a port that a floating IP can lead to, and the network and router that it comes through. */
export type Way = {
  readonly portId: string;
  readonly fixedIpAddress: string;
  readonly routerId: string;
  readonly externalNetworkId: string;
};

export type External = {
  /**
   * The external network of this id or name; the configured one, or the first by name, if empty. INVALID_ARGUMENT at
   * `external_network` with those that exist.
   */
  network(wanted: string, within: CallContext): Promise<NeutronNetwork>;
  /** Every way to one of the ports, in their order. */
  waysTo(ports: readonly NeutronPort[], within: CallContext): Promise<Way[]>;
};

export function createExternal({ cloud, config }: Pick<Deps, 'cloud' | 'config'>): External {
  const { neutron } = cloud.project('home');

  return {
    async network(wanted, within) {
      const networks = (await neutron.listExternalNetworks(within)).toSorted((a, b) =>
        a.name < b.name ? -1 : 1,
      );
      const name = wanted || config.externalNetwork;
      const found = name === '' ? networks[0] : resolve(name, networks, {});
      if (found) return found;
      const message =
        networks.length === 0
          ? 'the cloud has no external network, so nothing can lead outside'
          : unknownName('external network', name, networks, {});
      throw invalid([{ field: 'external_network', message }]);
    },

    async waysTo(ports, within) {
      const networkIds = [...new Set(ports.map((port) => port.network_id))];
      if (networkIds.length === 0) return [];
      const feet = await neutron.ports.list(
        { network_id: networkIds, device_owner: ROUTER_INTERFACE_OWNERS },
        within,
      );
      const routerIds = [...new Set(feet.map((foot) => foot.device_id))];
      if (routerIds.length === 0) return [];
      const routers = await neutron.routers.list({ id: routerIds }, within);
      return ports.flatMap((port) =>
        port.fixed_ips
          .filter(({ ip_address }) => ip_address.includes('.'))
          .flatMap(({ subnet_id, ip_address }) =>
            feet
              .filter((foot) => foot.fixed_ips.some((ip) => ip.subnet_id === subnet_id))
              .flatMap((foot) => {
                const router = routers.find(({ id }) => id === foot.device_id);
                const gateway = router?.external_gateway_info;
                if (!router || !gateway) return [];
                return {
                  portId: port.id,
                  fixedIpAddress: ip_address,
                  routerId: router.id,
                  externalNetworkId: gateway.network_id,
                };
              }),
          ),
      );
    },
  };
}
