// A slice for DeploySlice, and what an administrator of the cloud finds of it.

import { DeploySliceRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { createMarker, neutronFilter, serverFilter } from '../../services/openstack/api/tagging.ts';
import { SLICE_MARK } from '../../services/openstack/marks.ts';
import type { Contract } from './contract.ts';

type Fields = { id?: string; name?: string; vms?: number; cidr?: string; image?: string; internet?: boolean };

/** A slice of one network, asked for in one call. */
export function slice({
  id = '',
  name = 'lab',
  vms = 1,
  cidr = '192.168.100.0/24',
  image,
  internet,
}: Fields) {
  const nodes = Array.from({ length: vms }, (_, index) => ({
    name: `vm${index + 1}`,
    image: image ?? 'ubuntu-20.04',
    flavor: 'small',
  }));
  return DeploySliceRequest.fromPartial({
    sliceConfig: { id, name, nodes, networks: [{ name: 'net1', cidr, internetAccess: internet ?? false }] },
  });
}

/** What an administrator finds of a slice, by kind. */
export async function remains(contract: Contract, sliceId: string): Promise<Record<string, number>> {
  const { nova, neutron } = contract.cloud.project('home');
  const marker = createMarker(SLICE_MARK, sliceId);
  const { within } = contract;
  const filter = neutronFilter(marker);
  const [servers, networks, subnets, ports, routers] = await Promise.all([
    nova.listServers({ ...serverFilter(marker), allProjects: true }, within),
    neutron.networks.list(filter, within),
    neutron.subnets.list(filter, within),
    neutron.ports.list(filter, within),
    neutron.routers.list(filter, within),
  ]);
  return {
    servers: servers.length,
    networks: networks.length,
    subnets: subnets.length,
    ports: ports.length,
    routers: routers.length,
  };
}

export const NOTHING = { servers: 0, networks: 0, subnets: 0, ports: 0, routers: 0 };
