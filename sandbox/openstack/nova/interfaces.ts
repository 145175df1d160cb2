// os-interface: ports attached to and detached from a server.

import type { Cloud } from '../cloud.ts';
import { type Call, isObject, type Json, ok, type Route, route } from '../http.ts';
import { makePort } from '../neutron/port-life.ts';
import { isOwn } from '../neutron/resource.ts';
import type { PortRow } from '../neutron/rows.ts';
import { badRequest, conflict, notFound } from './faults.ts';
import { ZONE } from './hosts.ts';
import { bindPort, groupIds, touch, unbindPort } from './server-life.ts';
import { portsOf } from './server-view.ts';
import { mustServer, requireUnlocked } from './servers.ts';

const ATTACHABLE = ['active', 'paused', 'stopped'];

export function interfaceRoutes(cloud: Cloud): Route[] {
  const path = '/servers/{id}/os-interface';
  return [
    route('GET', path, (call) =>
      ok({ interfaceAttachments: portsOf(cloud, mustServer(cloud, call)).map((port) => show(port, call)) }),
    ),
    route('POST', path, (call) => ok({ interfaceAttachment: attach(cloud, call) })),
    route('GET', `${path}/{port_id}`, (call) => {
      const port = portsOf(cloud, mustServer(cloud, call)).find(({ id }) => id === call.params.port_id);
      if (!port)
        throw notFound(`Instance ${call.params.id} does not have a port with id ${call.params.port_id}`);
      return ok({ interfaceAttachment: show(port, call) });
    }),
    route('DELETE', `${path}/{port_id}`, (call) => {
      const row = mustServer(cloud, call);
      requireUnlocked(row, call);
      const port = portsOf(cloud, row).find(({ id }) => id === call.params.port_id);
      if (!ATTACHABLE.includes(row.vm_state)) {
        throw conflict(
          `Cannot 'detach_interface' instance ${row.id} while it is in vm_state ${row.vm_state}`,
        );
      }
      // Nova asks the compute host, which finds out too late to say so.
      if (!port) return { status: 202 };
      unbindPort(cloud, port, row);
      touch(cloud, row.id, {
        requested_networks: row.requested_networks.filter((wish) => wish.port_id !== port.id),
        own_port_ids: row.own_port_ids.filter((id) => id !== port.id),
      });
      return { status: 202 };
    }),
  ];
}

function show(port: PortRow, { minor }: Call): Json {
  return {
    net_id: port.network_id,
    port_id: port.id,
    mac_addr: port.mac_address,
    port_state: port.status,
    fixed_ips: port.fixed_ips,
    ...(minor >= 70 ? { tag: null } : {}),
  };
}

function attach(cloud: Cloud, call: Call): Json {
  const row = mustServer(cloud, call);
  requireUnlocked(row, call);
  const input = isObject(call.body.interfaceAttachment) ? call.body.interfaceAttachment : {};
  const { net_id: networkId, port_id: portId } = input;
  if (networkId !== undefined && portId !== undefined)
    throw badRequest('Must not input both network_id and port_id');
  if (!ATTACHABLE.includes(row.vm_state)) {
    throw conflict(`Cannot 'attach_interface' instance ${row.id} while it is in vm_state ${row.vm_state}`);
  }
  let port: PortRow;
  if (portId === undefined) {
    const network = cloud.networks.get(String(networkId));
    if (!network) throw badRequest(`Network ${String(networkId)} could not be found.`);
    port = makePort(cloud, {
      networkId: network.id,
      projectId: row.project_id,
      deviceId: row.id,
      deviceOwner: `compute:${ZONE}`,
      host: row.host,
      fixedIps: Array.isArray(input.fixed_ips) ? input.fixed_ips : undefined,
      securityGroups: groupIds(cloud, row),
      status: 'ACTIVE',
    });
  } else {
    const found = cloud.ports.get(String(portId));
    if (!found || !isOwn(found, call.caller)) throw notFound(`Port id ${String(portId)} could not be found.`);
    if (found.device_id !== '') throw conflict(`Port ${found.id} is still in use.`);
    bindPort(cloud, found, row);
    port = cloud.ports.get(found.id) ?? found;
  }
  touch(cloud, row.id, {
    requested_networks: [...row.requested_networks, { port_id: port.id, network_id: port.network_id }],
    own_port_ids: portId === undefined ? [...row.own_port_ids, port.id] : row.own_port_ids,
  });
  return show(port, call);
}
