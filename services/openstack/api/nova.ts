// Nova: what a project may use and used, and what the hosts have. Servers, flavors and key pairs have files of their own.
// Reference: https://docs.openstack.org/api-ref/compute/

import type { Feature } from './microversions.ts';
import { createFlavors } from './nova-flavors.ts';
import { createKeypairs } from './nova-keypairs.ts';
import { createServerActions } from './nova-server-actions.ts';
import { createServers } from './nova-servers.ts';
import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

/** From 2.53 on hypervisors have UUIDs; from 2.88 on they no longer tell what they have and use. */
const HYPERVISORS: Feature = { name: 'hypervisors by UUID', version: '2.53', release: 'Pike' };

export type AvailabilityZone = {
  readonly zoneName: string;
  readonly zoneState: { readonly available: boolean };
  /** Host, then service, then whether it is up; only in detail, for administrators. */
  readonly hosts: Readonly<
    Record<string, Readonly<Record<string, { readonly available: boolean; readonly active: boolean }>>>
  > | null;
};

export type Hypervisor = {
  readonly id: string;
  readonly hypervisor_hostname: string;
  readonly hypervisor_type: string;
  readonly state: 'up' | 'down';
  readonly status: 'enabled' | 'disabled';
  readonly vcpus: number;
  readonly vcpus_used: number;
  readonly memory_mb: number;
  readonly memory_mb_used: number;
  readonly local_gb: number;
  readonly local_gb_used: number;
  readonly running_vms: number;
};

/** -1 is unlimited. Nova's own network quotas are dead: Neutron owns them. */
export type ComputeQuotas = {
  readonly cores: number;
  readonly instances: number;
  /** MiB. */
  readonly ram: number;
  readonly key_pairs: number;
  readonly metadata_items: number;
  readonly server_groups: number;
  readonly server_group_members: number;
};
export type QuotaUse = { readonly limit: number; readonly in_use: number; readonly reserved: number };
export type ComputeQuotaUse = { readonly [K in keyof ComputeQuotas]: QuotaUse };

/** A project's own view of its limits; -1 is unlimited. */
export type ComputeLimits = {
  readonly maxTotalCores: number;
  readonly maxTotalInstances: number;
  readonly maxTotalRAMSize: number;
  readonly totalCoresUsed: number;
  readonly totalInstancesUsed: number;
  readonly totalRAMUsed: number;
};

/** What the servers of a project took in a stretch of time; those deleted since included. */
export type ServerUsage = {
  readonly instance_id: string;
  readonly name: string;
  /** The flavor's name. */
  readonly flavor: string;
  readonly hours: number;
  readonly vcpus: number;
  readonly memory_mb: number;
  readonly local_gb: number;
  /** The status in lower case, or `terminated`. */
  readonly state: string;
};

export type Nova = ReturnType<typeof createNova>;

export function createNova(client: ServiceClient) {
  return {
    ...createServers(client),
    ...createServerActions(client),
    ...createFlavors(client),
    ...createKeypairs(client),

    async ping(context: CallContext): Promise<void> {
      const query = { limit: 1 };
      await client.item('flavors', { path: path`/flavors`, query, what: 'list flavors' }, context);
    },

    listAvailabilityZones: (context: CallContext) =>
      client.list<AvailabilityZone>(
        'availabilityZoneInfo',
        { path: path`/os-availability-zone`, what: 'list availability zones' },
        context,
      ),

    /** With hosts; for administrators. */
    listAvailabilityZonesDetail: (context: CallContext) =>
      client.list<AvailabilityZone>(
        'availabilityZoneInfo',
        { path: path`/os-availability-zone/detail`, what: 'list availability zones' },
        context,
      ),

    /** For administrators. */
    listHypervisors: (context: CallContext) =>
      client.list<Hypervisor>(
        'hypervisors',
        { path: path`/os-hypervisors/detail`, what: 'list hypervisors', feature: HYPERVISORS },
        context,
      ),

    getQuotas: (projectId: string, context: CallContext) =>
      client.item<ComputeQuotas>(
        'quota_set',
        { path: path`/os-quota-sets/${projectId}`, what: `tell the quotas of project ${projectId}` },
        context,
      ),

    getQuotaUse: (projectId: string, context: CallContext) =>
      client.item<ComputeQuotaUse>(
        'quota_set',
        { path: path`/os-quota-sets/${projectId}/detail`, what: `tell the quotas of project ${projectId}` },
        context,
      ),

    /** For administrators. Refused below what is in use. */
    setQuotas: (projectId: string, quotas: Partial<ComputeQuotas>, context: CallContext) =>
      client.item<ComputeQuotas>(
        'quota_set',
        {
          method: 'PUT',
          path: path`/os-quota-sets/${projectId}`,
          json: { quota_set: quotas },
          what: `set the quotas of project ${projectId}`,
        },
        context,
      ),

    /** Back to the defaults; for administrators. */
    deleteQuotas: (projectId: string, context: CallContext) =>
      client.send(
        {
          method: 'DELETE',
          path: path`/os-quota-sets/${projectId}`,
          what: `reset the quotas of project ${projectId}`,
        },
        context,
      ),

    /** Between two moments in UTC, such as `2026-01-31T12:00:00`. */
    async listUsage(
      { projectId, start, end }: { projectId: string; start: string; end: string },
      context: CallContext,
    ): Promise<readonly ServerUsage[]> {
      const { server_usages: usages } = await client.item<{ server_usages?: readonly ServerUsage[] }>(
        'tenant_usage',
        {
          path: path`/os-simple-tenant-usage/${projectId}`,
          query: { start, end },
          what: `tell the usage of project ${projectId}`,
        },
        context,
      );
      // Absent if there was no server at all.
      return usages ?? [];
    },

    /** Of the project that the token is scoped to; reservations count as used. */
    async getLimits(context: CallContext): Promise<ComputeLimits> {
      const call = { path: path`/limits`, query: { reserved: 1 }, what: 'tell the limits of the project' };
      return (await client.item<{ absolute: ComputeLimits }>('limits', call, context)).absolute;
    },
  };
}
