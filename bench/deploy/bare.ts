// The lower bound: a script that knows what it wants and that nothing will go wrong. One call for all networks, one for all
// subnets, one for all ports, one for each server, as many at once as we have in flight, and one list of servers to wait for
// them. No checks, no marks, no journal, no retries.

import { IN_FLIGHT } from '#engine/environment.ts';
import type { Json } from '../../tests/support/api.ts';
import { type Administrator, logIn, type Openstack, removeProject } from '../../tests/support/openstack.ts';
import type { Contender } from './contender.ts';
import { makeProject, until } from './projects.ts';
import { FLAVOR, IMAGE, type Shape } from './shapes.ts';

const POLL_MS = 500;

export async function startBare(administrator: Administrator): Promise<Contender> {
  const project = `bench-bare-${process.pid}`;
  await makeProject(administrator, project);
  const cloud = await logIn(administrator, { name: project });
  const [image] = (await cloud.call('GET', 'image', `/v2/images?name=${IMAGE}`)).images;
  const { flavors } = await cloud.call('GET', 'compute', '/flavors');
  const flavorRef = flavors.find(({ name }: Json) => name === FLAVOR).id;
  return {
    projectId: () => cloud.projectId,
    calls: async () => cloud.calls(),
    deploy: (_, shape) => deploy(cloud, shape, { imageRef: image.id, flavorRef }),
    remove: (networkIds) => remove(cloud, networkIds),
    close: () => removeProject(administrator, project),
  };
}

async function deploy(
  cloud: Openstack,
  shape: Shape,
  what: { readonly imageRef: string; readonly flavorRef: string },
): Promise<string> {
  const wanted = shape.networks.map(({ name }) => ({ name }));
  const { networks } = await cloud.call('POST', 'network', '/networks', { networks: wanted });
  const idOf = (name: string): string => networks.find((network: Json) => network.name === name).id;
  const subnets = shape.networks.map(({ name, cidr }) => ({ network_id: idOf(name), ip_version: 4, cidr }));
  await cloud.call('POST', 'network', '/subnets', { subnets });
  const asked = shape.nodes.flatMap((node) =>
    node.networks.map((name) => ({ name: node.name, network_id: idOf(name) })),
  );
  const { ports } = await cloud.call('POST', 'network', '/ports', { ports: asked });
  await someAtOnce(shape.nodes, ({ name }) => {
    const own = ports.filter((port: Json) => port.name === name).map(({ id }: Json) => ({ port: id }));
    return cloud.call('POST', 'compute', '/servers', { server: { name, ...what, networks: own } });
  });
  await until(async () => {
    const { servers } = await cloud.call('GET', 'compute', '/servers/detail');
    const broken = servers.find(({ status }: Json) => status === 'ERROR');
    if (broken) throw new Error(`${broken.name}: ${broken.fault?.message}`);
    return servers.every(({ status }: Json) => status === 'ACTIVE') || undefined;
  }, POLL_MS);
  return networks.map(({ id }: Json) => id).join(' ');
}

async function remove(cloud: Openstack, networkIds: string): Promise<void> {
  const { servers } = await cloud.call('GET', 'compute', '/servers');
  await someAtOnce(servers, ({ id }: Json) => cloud.call('DELETE', 'compute', `/servers/${id}`));
  await until(async () => {
    const left = await cloud.call('GET', 'compute', '/servers');
    return left.servers.length === 0 || undefined;
  }, POLL_MS);
  const { ports } = await cloud.call('GET', 'network', '/ports?device_owner=');
  await someAtOnce(ports, ({ id }: Json) => cloud.call('DELETE', 'network', `/ports/${id}`));
  await someAtOnce(networkIds.split(' '), (id) => cloud.call('DELETE', 'network', `/networks/${id}`));
}

/** All of them, a bounded number at once. */
async function someAtOnce<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  const left = [...all];
  const worker = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}
