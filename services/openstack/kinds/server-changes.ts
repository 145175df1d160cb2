// Changing a server while it lives: ports and volumes are given and taken, it is resized, started and stopped. Each part is
// one call, and what is done already is left out, so that a change cut short is taken up where it ended.

import { Failure } from '#common/errors.ts';
import type { CallContext as EngineContext, Found, Refs } from '#engine/kind.ts';
import { Power, type ServerSpec } from '#proto/pucp/driver/v1/resource.ts';
import { absentIsDone } from '../api/errors.ts';
import { type SlicePlace, within } from './place.ts';

/** Halted by someone else, and brought back by a hard reboot. */
export const HALTED: ReadonlySet<string> = new Set(['paused', 'suspended']);
/** Resized, and to be told that it may stay so. */
export const RESIZED = 'verify_resize';

export type Change = {
  readonly wanted: ServerSpec;
  readonly actual: ServerSpec;
  readonly status: string;
  readonly found: Found;
  /** The cloud's ids of the volumes in it, in the order of `actual.volumes`. */
  readonly volumeIds: readonly string[];
};

export async function changeServer(
  { wanted, actual, status, found, volumeIds }: Change,
  refs: Refs,
  { place, context }: { readonly place: SlicePlace; readonly context: EngineContext },
): Promise<void> {
  const { nova } = place.clients;
  const calling = within(place, context);
  const serverId = found.resource.cloudId;
  // Until then Nova lets nothing else be done to it.
  if (status === RESIZED) return await confirm();
  await exchangePorts();
  await exchangeVolumes();
  if (wanted.flavor !== actual.flavor) return await resize();
  await setPower();

  async function exchangePorts(): Promise<void> {
    for (const [index, port] of actual.ports.entries()) {
      const portId = found.uses[index];
      if (portId && !wanted.ports.includes(port)) {
        await absentIsDone(nova.detachPort({ serverId, portId }, calling));
      }
    }
    for (const port of wanted.ports.filter((one) => !actual.ports.includes(one))) {
      await nova.attachPort({ serverId, portId: refs.id('port', port) }, calling);
    }
  }

  async function exchangeVolumes(): Promise<void> {
    for (const [index, volume] of actual.volumes.entries()) {
      const volumeId = volumeIds[index];
      if (volumeId && !wanted.volumes.includes(volume)) {
        await absentIsDone(nova.detachVolume({ serverId, volumeId }, calling));
      }
    }
    for (const volume of wanted.volumes.filter((one) => !actual.volumes.includes(one))) {
      await nova.attachVolume({ serverId, volumeId: refs.id('volume', volume) }, calling);
    }
  }

  /** Nova takes no metadata between a resize and its end, so that the name is noted last. */
  async function resize(): Promise<void> {
    const flavor = await place.flavor(wanted.flavor, calling);
    const server = await nova.getServer(serverId, calling);
    if (server.flavor.original_name === flavor.name) {
      await nova.mergeServerMetadata(serverId, { flavor: wanted.flavor }, calling);
    } else await nova.resizeServer(serverId, flavor.id, calling);
  }

  async function confirm(): Promise<void> {
    const flavor = await place.flavor(wanted.flavor, calling);
    const server = await nova.getServer(serverId, calling);
    const isWanted = server.flavor.original_name === flavor.name;
    try {
      await nova.actOnServer(serverId, isWanted ? 'confirmResize' : 'revertResize', calling);
    } catch (error) {
      // Nova refuses it while it is at it already, and does not show that it is.
      if (!(error instanceof Failure) || error.code !== 'INVALID_ARGUMENT') throw error;
    }
  }

  async function setPower(): Promise<void> {
    if (wanted.power === Power.OFF) {
      if (status === 'active') await nova.stopServer(serverId, calling);
    } else if (status === 'shutoff') await nova.startServer(serverId, calling);
    else if (HALTED.has(status)) await nova.rebootServer(serverId, 'HARD', calling);
  }
}
