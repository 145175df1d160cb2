// What was done to a server, and by which request.

import type { Cloud } from '../cloud.ts';
import { type Call, type Json, ok, type Route, route } from '../http.ts';
import { notFound } from './faults.ts';
import type { InstanceAction, ServerRow } from './rows.ts';
import { mustServer } from './servers.ts';

export function instanceActionRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/servers/{id}/os-instance-actions', (call) => {
      const row = mustServer(cloud, call);
      return ok({ instanceActions: row.actions.map((entry) => show(row, entry, call)).reverse() });
    }),
    route('GET', '/servers/{id}/os-instance-actions/{request_id}', (call) => {
      const row = mustServer(cloud, call);
      const { request_id: id } = call.params;
      const entry = row.actions.find(({ request_id: own }) => own === id);
      if (!entry) throw notFound(`Action ${id} not found`);
      const hasEvents = call.caller.isAdmin || call.minor >= 51;
      const events = hasEvents ? { events: [event(entry, call)] } : {};
      return ok({ instanceAction: { ...show(row, entry, call), ...events } });
    }),
  ];
}

const inMicros = (time: string) => time.replace('Z', '.000000');

function show(row: ServerRow, { action, request_id, user_id, start_time }: InstanceAction, call: Call): Json {
  return {
    action,
    instance_uuid: row.id,
    request_id,
    user_id,
    project_id: row.project_id,
    start_time: inMicros(start_time),
    message: null,
    ...(call.minor >= 58 ? { updated_at: inMicros(start_time) } : {}),
  };
}

function event({ action, start_time }: InstanceAction, { caller, minor }: Call): Json {
  return {
    event: `compute__do_${action}`,
    start_time: inMicros(start_time),
    finish_time: inMicros(start_time),
    result: 'Success',
    ...(caller.isAdmin || minor < 51 ? { traceback: null } : {}),
    ...(minor >= 62 ? { hostId: '' } : {}),
    ...(minor >= 84 ? { details: null } : {}),
  };
}
