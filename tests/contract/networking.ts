// What the tests of networking share: a client of its service, and a network or a way outside to begin with.

import { type Client, connect } from '#common/rpc-client.ts';
import {
  CreatePortRequest,
  CreateRouterRequest,
  type NetworkingServiceServer,
  NetworkingServiceService,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { CreateNetworkRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { Contract, ContractUser } from './contract.ts';

export type NetworkingClient = Client<NetworkingServiceServer>;

export function connectNetworking({ url }: Contract): NetworkingClient & { close(): void } {
  return connect<NetworkingServiceServer>(NetworkingServiceService, url);
}

export type Lan = { readonly networkId: string; readonly subnetId: string; readonly projectId: string };

/** A network with one subnet. */
export async function lan(
  { client, name }: Contract,
  { options }: ContractUser,
  fields: Partial<CreateNetworkRequest> = {},
): Promise<Lan> {
  const request = { networkName: name('lan'), cidr: '10.60.0.0/24', ...fields };
  const { id, subnetId } = await client.createNetwork(CreateNetworkRequest.fromPartial(request), options);
  const { projects } = await client.listProjects({ pageSize: 0, pageToken: '' }, options);
  return { networkId: id, subnetId, projectId: projects[0]?.id ?? '' };
}

/** A network, a router that leads outside from it, and a port to lead a floating IP to. */
export async function wayOutside(contract: Contract, networking: NetworkingClient, user: ContractUser) {
  const { options } = user;
  const place = await lan(contract, user);
  const wish = CreateRouterRequest.fromPartial({ name: contract.name('gate'), external: true });
  const router = await networking.createRouter(wish, options);
  const interfaces = { id: router.id, subnetId: place.subnetId, portId: '' };
  await networking.addRouterInterface(interfaces, options);
  const port = await networking.createPort(CreatePortRequest.fromPartial(place), options);
  return { ...place, routerId: router.id, portId: port.id };
}
