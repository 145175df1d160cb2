// What happens to a server by itself: scheduling, ports, spawning, failing as its metadata asks, being deleted.
//
// Metadata that steers: fake_fail=spawn ends in ERROR, fake_fail=delete makes the deletion fail, fake_delay=SECONDS
// keeps the server in BUILD that much longer.

import { randomUUID } from 'node:crypto';
import { detachVolume, markAttached } from '../cinder/volume-life.ts';
import type { Cloud } from '../cloud.ts';
import { Fault } from '../http.ts';
import { nowMicros, nowSeconds } from '../ids.ts';
import { agentDelayMs, deletePort, makePort } from '../neutron/port-life.ts';
import { bump } from '../neutron/resource.ts';
import type { PortRow } from '../neutron/rows.ts';
import { ensureDefaultGroup } from '../neutron/security-groups.ts';
import { chooseHost, ZONE } from './hosts.ts';
import type { RequestedNetwork, ServerRow } from './rows.ts';
import { forgetShelved } from './snapshots.ts';

const SCHEDULING_SHARE = 0.2;
const SPAWNING_SHARE = 0.8;
const DELETING_SHARE = 0.4;

export function registerServerTasks(cloud: Cloud): void {
  cloud.tasks.on('server schedule', (id) => schedule(cloud, id));
  cloud.tasks.on('server spawn', (id) => spawn(cloud, id));
  cloud.tasks.on('server delete', (id) => finishDelete(cloud, id));
}

/** Changes a server and its time of update. */
export function touch(cloud: Cloud, id: string, changes: Partial<ServerRow>): ServerRow | undefined {
  return cloud.servers.update(id, { ...changes, updated_at: nowSeconds() });
}

export function startBuild(cloud: Cloud, server: ServerRow): void {
  cloud.tasks.after(cloud.buildDelayMs * SCHEDULING_SHARE, 'server schedule', server.id);
}

function fail(cloud: Cloud, server: ServerRow, code: number, message: string): void {
  releasePorts(cloud, server);
  touch(cloud, server.id, {
    vm_state: 'error',
    task_state: null,
    power_state: 0,
    host: '',
    availability_zone: '',
    own_port_ids: [],
    fault: { code, message, created: nowSeconds() },
  });
}

function schedule(cloud: Cloud, id: string): void {
  const server = cloud.servers.get(id);
  if (server?.vm_state !== 'building') return;
  const host = chooseHost(cloud, server.flavor, server.requested_host);
  if (host === undefined) {
    fail(cloud, server, 500, 'No valid host was found. There are not enough hosts available.');
    return;
  }
  const placed = touch(cloud, id, { host, availability_zone: ZONE, task_state: 'networking' }) ?? server;
  try {
    connect(cloud, placed);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const current = cloud.servers.get(id) ?? placed;
    fail(cloud, current, 500, `Build of instance ${id} aborted: ${error.message}`);
    return;
  }
  touch(cloud, id, { task_state: 'spawning' });
  const extra = Number(server.metadata.fake_delay ?? 0);
  const extraMs = Number.isFinite(extra) && extra > 0 ? extra * 1000 : 0;
  cloud.tasks.after(cloud.buildDelayMs * SPAWNING_SHARE + extraMs, 'server spawn', id);
}

/** Makes the missing ports and binds all of them to the server's host. */
function connect(cloud: Cloud, server: ServerRow): void {
  const groups = groupIds(cloud, server);
  const requested: RequestedNetwork[] = [];
  for (const wish of server.requested_networks) {
    refuseExternal(cloud, server, wish.network_id);
    let portId = wish.port_id;
    if (portId === undefined) {
      const port = makePort(cloud, {
        networkId: wish.network_id ?? '',
        projectId: server.project_id,
        deviceId: server.id,
        deviceOwner: `compute:${ZONE}`,
        host: server.host,
        fixedIps: wish.fixed_ip === undefined ? undefined : [{ ip_address: wish.fixed_ip }],
        securityGroups: groups,
      });
      portId = port.id;
      const current = cloud.servers.get(server.id) ?? server;
      cloud.servers.update(server.id, { own_port_ids: [...current.own_port_ids, portId] });
    } else {
      const port = cloud.ports.get(portId);
      if (!port) throw new Fault(404, `Port id ${portId} could not be found.`);
      bindPort(cloud, port, server);
    }
    requested.push({ ...wish, port_id: portId });
  }
  cloud.servers.update(server.id, { requested_networks: requested });
}

