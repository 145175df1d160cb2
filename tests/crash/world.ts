// What the sandbox holds, read from its own tables and not through our client, held against what is wished for: each thing
// once and as asked, nothing beside.

import assert from 'node:assert/strict';
import { ruleName } from '#engine/spec/rules.ts';
import { Power, type Resource } from '#proto/pucp/driver/v1/resource.ts';
import type { VolumeRow } from '../../sandbox/openstack/cinder/rows.ts';
import type {
  FloatingIpRow,
  GroupRow,
  NetworkRow,
  PortRow,
  RouterRow,
  RuleRow,
  SubnetRow,
} from '../../sandbox/openstack/neutron/rows.ts';
import type { ServerRow } from '../../sandbox/openstack/nova/rows.ts';
import type { Sandbox } from '../../sandbox/openstack/server.ts';

type Tables = {
  readonly servers: readonly ServerRow[];
  readonly volumes: readonly VolumeRow[];
  readonly networks: readonly NetworkRow[];
  readonly subnets: readonly SubnetRow[];
  readonly ports: readonly PortRow[];
  readonly routers: readonly RouterRow[];
  readonly floatingIps: readonly FloatingIpRow[];
  readonly groups: readonly GroupRow[];
  readonly rules: readonly RuleRow[];
};

export type Slice = { readonly id: string; readonly name: string };

/** Fails unless the sandbox holds of all slices what they wish for, and nothing that belongs to none of them. */
export function assertWorld(
  sandbox: Pick<Sandbox, 'tables'>,
  slices: readonly (Slice & { readonly desired: readonly Resource[] })[],
): void {
  const tables = sandbox.tables() as unknown as Tables;
  for (const slice of slices) {
    const wished = slice.desired.map((resource) => wishLine(resource, slice.desired)).sort();
    assert.deepEqual(worldLines(tables, slice), wished);
  }
  assert.deepEqual(orphans(tables, slices), []);
}

/** What is there of a slice, a line for each thing. */
function worldLines(tables: Tables, { id, name }: Slice): string[] {
  const mark = `pucp-slice:${id}`;
  const isOurs = ({ description }: { readonly description: string }) => description.split(' ')[0] === mark;
  const local = (text: string | null) => (text ?? '').slice(name.length + 1);
  const nameOf = (
    rows: readonly { readonly id: string; readonly name: string | null }[],
    rowId: string | null,
  ) => local(rows.find((row) => row.id === rowId)?.name ?? null);
  const { networks, subnets, ports, routers, groups, servers, volumes } = tables;
  const ourRouters = routers.filter(isOurs);
  const ourGroups = groups.filter(isOurs);
  const groupNames = (ids: readonly string[]) =>
    ourGroups
      .filter((group) => ids.includes(group.id))
      .map((group) => local(group.name))
      .sort();
  const rulesOf = (group: GroupRow) => tables.rules.filter((rule) => rule.security_group_id === group.id);
  return [
    ...networks.filter(isOurs).map((row) => `network ${local(row.name)}`),
    ...subnets
      .filter(isOurs)
      .map(
        (row) =>
          `subnet ${local(row.name)} on ${nameOf(networks, row.network_id)} ${row.cidr} ${row.gateway_ip ?? ''}`,
      ),
    ...ourRouters.map((row) => `router ${local(row.name)} ${row.gateway_network_id !== null}`),
    ...ports
      .filter(
        (port) =>
          ourRouters.some((router) => router.id === port.device_id) &&
          port.device_owner === 'network:router_interface',
      )
      .map(
        (port) =>
          `foot ${nameOf(routers, port.device_id)} ${nameOf(subnets, port.fixed_ips[0]?.subnet_id ?? '')}`,
      ),
    ...ourGroups.map(
      (group) => `group ${local(group.name)} ${rulesOf(group).filter(isOpenEgress).length === 2}`,
    ),
    ...ourGroups.flatMap((group) =>
      rulesOf(group)
        .filter((rule) => !isOpenEgress(rule))
        .map((rule) => `rule ${ruleLine(rule, (groupId) => nameOf(groups, groupId))}`),
    ),
    ...volumes
      .filter(({ metadata }) => metadata['pucp-slice'] === id)
      .map(
        (row) =>
          `volume ${local(row.name)} ${row.size} in ${nameOf(servers, row.attachments[0]?.server_id ?? null)}`,
      ),
    ...ports.filter(isOurs).map((port) => {
      const where = `${nameOf(networks, port.network_id)} ${nameOf(subnets, port.fixed_ips[0]?.subnet_id ?? null)}`;
      const kept = `${!port.port_security_enabled} ${groupNames(port.security_groups)}`;
      return `port ${local(port.name)} on ${where} ${kept} of ${nameOf(servers, port.device_id)}`;
    }),
    ...tables.floatingIps
      .filter(isOurs)
      .map((row) => `floating ${row.description.slice(mark.length + 1)} ${nameOf(ports, row.port_id)}`),
    ...servers
      .filter(({ tags }) => tags.includes(mark))
      .map((row) => {
        const on = ports.filter(({ device_id }) => device_id === row.id).map(({ name: port }) => local(port));
        const inside = row.volumes
          .filter(({ is_boot }) => !is_boot)
          .map(({ volume_id }) => nameOf(volumes, volume_id));
        return `server ${local(row.name)} ${row.vm_state} ${row.flavor.name} [${on.sort()}] [${inside}]`;
      }),
  ].sort();
}

