// Volume types, of which there is one, and other small read-only lists.

import { ok, type Route, route } from '../http.ts';
import { stableUuid } from '../ids.ts';
import { notFound, requirePolicy } from '../nova/faults.ts';

export const TYPE_NAME = '__DEFAULT__';
export const TYPE_ID = stableUuid('volume type');
export const SERVICE_ID = stableUuid('cinder-volume');

const TYPE = {
  id: TYPE_ID,
  name: TYPE_NAME,
  is_public: true,
  description: 'Default Volume Type',
  extra_specs: {},
  qos_specs_id: null,
} as const;

/** The type as it appears in the answer to an upload. */
export function defaultType() {
  const made = '2020-01-01T00:00:00.000000';
  return { ...TYPE, created_at: made, updated_at: made, deleted_at: null, deleted: false };
}

export function typeRoutes(): Route[] {
  return [
    route('GET', '/types', ({ caller }) => ok({ volume_types: [shown(caller.isAdmin)] })),
    route('GET', '/types/default', ({ caller }) => ok({ volume_type: hidden(caller.isAdmin) })),
    route('GET', '/types/{id}', ({ caller, params }) => {
      if (params.id !== TYPE_ID) throw notFound(`Volume type ${params.id} could not be found.`);
      return ok({ volume_type: shown(caller.isAdmin) });
    }),
    route('GET', '/os-availability-zone', () =>
      ok({ availabilityZoneInfo: [{ zoneName: 'nova', zoneState: { available: true } }] }),
    ),
    route('GET', '/os-services', ({ caller }) => {
      requirePolicy(caller, 'volume_extension:services:index');
      const now = `${new Date().toISOString().slice(0, 19)}.000000`;
      const service = {
        zone: 'nova',
        status: 'enabled',
        state: 'up',
        updated_at: now,
        disabled_reason: null,
        cluster: null,
      };
      const backend = {
        backend_state: 'up',
        replication_status: 'disabled',
        active_backend_id: null,
        frozen: false,
      };
      return ok({
        services: [
          { binary: 'cinder-volume', host: 'controller@local', ...service, ...backend },
          { binary: 'cinder-scheduler', host: 'controller', ...service },
        ],
      });
    }),
    route('GET', '/extensions', () => ok({ extensions: [] })),
  ];
}

/** Members do not see what concerns quality of service. */
function hidden(isAdmin: boolean) {
  const { extra_specs, qos_specs_id, ...open } = TYPE;
  return isAdmin ? { ...open, extra_specs, qos_specs_id } : { ...open, extra_specs };
}

function shown(isAdmin: boolean) {
  return { ...hidden(isAdmin), 'os-volume-type-access:is_public': true };
}
