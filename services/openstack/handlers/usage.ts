// What servers took over time, and what the hosts have.

import { invalid, notFound } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { ProjectUsage } from '#proto/pucp/openstack/v1/compute.ts';
import type { ComputeServiceServer, GetUsageRequest } from '#proto/pucp/openstack/v1/compute_service.ts';
import type { Hypervisor, ServerUsage } from '../api/nova.ts';
import { ownerMarkOf } from '../marks.ts';
import type { Place } from '../tenancy.ts';
import { callContext, type Deps } from './deps.ts';
import { pageOf } from './page.ts';

type UsageHandlers = Pick<Handlers<ComputeServiceServer>, 'getUsage' | 'listHypervisors'>;

const USUAL_MS = 30 * 24 * 3_600_000;

export function usageHandlers({ cloud, tenancy }: Deps): UsageHandlers {
  const { nova } = cloud.project('home');

  /** Where projects do not tell whose a server is, those of the caller's that still exist do. */
  async function ownUsage(
    place: Place,
    usages: readonly ServerUsage[],
    context: Context,
  ): Promise<readonly ServerUsage[]> {
    if (place.clients !== cloud.project('home') || context.caller.role === 'admin') return usages;
    const mine = await tenancy.ownerFilter(context.caller);
    const servers = await place.clients.nova.listServers({}, callContext(context));
    const own = new Set(servers.filter((one) => mine(ownerMarkOf(one))).map(({ id }) => id));
    return usages.filter(({ instance_id: id }) => own.has(id));
  }

  return {
    async getUsage(request, context) {
      const within = callContext(context);
      const { start, end } = stretchOf(request);
      const { caller } = context;
      const place =
        request.projectId === ''
          ? await tenancy.findPlace(caller, within)
          : await tenancy.named(caller, request.projectId, within);
      if (!place) throw notFound('project', caller.username);
      const stretch = { start: plain(start), end: plain(end) };
      const all = await nova.listUsage({ projectId: place.projectId, ...stretch }, within);
      const usages = await ownUsage(place, all, context);
      const sum = (of: (one: ServerUsage) => number) =>
        usages.reduce((total, one) => total + one.hours * of(one), 0);
      return ProjectUsage.fromPartial({
        projectId: place.projectId,
        projectName: place.projectName,
        startTime: start.toISOString(),
        endTime: end.toISOString(),
        hours: sum(() => 1),
        vcpuHours: sum(({ vcpus }) => vcpus),
        ramMibHours: sum(({ memory_mb }) => memory_mb),
        diskGibHours: sum(({ local_gb }) => local_gb),
        instances: [...usages].sort((a, b) => b.hours - a.hours).map(instanceUsage),
      });
    },

    async listHypervisors(request, context) {
      const all = await nova.listHypervisors(callContext(context));
      const key = ({ hypervisor_hostname, id }: Hypervisor) => `${hypervisor_hostname} ${id}`;
      const { items, nextPageToken } = pageOf(all, request, { key });
      return { hypervisors: items.map(hypervisorView), nextPageToken };
    },
  };
}

function stretchOf({ startTime, endTime }: GetUsageRequest): { start: Date; end: Date } {
  // Whole seconds are all that Nova is asked for: this one's news count too.
  const end = endTime === undefined ? new Date(Math.ceil(Date.now() / 1000) * 1000) : new Date(endTime);
  const start = startTime === undefined ? new Date(end.getTime() - USUAL_MS) : new Date(startTime);
  if (start >= end) throw invalid([{ field: 'start_time', message: 'must be before end_time' }]);
  return { start, end };
}

/** Nova wants no zone and means UTC. */
function plain(time: Date): string {
  return time.toISOString().slice(0, 19);
}

function instanceUsage(one: ServerUsage) {
  return {
    instanceId: one.instance_id,
    instanceName: one.name,
    flavorId: one.flavor,
    status: one.state.toLowerCase(),
    hours: one.hours,
    vcpus: one.vcpus,
    ramMib: one.memory_mb,
    diskGib: one.local_gb,
  };
}

function hypervisorView(one: Hypervisor) {
  return {
    id: one.id,
    hostname: one.hypervisor_hostname,
    type: one.hypervisor_type,
    state: one.state,
    status: one.status,
    vcpus: one.vcpus,
    vcpusUsed: one.vcpus_used,
    ramMib: one.memory_mb,
    ramUsedMib: one.memory_mb_used,
    diskGib: one.local_gb,
    diskUsedGib: one.local_gb_used,
    runningInstances: one.running_vms,
  };
}