/** Members' servers get no interface on an external network; Nova finds out only when it builds. */
function refuseExternal(cloud: Cloud, server: ServerRow, networkId: string | undefined): void {
  const network = cloud.networks.get(networkId);
  if (!network?.is_external || network.shared || network.project_id === server.project_id) return;
  throw new Fault(403, `It is not allowed to create an interface on external network ${network.id}`);
}

export function bindPort(cloud: Cloud, port: PortRow, server: ServerRow): void {
  bump(cloud.ports, port, { device_id: server.id, device_owner: `compute:${ZONE}`, host: server.host });
  cloud.tasks.after(agentDelayMs(cloud), 'port up', port.id);
}

/** Takes a port off its server; a port that Nova made is deleted. */
export function unbindPort(cloud: Cloud, port: PortRow, server: ServerRow): void {
  if (server.own_port_ids.includes(port.id)) {
    deletePort(cloud, port);
    return;
  }
  cloud.tasks.cancel(port.id);
  bump(cloud.ports, port, { device_id: '', device_owner: '', host: '', status: 'DOWN' });
}

function releasePorts(cloud: Cloud, server: ServerRow): void {
  for (const port of cloud.ports.by('device_id', server.id)) unbindPort(cloud, port, server);
}

export function groupIds(cloud: Cloud, server: ServerRow): string[] {
  const fallback = ensureDefaultGroup(cloud, server.project_id);
  const own = cloud.groups.by('project_id', server.project_id);
  return server.security_groups.map(
    (name) => own.find((group) => group.name === name || group.id === name)?.id ?? fallback.id,
  );
}

function spawn(cloud: Cloud, id: string): void {
  const server = cloud.servers.get(id);
  if (server?.vm_state !== 'building') return;
  if (server.metadata.fake_fail === 'spawn') {
    const message = `Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance ${id}.`;
    fail(cloud, server, 500, message);
    return;
  }
  for (const port of cloud.ports.by('device_id', id)) {
    if (port.status !== 'ACTIVE') bump(cloud.ports, port, { status: 'ACTIVE' });
  }
  for (const volume of server.volumes)
    markAttached(cloud, volume.volume_id, id, volume.device, volume.attachment_id);
  touch(cloud, id, { vm_state: 'active', task_state: null, power_state: 1, launched_at: nowMicros() });
}

/** Starts the deletion; the server is gone when its task has run. */
export function startDelete(cloud: Cloud, server: ServerRow): void {
  if (server.task_state === 'deleting') return;
  cloud.tasks.cancel(server.id);
  touch(cloud, server.id, { task_state: 'deleting' });
  const delay = server.host === '' ? 0 : cloud.buildDelayMs * DELETING_SHARE;
  cloud.tasks.after(delay, 'server delete', server.id);
}

function finishDelete(cloud: Cloud, id: string): void {
  const server = cloud.servers.get(id);
  if (!server) return;
  if (server.metadata.fake_fail === 'delete' && server.host !== '') {
    const message = 'Failed to terminate instance: fake_fail=delete asked for this failure';
    touch(cloud, id, {
      vm_state: 'error',
      task_state: null,
      fault: { code: 400, message, created: nowSeconds() },
    });
    return;
  }
  releasePorts(cloud, server);
  for (const volume of server.volumes)
    detachVolume(cloud, volume.volume_id, id, volume.delete_on_termination);
  forgetShelved(cloud, server);
  cloud.servers.remove(id);
}

export const newAttachmentIds = () => ({ attachment_id: randomUUID(), bdm_uuid: randomUUID() });
