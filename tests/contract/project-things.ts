// One of every kind of thing in a project, held together as things are in use, and what an administrator finds of them.

import type { Contract } from './contract.ts';
import { until } from './contract.ts';

/** Makes everything that a project can hold: an instance with a volume, a port behind a router, a floating IP, and copies. */
export async function fillProject(contract: Contract, projectId: string): Promise<void> {
  const { within } = contract;
  const name = (stem: string) => contract.name(stem);
  const home = contract.cloud.project('home');
  const { nova, neutron, cinder, glance } = contract.cloud.project({ projectId });
  const { id: network_id } = await neutron.networks.create({ name: name('net') }, within);
  const cidr = '10.77.0.0/24';
  const subnet = await neutron.subnets.create({ network_id, ip_version: 4, cidr, name: name('sub') }, within);
  const group = await neutron.securityGroups.create({ name: name('group') }, within);
  const port = await neutron.ports.create({ network_id, security_groups: [group.id] }, within);
  await neutron.ports.create({ network_id, name: name('idle') }, within);
  const [outside] = await home.neutron.listExternalNetworks(within);
  if (!outside) throw new Error('the cloud has no external network');
  const gateway = { network_id: outside.id };
  const router = await neutron.routers.create({ name: name('r'), external_gateway_info: gateway }, within);
  await neutron.addRouterInterface(router.id, { subnet_id: subnet.id }, within);
  await neutron.floatingIps.create({ floating_network_id: outside.id, port_id: port.id }, within);

  const [flavor] = (await nova.listFlavors(within)).sort((a, b) => a.ram - b.ram);
  const images = await home.glance.listImages({ status: 'active', visibility: 'public' }, within);
  const image = images.find((one) => one.name?.startsWith('cirros')) ?? images[0];
  const server = {
    name: name('vm'),
    flavorRef: flavor?.id ?? '',
    imageRef: image?.id ?? '',
    networks: [{ port: port.id }],
  };
  const { id: serverId } = await nova.createServer(server, within);
  const { id: volumeId } = await cinder.createVolume({ name: name('disk'), size: 1 }, within);
  const volumeIs = (status: string) => async () =>
    (await cinder.getVolume(volumeId, within)).status === status;
  await until(volumeIs('available'), 'the volume is there');
  await cinder.createSnapshot({ volume_id: volumeId, name: name('snap') }, within);
  await until(async () => (await nova.getServer(serverId, within)).status === 'ACTIVE', 'the server runs');
  await nova.snapshotServer(serverId, { name: name('copy'), metadata: {} }, within);
  const copied = async () => (await glance.listImages({ owner: projectId }, within))[0]?.status === 'active';
  await until(copied, 'the copy is there');
  await nova.attachVolume({ serverId, volumeId }, within);
  await until(volumeIs('in-use'), 'the volume is attached');
}

/** How many things an administrator finds in a project, by kind. */
export async function countThings(contract: Contract, projectId: string): Promise<Record<string, number>> {
  const { within } = contract;
  const { nova, neutron, cinder, glance } = contract.cloud.project('home');
  const here = { allProjects: true, projectId };
  const mine = { project_id: projectId };
  const lists = {
    servers: nova.listServers(here, within),
    volumes: cinder.listVolumes(here, within),
    snapshots: cinder.listSnapshots(here, within),
    images: glance.listImages({ owner: projectId, visibility: 'all' }, within),
    floatingIps: neutron.floatingIps.list(mine, within),
    routers: neutron.routers.list(mine, within),
    ports: neutron.ports.list(mine, within),
    subnets: neutron.subnets.list(mine, within),
    networks: neutron.networks.list(mine, within),
    // Asked for one project's groups, Neutron makes the default one anew.
    groups: neutron.securityGroups
      .list({}, within)
      .then((groups) => groups.filter(({ project_id }) => project_id === projectId)),
  };
  const counts = Object.entries(lists).map(async ([kind, list]) => [kind, (await list).length] as const);
  return Object.fromEntries(await Promise.all(counts));
}
