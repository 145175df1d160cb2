// Who is measured: our whole client, and the bare HTTP clients it could have been. Each asks for the same list over kept-alive
// connections and gives back the parsed items. undici is the one inside Node (fetch): its npm package is none of ours.

import { Agent, get as httpGet } from 'node:http';
import got from 'got';
import { silentLog } from '#common/log.ts';
import { createMetrics } from '#common/metrics.ts';
import { createCloud } from '../../services/openstack/api/cloud.ts';
import { observeCloud } from '../../services/openstack/cloud-metrics.ts';

export type Contender = { readonly list: () => Promise<unknown[]>; readonly close?: () => void };

const PATH = '/compute/v2.1/servers/detail';

export function createContenders(url: string, connections: number): Record<string, Contender> {
  const agent = new Agent({ keepAlive: true });
  const headers = { 'x-auth-token': 'token', accept: 'application/json' };
  const bare = got.extend({ agent: { http: agent }, retry: { limit: 0 }, headers });
  const cloud = createCloud(
    {
      authUrl: `${url}/identity`,
      auth: { type: 'password', username: 'admin', password: 'x', userDomainName: 'Default' },
      projectName: 'admin',
      interface: 'public',
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 30_000,
      maxConnections: connections,
    },
    { log: silentLog, ...observeCloud(createMetrics('bench'), { authUrl: url }) },
  );
  const { nova } = cloud.project('home');
  return {
    ours: {
      list: async () => nova.listServers({}, { signal: new AbortController().signal }),
      close: cloud.close,
    },
    got: {
      list: async () =>
        (await bare<{ servers: unknown[] }>(url + PATH, { responseType: 'json' })).body.servers,
    },
    undici_of_node: {
      list: async () =>
        ((await (await fetch(url + PATH, { headers })).json()) as { servers: unknown[] }).servers,
    },
    node_http: { list: () => listByHttp(url + PATH, { agent, headers }), close: () => agent.destroy() },
  };
}

function listByHttp(
  url: string,
  options: { agent: Agent; headers: Readonly<Record<string, string>> },
): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    httpGet(url, { agent: options.agent, headers: { ...options.headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString()).servers));
    }).on('error', reject);
  });
}

/** What the fixed server answers, with so many servers in the list. */
export function answersOf(url: string, servers: number): Record<string, unknown> {
  const endpoint = (type: string, path: string) => ({
    type,
    endpoints: [{ interface: 'public', region: 'RegionOne', url: url + path }],
  });
  const catalog = [
    endpoint('identity', '/identity'),
    endpoint('network', '/network'),
    endpoint('image', '/image'),
    endpoint('volumev3', '/volume/v3/p1'),
    endpoint('compute', '/compute/v2.1'),
  ];
  const now = Date.now();
  return {
    '/identity/v3/auth/tokens': {
      token: {
        issued_at: new Date(now).toISOString(),
        expires_at: new Date(now + 3_600_000).toISOString(),
        project: { id: 'p1', domain: { id: 'default' } },
        user: { id: 'u1' },
        roles: [{ name: 'admin' }],
        catalog,
      },
    },
    '/compute/v2.1/': { version: { status: 'CURRENT', version: '2.93', min_version: '2.1' } },
    [PATH]: { servers: Array.from({ length: servers }, (_, index) => server(index)) },
  };
}

/** As Nova shows one: about 1.2 kB. */
function server(index: number) {
  const id = `6a9c1b52-3b0f-4a53-8a52-${String(index).padStart(12, '0')}`;
  return {
    id,
    name: `vm${index}`,
    status: 'ACTIVE',
    tenant_id: 'p1',
    user_id: 'u1',
    metadata: { 'pucp:owner': '1.2' },
    tags: ['pucp-slice:6a9c1b52-3b0f-4a53-8a52-0d3c0a4b1c11', 'pucp:owner=1.2'],
    image: {
      id: 'ae3082cb-fac1-46b1-97aa-507aaa8f184f',
      links: [{ rel: 'bookmark', href: 'http://c/images/x' }],
    },
    flavor: {
      original_name: 'm1.small',
      vcpus: 1,
      ram: 2048,
      disk: 20,
      ephemeral: 0,
      swap: 0,
      extra_specs: {},
    },
    addresses: {
      net1: [
        {
          version: 4,
          addr: '192.168.100.7',
          'OS-EXT-IPS:type': 'fixed',
          'OS-EXT-IPS-MAC:mac_addr': 'fa:16:3e:00:00:01',
        },
      ],
    },
    links: [
      { rel: 'self', href: `http://c/compute/v2.1/servers/${id}` },
      { rel: 'bookmark', href: `http://c/compute/servers/${id}` },
    ],
    created: '2026-01-01T00:00:00Z',
    updated: '2026-01-01T00:00:00Z',
    key_name: null,
    config_drive: '',
    progress: 0,
    'OS-EXT-AZ:availability_zone': 'nova',
    'OS-EXT-STS:task_state': null,
    'OS-EXT-STS:vm_state': 'active',
    'OS-EXT-STS:power_state': 1,
    'OS-SRV-USG:launched_at': '2026-01-01T00:00:00.000000',
    'OS-EXT-SRV-ATTR:host': 'compute1',
    'os-extended-volumes:volumes_attached': [],
    security_groups: [{ name: 'default' }],
  };
}
