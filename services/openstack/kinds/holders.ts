// What stands on a slice's resource from outside the slice, such as a user's own port on one of its networks: the resource
// cannot go before it, and it is not ours to remove. Waiting does not help, so the user is told, by id, what it is.

import { Failure } from '#common/errors.ts';
import type { CallContext } from '#engine/kind.ts';
import type { NeutronPort, PortFilter } from '../api/neutron-types.ts';
import { serverFilter } from '../api/tagging.ts';
import { neutronOurs, type SlicePlace, within } from './place.ts';

const IN_THE_WAY = ['IN_USE', 'CONFLICT_BUSY'];

/** Waits for a removal. If something is in the way that `holders` finds, the failure says what and is none to be tried again. */
export async function unlessHeld<T>(
  removal: Promise<T>,
  holders: () => Promise<readonly string[]>,
): Promise<T> {
  try {
    return await removal;
  } catch (error) {
    if (!(error instanceof Failure) || !IN_THE_WAY.includes(error.reason)) throw error;
    // Who it is, is a bonus: without it the conflict itself is told.
    const found = await holders().catch(() => []);
    if (found.length === 0) throw error;
    throw new Failure({
      code: 'FAILED_PRECONDITION',
      reason: 'HELD_FROM_OUTSIDE',
      message: `it is in use by ${found.join(', ')}, which is not part of the slice and is left alone. Remove that, and the removal goes on by itself`,
      metadata: error.metadata,
      retryable: false,
      cause: error,
    });
  }
}

/** Ports that match and are neither the slice's nor Neutron's own, in words. */
export async function foreignPorts(
  place: SlicePlace,
  filter: PortFilter,
  context: CallContext,
): Promise<string[]> {
  const { ports, routers } = place.clients.neutron;
  const calling = within(place, context);
  const [all, ours] = await Promise.all([
    ports.list(filter, calling),
    routers.list(neutronOurs(place), calling),
  ]);
  const routerIds = new Set(ours.map(({ id }) => id));
  return all
    .filter((port) => port.description !== place.marker.text && !routerIds.has(port.device_id))
    .filter((port) => !SERVICE_PORTS.test(port.device_owner))
    .map(portInWords);
}

/** Servers that have a volume and are not the slice's, and what was made of it, in words. */
export async function volumeHolders(
  place: SlicePlace,
  volumeId: string,
  context: CallContext,
): Promise<string[]> {
  const { cinder, nova } = place.clients;
  const calling = within(place, context);
  const [volume, snapshots, ours] = await Promise.all([
    cinder.getVolume(volumeId, calling),
    cinder.listSnapshots({ volumeId }, calling),
    nova.listServers(serverFilter(place.marker), calling),
  ]);
  const serverIds = new Set(ours.map(({ id }) => id));
  return [
    ...volume.attachments
      .filter(({ server_id }) => !serverIds.has(server_id))
      .map(({ server_id }) => `server ${server_id}`),
    ...snapshots.map(({ id }) => `snapshot ${id}`),
  ];
}

/** DHCP servers and metadata ports go with their network. */
const SERVICE_PORTS = /^network:(dhcp|distributed|ha_|router_ha)/;

function portInWords({ id, name, device_id: device, device_owner: owner }: NeutronPort): string {
  const port = name === '' ? `port ${id}` : `port ${id} ("${name}")`;
  if (device === '') return port;
  return `${port} of ${owner.startsWith('compute:') ? 'server' : owner.includes('router') ? 'router' : 'device'} ${device}`;
}
