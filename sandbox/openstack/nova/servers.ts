// Servers: list, create, show, change, delete.

import type { Cloud } from '../cloud.ts';
import { type Call, noContent, ok, type Route, route } from '../http.ts';
import { conflict, notFound, objectOf } from './faults.ts';
import { pageOf } from './pages.ts';
import type { ServerRow } from './rows.ts';
import { accessAddressOf, diskConfigOf } from './server-attributes.ts';
import { createServers, nameOf } from './server-create.ts';
import { startDelete, touch } from './server-life.ts';
import { findServers } from './server-list.ts';
import { checkHostname } from './server-schema.ts';
import { addressesOf, briefServer, portsOf, showChanged, showServer } from './server-view.ts';

export function serverRoutes(cloud: Cloud): Route[] {
  const base = () => `${cloud.url}/compute/v2.1`;
  return [
    route('GET', '/servers', (call) => {
      const { page, links } = pageOf(findServers(cloud, call, 'index'), {
        call,
        key: 'servers',
        base: base(),
      });
      return ok({ servers: page.map((row) => briefServer(cloud, row)), ...links });
    }),
    route('GET', '/servers/detail', (call) => {
      const { page, links } = pageOf(findServers(cloud, call, 'detail'), {
        call,
        key: 'servers',
        base: base(),
      });
      return ok({ servers: page.map((row) => showServer(cloud, row, call, false)), ...links });
    }),
    route('POST', '/servers', (call) => createServers(cloud, call)),
    route('GET', '/servers/{id}', (call) =>
      ok({ server: showServer(cloud, mustServer(cloud, call), call, true) }),
    ),
    route('PUT', '/servers/{id}', (call) => {
      const row = mustServer(cloud, call);
      const allowed = ['name', 'accessIPv4', 'accessIPv6', 'OS-DCF:diskConfig'];
      if (call.minor >= 19) allowed.push('description');
      if (call.minor >= 90) allowed.push('hostname');
      const input = objectOf(call.body, 'server', { allowed });
      if (input.hostname !== undefined) checkHostname(input.hostname, 'hostname', call.minor);
      const changed = touch(cloud, row.id, {
        ...(input.name === undefined ? {} : { name: nameOf(input.name) }),
        ...(input.description === undefined ? {} : { description: input.description as string | null }),
        ...(typeof input.hostname === 'string' ? { hostname: input.hostname } : {}),
        ...(input.accessIPv4 === undefined ? {} : { access_ip_v4: accessAddressOf(input, 4) }),
        ...(input.accessIPv6 === undefined ? {} : { access_ip_v6: accessAddressOf(input, 6) }),
        ...diskConfigOf(input),
      });
      return ok({ server: showChanged(cloud, changed ?? row, call) });
    }),
    route('DELETE', '/servers/{id}', (call) => {
      const row = mustServer(cloud, call);
      requireUnlocked(row, call);
      startDelete(cloud, row);
      return noContent;
    }),
    route('GET', '/servers/{id}/ips', (call) => {
      const row = mustServer(cloud, call);
      return ok({ addresses: addressesOf(cloud, portsOf(cloud, row), false) });
    }),
    route('GET', '/servers/{id}/ips/{network}', (call) => {
      const { network = '' } = call.params;
      const own = addressesOf(cloud, portsOf(cloud, mustServer(cloud, call)), false)[network];
      if (own === undefined) throw notFound('Instance is not a member of specified network');
      return ok({ [network]: own });
    }),
    route('GET', '/servers/{id}/os-server-password', (call) => {
      mustServer(cloud, call);
      return ok({ password: '' });
    }),
    route('DELETE', '/servers/{id}/os-server-password', (call) => {
      mustServer(cloud, call);
      return noContent;
    }),
    route('GET', '/servers/{id}/os-security-groups', (call) => {
      const ids = new Set(portsOf(cloud, mustServer(cloud, call)).flatMap((port) => port.security_groups));
      const groups = [...ids].flatMap((id) => cloud.groups.get(id) ?? []);
      return ok({
        security_groups: groups.map((group) => ({
          id: group.id,
          description: group.description,
          name: group.name,
          tenant_id: group.project_id,
          rules: [],
        })),
      });
    }),
  ];
}

/** The server of the call, if the caller may see it. */
export function mustServer(cloud: Cloud, { params, caller }: Call): ServerRow {
  const row = cloud.servers.get(params.id);
  if (row && (caller.isAdmin || row.project_id === caller.projectId)) return row;
  throw notFound(`Instance ${params.id} could not be found.`);
}

export function requireUnlocked(row: ServerRow, { caller }: Call): void {
  if (row.locked && !caller.isAdmin) throw conflict(`Instance ${row.id} is locked`);
}
