// os-volume_attachments: volumes attached to and detached from a server.

import { detachVolume, markAttached } from '../cinder/volume-life.ts';
import type { Cloud } from '../cloud.ts';
import { type Call, type Json, ok, type Route, route } from '../http.ts';
import { badRequest, conflict, notFound, objectOf } from './faults.ts';
import type { ServerRow, VolumeAttachment } from './rows.ts';
import { newAttachmentIds, touch } from './server-life.ts';
import { mustServer, requireUnlocked } from './servers.ts';
import { registerSnapshotTasks } from './snapshots.ts';

const ATTACHABLE = ['active', 'stopped', 'paused', 'suspended', 'resized', 'shelved', 'shelved_offloaded'];
const ATTACH_SHARE = 0.3;

export function registerAttachmentTasks(cloud: Cloud): void {
  registerSnapshotTasks(cloud);
  cloud.tasks.on('volume attach', (serverId, { volume = '' }) => {
    const attachment = cloud.servers.get(serverId)?.volumes.find((entry) => entry.volume_id === volume);
    if (attachment) markAttached(cloud, volume, serverId, attachment.device, attachment.attachment_id);
  });
  cloud.tasks.on('volume detach', (serverId, { volume = '' }) => {
    const row = cloud.servers.get(serverId);
    if (row) touch(cloud, serverId, { volumes: row.volumes.filter((entry) => entry.volume_id !== volume) });
    detachVolume(cloud, volume, serverId, false);
  });
}

export function attachmentRoutes(cloud: Cloud): Route[] {
  const path = '/servers/{id}/os-volume_attachments';
  const find = (row: ServerRow, id: string | undefined) => {
    const entry = row.volumes.find((volume) => volume.volume_id === id);
    if (!entry) throw notFound(`Instance ${row.id} is not attached to volume ${id}`);
    return entry;
  };
  return [
    route('GET', path, (call) => {
      const row = mustServer(cloud, call);
      return ok({ volumeAttachments: row.volumes.map((entry) => show(row, entry, call)) });
    }),
    route('POST', path, (call) => attach(cloud, call)),
    route('GET', `${path}/{volume_id}`, (call) => {
      const row = mustServer(cloud, call);
      return ok({ volumeAttachment: show(row, find(row, call.params.volume_id), call) });
    }),
    route('DELETE', `${path}/{volume_id}`, (call) => {
      const row = mustServer(cloud, call);
      requireUnlocked(row, call);
      const entry = find(row, call.params.volume_id);
      if (!ATTACHABLE.includes(row.vm_state)) {
        throw conflict(`Cannot 'detach_volume' instance ${row.id} while it is in vm_state ${row.vm_state}`);
      }
      if (entry.is_boot) throw badRequest('Cannot detach a root device volume');
      const volume = cloud.volumes.get(entry.volume_id);
      if (volume?.status === 'detaching') {
        throw badRequest(
          `Invalid volume: Invalid input received: Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.`,
        );
      }
      cloud.volumes.update(entry.volume_id, { status: 'detaching' });
      cloud.tasks.after(cloud.buildDelayMs * ATTACH_SHARE, 'volume detach', row.id, {
        volume: entry.volume_id,
      });
      return { status: 202 };
    }),
  ];
}

function show(row: ServerRow, entry: VolumeAttachment, { minor }: Call): Json {
  return {
    ...(minor < 89 ? { id: entry.volume_id } : {}),
    volumeId: entry.volume_id,
    serverId: row.id,
    device: entry.device,
    ...(minor >= 70 ? { tag: entry.tag } : {}),
    ...(minor >= 79 ? { delete_on_termination: entry.delete_on_termination } : {}),
    ...(minor >= 89 ? { attachment_id: entry.attachment_id, bdm_uuid: entry.bdm_uuid } : {}),
  };
}

function attach(cloud: Cloud, call: Call) {
  const row = mustServer(cloud, call);
  const allowed = [
    'volumeId',
    'device',
    ...(call.minor >= 49 ? ['tag'] : []),
    ...(call.minor >= 79 ? ['delete_on_termination'] : []),
  ];
  const input = objectOf(call.body, 'volumeAttachment', { allowed, required: ['volumeId'] });
  requireUnlocked(row, call);
  const id = String(input.volumeId);
  const volume = cloud.volumes.get(id);
  if (!volume || (volume.project_id !== row.project_id && !call.caller.isAdmin)) {
    throw notFound(`Volume ${id} could not be found.`);
  }
  if (!ATTACHABLE.includes(row.vm_state)) {
    throw conflict(`Cannot 'attach_volume' instance ${row.id} while it is in vm_state ${row.vm_state}`);
  }
  if (volume.status !== 'available') {
    const users = volume.attachments.map((entry) => entry.server_id).join(', ');
    throw badRequest(
      users !== ''
        ? `Invalid volume: volume ${id} is already attached to instances: ${users}`
        : `Invalid volume: volume '${id}' status must be 'available'. Currently in '${volume.status}'`,
    );
  }
  const entry: VolumeAttachment = {
    volume_id: id,
    device: typeof input.device === 'string' ? input.device : nextDevice(row),
    ...newAttachmentIds(),
    delete_on_termination: input.delete_on_termination === true,
    tag: typeof input.tag === 'string' ? input.tag : null,
    is_boot: false,
  };
  cloud.volumes.update(id, { status: 'attaching' });
  touch(cloud, row.id, { volumes: [...row.volumes, entry] });
  cloud.tasks.after(cloud.buildDelayMs * ATTACH_SHARE, 'volume attach', row.id, { volume: id });
  const { attachment_id: _attachment, bdm_uuid: _bdm, ...shown } = show(row, entry, call);
  // The answer to an attachment keeps its id even where, since 2.89, lists have none.
  return ok({ volumeAttachment: { ...shown, id } });
}

function nextDevice(row: ServerRow): string {
  const used = new Set(row.volumes.map((entry) => entry.device));
  for (let code = 98; code <= 122; code += 1) {
    const device = `/dev/sd${String.fromCharCode(code)}`;
    if (!used.has(device)) return device;
  }
  return '/dev/sdzz';
}
