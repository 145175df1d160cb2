// os-simple-tenant-usage: what the servers of a project took in a stretch of time. Deleted servers are forgotten here;
// Nova keeps counting them.

import type { Cloud } from '../cloud.ts';
import { type Call, type Json, ok, type Route, route } from '../http.ts';
import { nowSeconds } from '../ids.ts';
import { badRequest, requirePolicy } from './faults.ts';
import type { ServerRow } from './rows.ts';
import { statusOf } from './server-view.ts';

const HOUR_MS = 3_600_000;
const MONTH_MS = 28 * 24 * HOUR_MS;
type Stretch = { readonly start: number; readonly end: number };

export function usageRoutes(cloud: Cloud): Route[] {
  const path = '/os-simple-tenant-usage';
  return [
    route('GET', path, (call) => {
      requirePolicy(call.caller, 'os_compute_api:os-simple-tenant-usage:list');
      const stretch = stretchOf(call);
      const projects = [...new Set(cloud.servers.all().map((row) => row.project_id))].sort();
      const isDetailed = call.query.get('detailed') === '1';
      const usages = projects.map((id) => usageOf(cloud, id, stretch)).filter((one) => 'tenant_id' in one);
      return ok({
        tenant_usages: isDetailed ? usages : usages.map(({ server_usages: _servers, ...sums }) => sums),
      });
    }),
    route('GET', `${path}/{project_id}`, (call) => {
      const { project_id: id = '' } = call.params;
      const { caller } = call;
      const rule = 'os_compute_api:os-simple-tenant-usage:show';
      requirePolicy(caller, rule, caller.isAdmin || caller.projectId === id);
      return ok({ tenant_usage: usageOf(cloud, id, stretchOf(call)) });
    }),
  ];
}

function stretchOf({ query }: Call): Stretch {
  const read = (name: string, otherwise: number) => {
    const text = query.get(name);
    if (text === null) return otherwise;
    const at = Date.parse(`${text.replace(' ', 'T')}Z`);
    if (Number.isNaN(at)) throw badRequest(`Datetime is in invalid format`);
    return at;
  };
  const end = read('end', Date.now());
  const start = read('start', end - MONTH_MS);
  if (start > end) throw badRequest('Invalid start time. The start time cannot occur after the end time.');
  return { start, end };
}

function usageOf(cloud: Cloud, projectId: string, { start, end }: Stretch): Json {
  const servers = cloud.servers.by('project_id', projectId).flatMap((row) => {
    const from = Date.parse(`${row.launched_at ?? ''}Z`);
    return Number.isNaN(from) || from > end ? [] : [serverUsage(row, { from, start, end })];
  });
  // Nova tells nothing at all of a project without servers.
  if (servers.length === 0) return {};
  const sum = (of: (one: ServerUsage) => number) =>
    servers.reduce((total, one) => total + one.hours * of(one), 0);
  return {
    tenant_id: projectId,
    server_usages: servers,
    total_hours: sum(() => 1),
    total_vcpus_usage: sum((one) => one.vcpus),
    total_memory_mb_usage: sum((one) => one.memory_mb),
    total_local_gb_usage: sum((one) => one.local_gb),
    start: micros(start),
    stop: micros(end),
  };
}

type ServerUsage = ReturnType<typeof serverUsage>;

function serverUsage(row: ServerRow, { from, start, end }: Stretch & { readonly from: number }) {
  const now = Date.parse(nowSeconds());
  return {
    hours: Math.max(0, Math.min(end, Math.max(now, from)) - Math.max(start, from)) / HOUR_MS,
    flavor: row.flavor.name,
    instance_id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    memory_mb: row.flavor.ram,
    local_gb: row.flavor.disk + row.flavor.ephemeral,
    vcpus: row.flavor.vcpus,
    started_at: row.launched_at,
    ended_at: null,
    state: statusOf(row).toLowerCase(),
    uptime: Math.max(0, Math.round((now - from) / 1000)),
  };
}

function micros(time: number): string {
  return new Date(time).toISOString().replace(/Z$/, '000');
}
