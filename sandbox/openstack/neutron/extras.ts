// Small read-only lists: the API's index, extensions, agents, availability zones, used addresses.

import type { Cloud } from '../cloud.ts';
import { Fault, type Json, ok, type Route, route } from '../http.ts';
import { nowSeconds, stableUuid } from '../ids.ts';
import { toNumber } from './addresses.ts';
import { notAllowed } from './faults.ts';
import { NETWORK_NODE } from './port-life.ts';

const EXTENSIONS = [
  ...[
    'agent',
    'allowed-address-pairs',
    'availability_zone',
    'binding',
    'default-subnetpools',
    'empty-string-filtering',
  ],
  ...[
    'ext-gw-mode',
    'external-net',
    'extraroute',
    'filter-validation',
    'fip-port-details',
    'ip-substring-filtering',
  ],
  ...['net-mtu', 'net-mtu-writable', 'network-ip-availability', 'network_availability_zone', 'pagination'],
  ...[
    'port-security',
    'project-id',
    'provider',
    'quota-check-limit',
    'quota_details',
    'quotas',
    'revision-if-match',
  ],
  ...['router', 'router_availability_zone', 'security-group', 'security-groups-normalized-cidr', 'sorting'],
  ...['standard-attr-description', 'standard-attr-revisions', 'standard-attr-tag', 'standard-attr-timestamp'],
];

const extension = (alias: string) => ({
  name: alias,
  alias,
  description: `Neutron's extension ${alias}`,
  updated: '2020-01-01T10:00:00-00:00',
  links: [],
});

export function extraRoutes(cloud: Cloud): Route[] {
  const base = () => `${cloud.url}/networking/v2.0`;
  return [
    route('GET', '/', () => {
      const names = ['network', 'subnet', 'port'];
      const resources = names.map((name) => {
        const collection = `${name}s`;
        return { name, collection, links: [{ rel: 'self', href: `${base()}/${collection}` }] };
      });
      return ok({ resources });
    }),
    route('GET', '/extensions', () => ok({ extensions: EXTENSIONS.map(extension) })),
    route('GET', '/extensions/{alias}', ({ params }) => {
      const { alias = '' } = params;
      if (!EXTENSIONS.includes(alias)) {
        const message = `Extension with alias ${alias} does not exist`;
        throw new Fault(404, message, 'HTTPNotFound');
      }
      return ok({ extension: extension(alias) });
    }),
    route('GET', '/agents', ({ caller }) => ok({ agents: caller.isAdmin ? agents(cloud) : [] })),
    route('GET', '/availability_zones', () =>
      ok({
        availability_zones: ['network', 'router'].map((resource) => ({
          state: 'available',
          name: 'nova',
          resource,
        })),
      }),
    ),
    route('GET', '/network-ip-availabilities', ({ caller }) => {
      if (!caller.isAdmin) throw notAllowed('rule:get_network_ip_availability');
      return ok({ network_ip_availabilities: cloud.networks.all().map((row) => usage(cloud, row.id)) });
    }),
    route('GET', '/network-ip-availabilities/{id}', ({ caller, params }) => {
      if (!caller.isAdmin) throw notAllowed('rule:get_network_ip_availability');
      return ok({ network_ip_availability: usage(cloud, params.id ?? '') });
    }),
  ];
}

function agents(cloud: Cloud): Json[] {
  const now = nowSeconds().replace('T', ' ').replace('Z', '');
  const hosts = Array.from({ length: cloud.hypervisorCount }, (_, index) => `worker${index + 1}`);
  const kinds = [
    ...[NETWORK_NODE, ...hosts].map((host) => ({
      type: 'Open vSwitch agent',
      binary: 'neutron-openvswitch-agent',
      host,
    })),
    { type: 'DHCP agent', binary: 'neutron-dhcp-agent', host: NETWORK_NODE },
    { type: 'L3 agent', binary: 'neutron-l3-agent', host: NETWORK_NODE },
  ];
  return kinds.map(({ type, binary, host }) => ({
    id: stableUuid(`agent ${type} ${host}`),
    agent_type: type,
    binary,
    topic: 'N/A',
    host,
    admin_state_up: true,
    created_at: now,
    started_at: now,
    heartbeat_timestamp: now,
    description: null,
    resources_synced: null,
    availability_zone: type === 'Open vSwitch agent' ? null : 'nova',
    alive: true,
    configurations: {},
  }));
}

function usage(cloud: Cloud, networkId: string): Json {
  const network = cloud.networks.get(networkId);
  if (!network) throw new Fault(404, `Network ${networkId} could not be found.`, 'NetworkNotFound');
  const ips = cloud.ports.by('network_id', networkId).flatMap((port) => port.fixed_ips);
  const subnets = cloud.subnets.by('network_id', networkId).map((subnet) => ({
    subnet_id: subnet.id,
    ip_version: subnet.ip_version,
    cidr: subnet.cidr,
    subnet_name: subnet.name,
    used_ips: ips.filter((ip) => ip.subnet_id === subnet.id).length,
    total_ips: subnet.allocation_pools.reduce(
      (sum, pool) => sum + Number(toNumber(pool.end) - toNumber(pool.start)) + 1,
      0,
    ),
  }));
  return {
    network_id: network.id,
    network_name: network.name,
    tenant_id: network.project_id,
    project_id: network.project_id,
    subnet_ip_availability: subnets,
    used_ips: subnets.reduce((sum, subnet) => sum + subnet.used_ips, 0),
    total_ips: subnets.reduce((sum, subnet) => sum + subnet.total_ips, 0),
  };
}
