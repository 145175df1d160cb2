// A sandbox in a process of its own, with a project of many servers on one network.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../scripts/ports.ts';

const MAIN = join(import.meta.dirname, '../../sandbox/openstack/main.ts');
const BATCH = 50;

export type FullCloud = {
  readonly url: string;
  readonly token: string;
  readonly networkId: string;
  /** Kilobytes that the sandbox's process holds in memory. */
  memoryKib(): Promise<number>;
  close(): Promise<void>;
};

/** Starts it and makes the servers `web-K-1` … `web-K-50` with the tag `batch-K`, K from 0. Resolves when all are ACTIVE. */
export async function startFullCloud(servers: number): Promise<FullCloud> {
  const [port = 0] = await freePorts(1);
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...{ PATH: process.env.PATH, LOG_LEVEL: 'error' },
      ...{ SANDBOX_PORT: String(port), SANDBOX_BUILD_MS: '50', SANDBOX_HYPERVISORS: '60' },
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  await until(() =>
    fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  const token = await logIn(url);
  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...{ 'x-auth-token': token, 'content-type': 'application/json' },
        'x-openstack-nova-api-version': '2.93',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} is a ${response.status}: ${text}`);
    return JSON.parse(text);
  };
  const { network } = await call('POST', '/networking/v2.0/networks', { network: { name: 'bench' } });
  await call('POST', '/networking/v2.0/subnets', {
    subnet: { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/16' },
  });
  const { images } = await call('GET', '/image/v2/images?name=cirros');
  const { flavors } = await call('GET', '/compute/v2.1/flavors');
  const flavor = flavors.find(({ name }: { name: string }) => name === 'm1.tiny');
  for (let batch = 0; batch * BATCH < servers; batch += 1) {
    const count = Math.min(BATCH, servers - batch * BATCH);
    const wish = { imageRef: images[0].id, flavorRef: flavor.id, networks: [{ uuid: network.id }] };
    await call('POST', '/compute/v2.1/servers', {
      server: {
        ...{ ...wish, name: `web-${batch}`, tags: [`batch-${batch}`], metadata: { batch: String(batch) } },
        ...{ min_count: count, max_count: count },
      },
    });
  }
  await until(async () => {
    const { servers: active } = await call('GET', '/compute/v2.1/servers?status=ACTIVE');
    return active.length === servers;
  });
  return {
    url,
    token,
    networkId: network.id,
    memoryKib: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN);
    },
    close: async () => {
      child.kill();
      await once(child, 'exit');
    },
  };
}

async function logIn(url: string): Promise<string> {
  const domain = { id: 'default' };
  const user = { name: 'admin', password: 'sandbox', domain };
  const identity = { methods: ['password'], password: { user } };
  const response = await fetch(`${url}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity, scope: { project: { name: 'admin', domain } } } }),
  });
  await response.text();
  return response.headers.get('x-subject-token') ?? '';
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('The sandbox was not ready after a minute');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
