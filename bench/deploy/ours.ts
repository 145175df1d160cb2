// Ours, as a user has it: the whole mesh, asked over REST and watched by its event stream.

import { type Api, type Json, signUp } from '../../tests/support/api.ts';
import { removeMesh, startMesh } from '../../tests/support/mesh.ts';
import { administrator, logIn, removeProject } from '../../tests/support/openstack.ts';
import type { Contender } from './contender.ts';
import { FLAVOR, IMAGE, type Shape } from './shapes.ts';

/** Nobody's limits are what is measured. */
const PLENTY = {
  MAX_VMS_PER_SLICE: '1000',
  MAX_NETWORKS_PER_SLICE: '1000',
  MAX_VCPUS_PER_USER: '1000000',
  MAX_RAM_PER_USER: '1000000000',
  MAX_DISK_PER_USER: '1000000',
  RATE_LIMIT_PER_MINUTE: '0',
  LOGIN_RATE_LIMIT_PER_MINUTE: '0',
  OPENSTACK_QUOTAS: 'instances=-1,cores=-1,ram=-1,networks=-1,subnets=-1,ports=-1',
};

export type OurMesh = {
  /** A user nobody had before. */
  user(name: string): Promise<Api>;
  /** Calls of the cloud so far, by the service's own metrics. */
  calls(): Promise<number>;
  /** Also forgets the users' projects in the cloud. */
  close(): Promise<void>;
};

export async function startOurMesh(env: Readonly<Record<string, string>> = {}): Promise<OurMesh> {
  const mesh = await startMesh({ env: { ...PLENTY, ...env } });
  const users: string[] = [];
  return {
    async user(name) {
      users.push(name);
      return await signUp(mesh.gateway, name);
    },
    async calls() {
      const metrics = await (await fetch(`http://127.0.0.1:${mesh.ports.OPENSTACK_PORT}/metrics`)).text();
      const counts = metrics.matchAll(/^openstack_call_seconds_count\{.*\} (\d+)$/gm);
      return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
    },
    async close() {
      await removeMesh(mesh);
      const { projects } = await (await logIn(administrator())).call('GET', 'identity', '/projects');
      const isOurs = ({ name }: Json) => users.some((user) => name === `pucp-${user}`);
      for (const { name } of projects.filter(isOurs)) await removeProject(administrator(), name);
    },
  };
}

export async function startOurs(): Promise<Contender> {
  const mesh = await startOurMesh();
  const api = await mesh.user(`bench-ours-${process.pid}`);
  let projectId = '';
  return {
    projectId: () => projectId,
    calls: mesh.calls,
    async deploy(name, shape) {
      const { id } = await api.json('POST', '/api/slices', sliceOf(name, shape));
      await untilStatus(api, id, 'active');
      projectId = (await api.json('GET', `/api/slices/${id}`)).openstack_project_id;
      return id;
    },
    async remove(id) {
      await api.json('DELETE', `/api/slices/${id}`);
      await untilStatus(api, id, 'deleted');
    },
    close: mesh.close,
  };
}

export function sliceOf(name: string, { networks, nodes }: Shape): Json {
  return {
    name,
    infrastructure: 'openstack',
    networks: networks.map((network) => ({ ...network, network_type: 'private' })),
    nodes: nodes.map((node) => ({ ...node, image: IMAGE, flavor: FLAVOR })),
  };
}

/** Follows a slice's events, each handed on, until its status is the wanted one. Rejects if it ends in error. */
export async function untilStatus(
  api: Api,
  id: string,
  wanted: string,
  hear: (event: Json) => void = () => {},
): Promise<void> {
  for (;;) {
    const { body } = await api.send('GET', `/api/slices/${id}/events`);
    if (!body) throw new Error('no events');
    let text = '';
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      const lines = (text + chunk).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines.filter((one) => one !== '')) {
        const event = JSON.parse(line);
        hear(event);
        const { status, message } = event;
        if (status === wanted) return;
        if (status === 'error') throw new Error(`slice ${id}: ${message}`);
      }
    }
  }
}
