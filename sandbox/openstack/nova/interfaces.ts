// os-interface: ports attached to and detached from a server.

import type { Cloud } from '../cloud.ts';
import { type Call, Fault, isObject, type Json, ok, type Route, route } from '../http.ts';
import { isUuid, pythonText } from '../ids.ts';
import { isNetworkVisible } from '../neutron/networks.ts';
import { makePort, type NewPort } from '../neutron/port-life.ts';
import { isOwn } from '../neutron/resource.ts';
import type { NetworkRow, PortRow } from '../neutron/rows.ts';
import { badRequest, conflict, invalidField, notFound } from './faults.ts';
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
        throw notFound(
          cloud.ports.get(call.params.port_id)
            ? `Instance ${call.params.id} does not have a port with id ${call.params.port_id}`
            : `Port id ${call.params.port_id} could not be found.`,
        );
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
  const { port_id: portId } = input;
  const allowed = ['net_id', 'port_id', 'fixed_ips', ...(call.minor >= 49 ? ['tag'] : [])];
  const extra = Object.keys(input).find((name) => !allowed.includes(name));
  if (extra !== undefined) {
    const reason = `Additional properties are not allowed ('${extra}' was unexpected)`;
    throw invalidField('interfaceAttachment', input, reason);
  }
  for (const name of ['net_id', 'port_id']) {
    const value = input[name];
    if (value !== undefined && !isUuid(value))
      throw invalidField(name, value, `${pythonText(value)} is not a 'uuid'`);
  }
  if (input.fixed_ips !== undefined && input.net_id === undefined)
    throw badRequest('Must input network_id when request IP address');
  const networkId = input.net_id;
  if (networkId !== undefined && portId !== undefined)
    throw badRequest('Must not input both network_id and port_id');
  if (!ATTACHABLE.includes(row.vm_state)) {
    throw conflict(`Cannot 'attach_interface' instance ${row.id} while it is in vm_state ${row.vm_state}`);
  }
  let port: PortRow;
  if (portId === undefined) {
    const network = networkOf(cloud, networkId, call);
    port = portOn(cloud, network.id, {
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

/** The compute host looks for the network, and what it fails at comes back as Nova's own failure. */
function networkOf(cloud: Cloud, id: unknown, { caller }: Call): NetworkRow {
  if (id === undefined) {
    const own = cloud.networks.by('project_id', caller.projectId).filter((network) => !network.is_external);
    const [only] = own;
    if (own.length > 1)
      throw badRequest('Multiple possible networks found, use a Network ID to be more specific.');
    if (!only) throw badRequest('No Network was found.');
    return only;
  }
  const network = cloud.networks.get(String(id));
  if (!network || !isNetworkVisible(network, caller))
    throw unexpected('oslo_messaging.rpc.client.RemoteError');
  if (cloud.subnets.by('network_id', network.id).length === 0) {
    throw badRequest(
      'Network requires port_security_enabled and subnet associated in order to apply security groups.',
    );
  }
  return network;
}

function portOn(cloud: Cloud, networkId: string, wish: Omit<NewPort, 'networkId'>): PortRow {
  try {
    return makePort(cloud, { networkId, ...wish });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const address = /^IP address (\S+) already allocated/.exec(error.message)?.[1];
    if (address !== undefined) throw conflict(`Fixed IP ${address} is already in use.`);
    if (error.type.startsWith('InvalidIpFor')) throw unexpected('nova.exception.InterfaceAttachFailed');
    throw error;
  }
}

function unexpected(kind: string): Fault {
  const text =
    'Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if possible.';
  return new Fault(500, `${text}\n<class '${kind}'>`);
}
