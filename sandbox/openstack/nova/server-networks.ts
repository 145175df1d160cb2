// Which networks and ports a new server asks for, and whether it may have them.

import type { Cloud } from '../cloud.ts';
import { type Call, isObject, type Json } from '../http.ts';
import { isUuid, pythonText } from '../ids.ts';
import { isNetworkVisible } from '../neutron/networks.ts';
import { limitsOf as networkLimits } from '../neutron/quotas.ts';
import { isOwn } from '../neutron/resource.ts';
import { badRequest, conflict, forbidden, invalidField } from './faults.ts';
import type { RequestedNetwork } from './rows.ts';

export function networksOf(cloud: Cloud, call: Call, value: unknown, count: number): RequestedNetwork[] {
  if (value === 'none' && call.minor >= 37) return [];
  if (value === undefined || (value === 'auto' && call.minor >= 37))
    return onlyNetwork(cloud, call, value === 'auto');
  if (!Array.isArray(value)) {
    throw invalidField('networks', value, `${pythonText(value)} is not valid under any of the given schemas`);
  }
  if (value.length === 0) return onlyNetwork(cloud, call, false);
  return value.map((entry) => {
    if (!isObject(entry))
      throw invalidField('networks', value, `${pythonText(entry)} is not of type 'object'`);
    if (entry.port !== undefined && entry.port !== null) return requestedPort(cloud, call, entry.port, count);
    return requestedNetwork(cloud, call, entry);
  });
}

function requestedPort(cloud: Cloud, { caller }: Call, reference: unknown, count: number): RequestedNetwork {
  if (!isUuid(reference)) {
    throw invalidField(
      'port',
      reference,
      `${pythonText(reference)} is not valid under any of the given schemas`,
    );
  }
  if (count > 1)
    throw badRequest(
      'Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.',
    );
  const port = cloud.ports.get(reference);
  if (!port || !isOwn(port, caller)) throw badRequest(`Port id ${reference} could not be found.`);
  const isPromised = cloud.servers
    .by('project_id', caller.projectId)
    .some(
      (server) =>
        server.vm_state === 'building' && server.requested_networks.some((wish) => wish.port_id === port.id),
    );
  if (port.device_id !== '' || isPromised) throw conflict(`Port ${reference} is still in use.`);
  if (port.fixed_ips.length === 0)
    throw badRequest(`Port ${reference} requires a FixedIP in order to be used.`);
  return { port_id: port.id, network_id: port.network_id };
}

function requestedNetwork(cloud: Cloud, { caller }: Call, entry: Json): RequestedNetwork {
  const { uuid, fixed_ip: fixedIp } = entry;
  if (uuid === undefined) throw badRequest("Bad network format: missing 'uuid'");
  if (!isUuid(uuid)) throw invalidField('uuid', uuid, `${pythonText(uuid)} is not a 'uuid'`);
  const network = cloud.networks.get(uuid);
  if (!network || !isNetworkVisible(network, caller)) throw badRequest(`Network ${uuid} could not be found.`);
  if (cloud.subnets.by('network_id', network.id).length === 0) {
    throw badRequest(`Network ${uuid} requires a subnet in order to boot instances on.`);
  }
  return { network_id: network.id, ...(typeof fixedIp === 'string' ? { fixed_ip: fixedIp } : {}) };
}

/** Without a choice Nova takes the project's only network, and refuses if there are several. */
function onlyNetwork(cloud: Cloud, { caller }: Call, isAuto: boolean): RequestedNetwork[] {
  const own = cloud.networks.by('project_id', caller.projectId).filter((network) => !network.is_external);
  const usable = own.filter((network) => cloud.subnets.by('network_id', network.id).length > 0);
  if (usable.length > 1) {
    throw conflict('Multiple possible networks found, use a Network ID to be more specific.');
  }
  const [only] = usable;
  if (!only && isAuto) {
    throw badRequest(`Unable to automatically allocate a network for project ${caller.projectId}`);
  }
  return only ? [{ network_id: only.id }] : [];
}

export function checkPortQuota(cloud: Cloud, projectId: string, wanted: number): void {
  const limit = networkLimits(cloud, projectId).port ?? -1;
  const used = cloud.ports.count('project_id', projectId);
  if (wanted === 0 || limit < 0 || used + wanted <= limit) return;
  throw forbidden(
    used > limit
      ? `The number of defined ports: ${used} is over the limit: ${limit}`
      : 'Maximum number of ports exceeded',
  );
}