/** The line that stands for it when all is as wished. */
function wishLine({ name, kind }: Resource, desired: readonly Resource[]): string {
  const servers = desired.flatMap((one) =>
    one.kind?.$case === 'server' && one.kind.value.spec
      ? [{ name: one.name, spec: one.kind.value.spec }]
      : [],
  );
  switch (kind?.$case) {
    case undefined:
    case 'network':
      return `network ${name}`;
    case 'subnet':
      return `subnet ${name} on ${kind.value.spec?.network} ${kind.value.spec?.cidr} ${kind.value.spec?.gatewayIp}`;
    case 'router':
      return `router ${name} ${kind.value.spec?.external}`;
    case 'routerInterface':
      return `foot ${kind.value.spec?.router} ${kind.value.spec?.subnet}`;
    case 'securityGroup':
      return `group ${name} ${kind.value.spec?.openEgress}`;
    case 'securityRule':
      return `rule ${kind.value.spec ? ruleName(kind.value.spec) : ''}`;
    case 'volume': {
      const owner = servers.find(({ spec }) => spec.volumes.includes(name))?.name ?? '';
      return `volume ${name} ${kind.value.spec?.size} in ${owner}`;
    }
    case 'port': {
      const { network, subnet, forwarding, securityGroups = [] } = kind.value.spec ?? {};
      const owner = servers.find(({ spec }) => spec.ports.includes(name))?.name ?? '';
      return `port ${name} on ${network} ${subnet} ${forwarding} ${securityGroups} of ${owner}`;
    }
    case 'floatingIp':
      return `floating ${name} ${kind.value.spec?.port}`;
    case 'server': {
      const { flavor, power, ports = [], volumes } = kind.value.spec ?? {};
      const state = power === Power.OFF ? 'stopped' : 'active';
      return `server ${name} ${state} ${flavor} [${ports.toSorted()}] [${volumes}]`;
    }
  }
}

function ruleLine(rule: RuleRow, nameOf: (groupId: string | null) => string): string {
  const { port_range_min: min, port_range_max: max } = rule;
  const ports = min === null ? '' : max === null || max === min ? ` ${min}` : ` ${min}-${max}`;
  const remote =
    rule.remote_ip_prefix ?? (rule.remote_group_id ? `group ${nameOf(rule.remote_group_id)}` : 'everyone');
  const [way, side] = rule.direction === 'egress' ? ['out', 'to'] : ['in', 'from'];
  const what = `${rule.ethertype} ${rule.protocol ?? 'any'}${ports}`;
  return `${nameOf(rule.security_group_id)}/${way} ${what} ${side} ${remote}`;
}

/** One of the two that Neutron gives each group. */
function isOpenEgress(rule: RuleRow): boolean {
  return (
    rule.direction === 'egress' &&
    rule.protocol === null &&
    rule.remote_ip_prefix === null &&
    rule.remote_group_id === null
  );
}

/** What bears no living slice's mark and is not the cloud's own. */
function orphans(tables: Tables, slices: readonly Slice[]): string[] {
  const marks = new Set(slices.map(({ id }) => `pucp-slice:${id}`));
  const isKnown = ({ description }: { readonly description: string | null }) =>
    marks.has((description ?? '').split(' ')[0] ?? '');
  const has = (rows: readonly { readonly id: string }[], id: string) => rows.some((row) => row.id === id);
  const isClouds = (port: PortRow): boolean => {
    switch (port.device_owner) {
      case 'network:dhcp':
        return has(tables.networks, port.network_id);
      case 'network:floatingip':
        return tables.floatingIps.some((row) => row.holder_port_id === port.id);
      default:
        return port.device_owner.startsWith('network:') && has(tables.routers, port.device_id);
    }
  };
  return [
    ...tables.networks.filter((row) => !row.is_external && !isKnown(row)).map((row) => `network ${row.name}`),
    ...tables.subnets
      .filter((row) => !isKnown(row) && !tables.networks.find(({ id }) => id === row.network_id)?.is_external)
      .map((row) => `subnet ${row.name}`),
    ...tables.ports
      .filter((row) => !isKnown(row) && !isClouds(row))
      .map((row) => `port ${row.name} of ${row.device_owner} ${row.device_id}`),
    ...tables.routers.filter((row) => !isKnown(row)).map((row) => `router ${row.name}`),
    ...tables.floatingIps.filter((row) => !isKnown(row)).map((row) => `floating IP ${row.description}`),
    ...tables.groups
      .filter((row) => row.name !== 'default' && !isKnown(row))
      .map((row) => `security group ${row.name}`),
    ...tables.rules
      .filter((row) => !has(tables.groups, row.security_group_id))
      .map((row) => `security rule of ${row.security_group_id}`),
    ...tables.servers
      .filter((row) => !row.tags.some((tag) => marks.has(tag)))
      .map((row) => `server ${row.name} ${row.vm_state}`),
    ...tables.volumes
      .filter((row) => !marks.has(`pucp-slice:${row.metadata['pucp-slice']}`))
      .map((row) => `volume ${row.name} ${row.status}`),
  ];
}
