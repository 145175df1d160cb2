// POST /volumes/{id}/action.

import type { Cloud } from '../cloud.ts';
import { type Call, isObject, type Json, type Reply, type Route, route } from '../http.ts';
import { nowMicros } from '../ids.ts';
import { badRequest, requirePolicy } from '../nova/faults.ts';
import { reserveStorage } from './quotas.ts';
import type { VolumeRow } from './rows.ts';
import { HOLDS } from './volume-holds.ts';
import { volumeDelayMs } from './volume-life.ts';
import { mustVolume, startDelete } from './volumes.ts';

type Action = (cloud: Cloud, row: VolumeRow, call: Call, argument: Json) => void;

const ACTIONS: Readonly<Record<string, Action>> = {
  'os-extend': (cloud, row, call, { new_size: wish }) => {
    const size = Number(wish);
    const canGrowInUse = call.minor >= 42 && row.status === 'in-use';
    if (row.status !== 'available' && !canGrowInUse) {
      throw badRequest(
        `Invalid volume: Volume ${row.id} status must be '{'status': 'available'}' to extend, currently ${row.status}.`,
      );
    }
    if (!Number.isInteger(size) || size <= row.size) {
      throw badRequest(
        `Invalid input received: New size for extend must be greater than current size. (current: ${row.size}, extended: ${String(wish)}).`,
      );
    }
    reserveStorage(cloud, row.project_id, undefined, size - row.size);
    const args = { from: 'extending', to: row.status, size: String(size) };
    cloud.volumes.update(row.id, { status: 'extending', updated_at: nowMicros() });
    cloud.tasks.after(volumeDelayMs(cloud), 'volume state', row.id, args);
  },
  'os-reset_status': (cloud, row, { caller }, { status }) => {
    requirePolicy(caller, 'volume_extension:volume_admin_actions:reset_status');
    cloud.volumes.update(row.id, { status: String(status), updated_at: nowMicros() });
  },
  'os-force_delete': (cloud, row, { caller }) => {
    requirePolicy(caller, 'volume_extension:volume_admin_actions:force_delete');
    startDelete(cloud, row);
  },
  'os-set_bootable': (cloud, row, _call, { bootable }) => {
    cloud.volumes.update(row.id, { bootable: /^(true|1)$/i.test(String(bootable)) });
  },
};

export function volumeActionRoutes(cloud: Cloud): Route[] {
  return [route('POST', '/volumes/{id}/action', (call) => act(cloud, call))];
}

function act(cloud: Cloud, call: Call): Reply {
  const [name = ''] = Object.keys(call.body);
  const action = ACTIONS[name];
  const hold = HOLDS[name];
  const argument = isObject(call.body[name]) ? (call.body[name] as Json) : {};
  if (hold) return hold(cloud, mustVolume(cloud, call), call, argument);
  if (!action) {
    const text = 'Verify the request body and Content-Type header and try again.';
    throw badRequest(`There is no such action: ${name}. ${text}`);
  }
  action(cloud, mustVolume(cloud, call), call, argument);
  return { status: name === 'os-set_bootable' ? 200 : 202 };
}
