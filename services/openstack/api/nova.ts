// Nova: what a project may use and what the hosts have. Servers themselves are in `nova-servers.ts`.
// Reference: https://docs.openstack.org/api-ref/compute/

import type { Feature } from './microversions.ts';
import { createServers } from './nova-servers.ts';
import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

/** From 2.53 on hypervisors have UUIDs; from 2.88 on they no longer tell what they have and use. */
const HYPERVISORS: Feature = { name: 'hypervisors by UUID', version: '2.53', release: 'Pike' };

export type NovaFlavor = {
  readonly id: string;
  readonly name: string;
  readonly vcpus: number;
  /** MiB. */
  readonly ram: number;
  /** GiB; 0 means as large as the image. */
  readonly disk: number;
  /** MiB, or empty for none. */
  readonly swap: number | '';
  readonly 'OS-FLV-EXT-DATA:ephemeral': number;
  readonly 'os-flavor-access:is_public': boolean;
  readonly 'OS-FLV-DISABLED:disabled'?: boolean;
};

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

export type Keypair = { readonly name: string; readonly public_key: string; readonly fingerprint: string };

export type Nova = ReturnType<typeof createNova>;

export function createNova(client: ServiceClient) {
  return {
    ...createServers(client),

    async ping(context: CallContext): Promise<void> {
      const query = { limit: 1 };
      await client.item('flavors', { path: path`/flavors`, query, what: 'list flavors' }, context);
    },

    listFlavors: (context: CallContext) =>
      client.list<NovaFlavor>('flavors', { path: path`/flavors/detail`, what: 'list flavors' }, context),

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

    /** Of the project that the token is scoped to; reservations count as used. */
    async getLimits(context: CallContext): Promise<ComputeLimits> {
      const call = { path: path`/limits`, query: { reserved: 1 }, what: 'tell the limits of the project' };
      return (await client.item<{ absolute: ComputeLimits }>('limits', call, context)).absolute;
    },

    /** Of the configured user: key pairs belong to users, not to projects. */
    async listKeypairs(context: CallContext): Promise<readonly Keypair[]> {
      const call = { path: path`/os-keypairs`, what: 'list key pairs' };
      const wrapped = await client.list<{ keypair: Keypair }>('keypairs', call, context);
      return wrapped.map((one) => one.keypair);
    },

    importKeypair: (keypair: { name: string; public_key: string }, context: CallContext) =>
      client.item<Keypair>(
        'keypair',
        {
          method: 'POST',
          path: path`/os-keypairs`,
          json: { keypair },
          what: `import the key pair "${keypair.name}"`,
        },
        context,
      ),

    deleteKeypair: (name: string, context: CallContext) =>
      client.send(
        { method: 'DELETE', path: path`/os-keypairs/${name}`, what: `delete the key pair "${name}"` },
        context,
      ),
  };
}
