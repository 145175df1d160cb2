// Neutron: networks, subnets, ports, routers and their interfaces, floating IPs, security groups, quotas.
// Reference: https://docs.openstack.org/api-ref/network/v2/

import { Failure } from '#common/errors.ts';
import { absentIsDone } from './errors.ts';
import { type BulkResource, createResource, type Resource } from './neutron-resource.ts';
import type * as types from './neutron-types.ts';
import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

export type Neutron = ReturnType<typeof createNeutron>;

export function createNeutron(client: ServiceClient) {
  const networks: BulkResource<
    types.NeutronNetwork,
    types.NetworkCreate,
    types.NetworkChanges,
    types.NetworkFilter
  > = createResource(client, {
    one: 'network',
    many: 'networks',
    collection: path`/networks`,
    title: 'network',
  });
  const subnets: BulkResource<
    types.NeutronSubnet,
    types.SubnetCreate,
    types.SubnetChanges,
    types.SubnetFilter
  > = createResource(client, {
    one: 'subnet',
    many: 'subnets',
    collection: path`/subnets`,
    title: 'subnet',
  });
  const ports: BulkResource<types.NeutronPort, types.PortCreate, types.PortChanges, types.PortFilter> =
    createResource(client, { one: 'port', many: 'ports', collection: path`/ports`, title: 'port' });
  const routers: Resource<types.NeutronRouter, types.RouterCreate, types.RouterChanges, types.RouterFilter> =
    createResource(client, { one: 'router', many: 'routers', collection: path`/routers`, title: 'router' });
  const floatingIps: Resource<
    types.FloatingIp,
    types.FloatingIpCreate,
    types.FloatingIpChanges,
    types.FloatingIpFilter
  > = createResource(client, {
    one: 'floatingip',
    many: 'floatingips',
    collection: path`/floatingips`,
    title: 'floating IP',
  });
  const securityGroups: BulkResource<
    types.SecurityGroup,
    types.SecurityGroupCreate,
    types.SecurityGroupChanges,
    types.SecurityGroupFilter
  > = createResource(client, {
    one: 'security_group',
    many: 'security_groups',
    collection: path`/security-groups`,
    title: 'security group',
  });
  /** A rule that exists already is ALREADY_EXISTS. Rules do not change. */
  const securityGroupRules: BulkResource<
    types.SecurityGroupRule,
    types.SecurityGroupRuleCreate,
    Record<string, never>,
    types.SecurityGroupRuleFilter
  > = createResource(client, {
    one: 'security_group_rule',
    many: 'security_group_rules',
    collection: path`/security-group-rules`,
    title: 'security group rule',
  });

  return {
    networks,
    subnets,
    ports,
    routers,
    floatingIps,
    securityGroups,
    securityGroupRules,

    async ping(context: CallContext): Promise<void> {
      const query = { limit: 1, fields: 'id' };
      await client.item('networks', { path: path`/networks`, query, what: 'list networks' }, context);
    },

    /** Networks that lead outside, for routers' gateways and floating IPs. */
    listExternalNetworks: (context: CallContext) => networks.list({ 'router:external': true }, context),

    /**
     * Connects a router; connected already is done. Neutron makes the port for a subnet itself and gives it no
     * description: it is found by `device_id`. A port that was made before keeps its own.
     */
    async addRouterInterface(
      routerId: string,
      to: types.RouterInterface,
      context: CallContext,
    ): Promise<void> {
      const call = {
        method: 'PUT',
        path: path`/routers/${routerId}/add_router_interface`,
        json: to,
        what: `connect router ${routerId}`,
      } as const;
      try {
        await client.send(call, context);
      } catch (error) {
        if (!isConnectedAlready(error, routerId)) throw error;
      }
    },

    /** Disconnects a router; disconnected already is done. A port that was made for it goes with it. */
    removeRouterInterface: (routerId: string, from: types.RouterInterface, context: CallContext) =>
      absentIsDone(
        client.send(
          {
            method: 'PUT',
            path: path`/routers/${routerId}/remove_router_interface`,
            json: from,
            what: `disconnect router ${routerId}`,
          },
          context,
        ),
      ),

    getQuotas: (projectId: string, context: CallContext) =>
      client.item<types.NetworkQuotas>(
        'quota',
        { path: path`/quotas/${projectId}`, what: `tell the network quotas of project ${projectId}` },
        context,
      ),

    getQuotaUse: (projectId: string, context: CallContext) =>
      client.item<types.NetworkQuotaUse>(
        'quota',
        {
          path: path`/quotas/${projectId}/details.json`,
          what: `tell the network quotas of project ${projectId}`,
        },
        context,
      ),

    /** For administrators. */
    setQuotas: (projectId: string, quota: Partial<types.NetworkQuotas>, context: CallContext) =>
      client.item<types.NetworkQuotas>(
        'quota',
        {
          method: 'PUT',
          path: path`/quotas/${projectId}`,
          json: { quota },
          what: `set the network quotas of project ${projectId}`,
        },
        context,
      ),

    /** Back to the defaults; for administrators. */
    deleteQuotas: (projectId: string, context: CallContext) =>
      client.send(
        {
          method: 'DELETE',
          path: path`/quotas/${projectId}`,
          what: `reset the network quotas of project ${projectId}`,
        },
        context,
      ),
  };
}

/** 400 "Router already has a port on subnet …" for a subnet, 409 PortInUse naming this very router for a port. */
function isConnectedAlready(error: unknown, routerId: string): boolean {
  if (!(error instanceof Failure)) return false;
  if (error.reason === 'INTERFACE_EXISTS') return true;
  return error.metadata.type === 'PortInUse' && error.message.includes(`attached device ${routerId}`);
}
