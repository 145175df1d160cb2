// Heat, with a template of the same networks, subnets, ports and servers.
// Reference: https://docs.openstack.org/heat/latest/template_guide/hot_spec.html

import { type Administrator, logIn, removeProject } from '../../tests/support/openstack.ts';
import type { Contender } from './contender.ts';
import { makeProject, until } from './projects.ts';
import { FLAVOR, IMAGE, type Shape } from './shapes.ts';

const POLL_MS = 500;

export async function startHeat(administrator: Administrator): Promise<Contender> {
  const project = `bench-heat-${process.pid}`;
  await makeProject(administrator, project);
  const cloud = await logIn(administrator, { name: project });
  const statusOf = async (id: string): Promise<{ status: string; why: string }> => {
    const { stacks } = await cloud.call('GET', 'orchestration', `/stacks?id=${id}`);
    const [stack] = stacks;
    return { status: stack?.stack_status ?? 'GONE', why: stack?.stack_status_reason ?? '' };
  };
  const untilStatus = (id: string, wanted: readonly string[]) =>
    until(async () => {
      const { status, why } = await statusOf(id);
      if (status.endsWith('_FAILED')) throw new Error(`Heat: ${status}: ${why}`);
      return wanted.includes(status) || undefined;
    }, POLL_MS);
  return {
    projectId: () => cloud.projectId,
    calls: async () => undefined,
    async deploy(name, shape) {
      const request = { stack_name: name, template: templateOf(shape), timeout_mins: 20 };
      const { stack } = await cloud.call('POST', 'orchestration', '/stacks', request);
      await untilStatus(stack.id, ['CREATE_COMPLETE']);
      return `${name}/${stack.id}`;
    },
    async remove(id) {
      await cloud.call('DELETE', 'orchestration', `/stacks/${id}`);
      await untilStatus(id.split('/')[1] ?? '', ['GONE', 'DELETE_COMPLETE']);
    },
    close: () => removeProject(administrator, project),
  };
}

function templateOf({ networks, nodes }: Shape): unknown {
  const ref = (resource: string) => ({ get_resource: resource });
  const resources: Record<string, unknown> = {};
  for (const { name, cidr } of networks) {
    resources[name] = { type: 'OS::Neutron::Net' };
    resources[`${name}-subnet`] = { type: 'OS::Neutron::Subnet', properties: { network: ref(name), cidr } };
  }
  for (const node of nodes) {
    const ports = node.networks.map((network) => ({ network, port: `${node.name}-${network}` }));
    for (const { network, port } of ports) {
      const properties = { network: ref(network), fixed_ips: [{ subnet: ref(`${network}-subnet`) }] };
      resources[port] = { type: 'OS::Neutron::Port', properties };
    }
    resources[node.name] = {
      type: 'OS::Nova::Server',
      properties: {
        image: IMAGE,
        flavor: FLAVOR,
        user_data_format: 'RAW',
        networks: ports.map(({ port }) => ({ port: ref(port) })),
      },
    };
  }
  return { heat_template_version: '2021-04-16', resources };
}
