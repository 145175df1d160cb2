// Servers: booted on ports made before them, found by the slice's tag, waited for by one list of all of them. What was
// asked for lies in their metadata, so that a wish can be compared with what is whatever the cloud calls it.

import { Failure } from '#common/errors.ts';
import { type Difference, EQUAL, type Found, type Kind, READY, type Readiness } from '#engine/kind.ts';
import { Power, Resource, ServerSpec } from '#proto/pucp/driver/v1/resource.ts';
import { faultFailure } from '../api/errors.ts';
import type { BlockDevice, Server } from '../api/nova-servers.ts';
import type { CallContext } from '../api/settings.ts';
import { serverFilter, serverMark } from '../api/tagging.ts';
import { cloudName, fromProject, localName, type SlicePlace, within } from './place.ts';
import { changeServer, HALTED, RESIZED } from './server-changes.ts';
import {
  type Asked,
  askedFrom,
  digestOf,
  metadataOf,
  nameFrom,
  replacementsFrom,
} from './server-metadata.ts';

export function serverKind(place: SlicePlace): Kind {
  const { nova } = place.clients;
  const ours = () => ({ ...serverFilter(place.marker), ...fromProject(place) });
  return {
    name: 'server',
    maxBatch: 1,
    rebinds: ['port', 'volume'],
    async list(look, context) {
      const calling = within(place, context);
      const [servers, ports, volumes] = await Promise.all([
        nova.listServers(ours(), calling),
        look.of('port'),
        look.of('volume'),
      ]);
      const living = servers.filter(({ status }) => status !== 'DELETED' && status !== 'SOFT_DELETED');
      return await Promise.all(
        living.map(async (server) => {
          const asked = await actuallyAsked(server, place, calling);
          return foundOf(server, { asked, ports, volumes, place });
        }),
      );
    },
    async create([creation], refs, context) {
      if (!creation) return [];
      const { desired, replacements } = creation;
      const spec = specOf(desired);
      const calling = within(place, context);
      const [imageRef, flavor] = await Promise.all([
        place.imageId(spec.image, calling),
        place.flavor(spec.flavor, calling),
      ]);
      const portIds = spec.ports.map((port) => refs.id('port', port));
      const volumeIds = spec.volumes.map((volume) => refs.id('volume', volume));
      const { id } = await nova.createServer(
        {
          name: cloudName(place, desired.name),
          imageRef,
          flavorRef: flavor.id,
          networks: portIds.length > 0 ? portIds.map((port) => ({ port })) : 'none',
          ...(spec.availabilityZone !== '' && { availability_zone: spec.availabilityZone }),
          ...(spec.keyPair !== '' && { key_name: place.keyName(spec.keyPair) }),
          ...(spec.userData !== '' && { user_data: Buffer.from(spec.userData).toString('base64') }),
          ...(volumeIds.length > 0 && { block_device_mapping_v2: devicesOf(imageRef, volumeIds) }),
          tags: [...serverMark(place.marker).tags, ...serverMark(place.ownerMarker).tags],
          metadata: metadataOf({ name: desired.name, spec, replacements, sliceId: place.scope.sliceId }),
        },
        calling,
      );
      const resource = Resource.fromPartial({
        name: desired.name,
        cloudId: id,
        message: 'it is being built',
        kind: { $case: 'server', value: { spec, status: { status: 'build', replacements } } },
      });
      return [{ resource, uses: [...portIds, ...volumeIds], replacements }];
    },
    async update(desired, found, refs, context) {
      const [wanted, actual] = [specOf(desired), specOf(found.resource)];
      const volumeIds = found.uses.slice(actual.ports.length);
      const change = { wanted, actual, status: statusOf(found.resource), found, volumeIds };
      await changeServer(change, refs, { place, context });
    },
    async delete({ resource }, context) {
      try {
        await nova.deleteServer(resource.cloudId, within(place, context));
        return 'going';
      } catch (error) {
        if (error instanceof Failure && error.code === 'NOT_FOUND') return 'gone';
        throw error;
      }
    },
    async stirs(waiting, until, context) {
      if (until === 'ready' && waiting.some(({ resource }) => statusOf(resource) !== 'build')) return 'some';
      const status = until === 'ready' ? { status: 'BUILD' } : {};
      const ids = await nova.listServerIds({ ...ours(), ...status }, within(place, context));
      const still = new Set(ids);
      const count = waiting.filter(({ resource }) => still.has(resource.cloudId)).length;
      return count === 0 ? 'all' : count < waiting.length ? 'some' : 'none';
    },
    difference: differenceOf,
    readiness: readinessOf,
    async requestIdOf({ resource }, context) {
      const [last] = await nova.listServerActions(resource.cloudId, within(place, context));
      return last?.request_id;
    },
  };
}

/** States in which Nova works by itself and which it leaves by itself. */
const PASSING = new Set([
  'build',
  'reboot',
  'hard_reboot',
  'rebuild',
  'resize',
  'revert_resize',
  'migrating',
  'password',
]);
const UNFINISHED = 'its new size waits to be confirmed';

function differenceOf(desired: Resource, observed: Resource): Difference {
  const [wanted, actual] = [specOf(desired), specOf(observed)];
  if (wanted.image !== actual.image) {
    return { type: 'replace', reason: `its image is ${actual.image} instead of ${wanted.image}` };
  }
  if (wanted.keyPair !== actual.keyPair) {
    return {
      type: 'replace',
      reason: `its key pair is ${actual.keyPair || 'none'} instead of ${wanted.keyPair || 'none'}`,
    };
  }
  if (digestOf(wanted.userData) !== actual.userData) {
    return { type: 'replace', reason: 'its user data differ' };
  }
  if (wanted.availabilityZone !== '' && wanted.availabilityZone !== actual.availabilityZone) {
    const zone = actual.availabilityZone || 'chosen by the cloud';
    return { type: 'replace', reason: `its zone is ${zone} instead of ${wanted.availabilityZone}` };
  }
  const status = statusOf(observed);
  if (PASSING.has(status) || status === 'error') return EQUAL;
  // While Nova is at it already, there is nothing more to ask for.
  if (status === RESIZED)
    return observed.message === '' ? { type: 'change', reason: UNFINISHED, again: true } : EQUAL;
  const reasons = [
    ...listDifference('port', wanted.ports, actual.ports),
    ...listDifference('volume', wanted.volumes, actual.volumes),
  ];
  if (wanted.power === Power.OFF ? status === 'active' : status === 'shutoff' || HALTED.has(status)) {
    reasons.push(`it is ${status}`);
  }
  const isResized = wanted.flavor !== actual.flavor;
  if (isResized) reasons.push(`its flavor is ${actual.flavor} instead of ${wanted.flavor}`);
  if (reasons.length === 0) return EQUAL;
  const again = isResized && observed.message === '';
  return { type: 'change', reason: reasons.join(', '), ...(again && { again }) };
}

function listDifference(what: string, wanted: readonly string[], actual: readonly string[]): string[] {
  return [
    ...wanted.filter((one) => !actual.includes(one)).map((one) => `${what} ${one} is missing`),
    ...actual.filter((one) => !wanted.includes(one)).map((one) => `${what} ${one} is too many`),
  ];
}

function readinessOf(observed: Resource): Readiness {
  const { name, message } = observed;
  const status = statusOf(observed);
  if (status === 'error') {
    const failure = faultFailure(name, message === '' ? undefined : { message });
    // Nova would count again, and come to the same.
    return { state: 'broken', failure, ...(failure.reason === 'QUOTA_EXCEEDED' && { isFutile: true }) };
  }
  if (status === RESIZED) return { state: 'waiting', reason: message || UNFINISHED };
  return message !== '' || PASSING.has(status)
    ? { state: 'waiting', reason: message || `it is in state ${status}` }
    : READY;
}

/** What was asked for, but the flavor that it really has if someone has given it another one. */
async function actuallyAsked(server: Server, place: SlicePlace, calling: CallContext): Promise<Asked> {
  const asked = askedFrom(server.metadata);
  const flavor = await place.flavor(asked.flavor, calling).catch(() => undefined);
  const hasAnother = flavor !== undefined && flavor.name !== server.flavor.original_name;
  return hasAnother ? { ...asked, flavor: server.flavor.original_name } : asked;
}

type Around = {
  readonly asked: Asked;
  readonly ports: readonly Found[];
  readonly volumes: readonly Found[];
  readonly place: SlicePlace;
};

function foundOf(server: Server, { asked, ports, volumes, place }: Around): Found {
  const status = server.status.toLowerCase();
  const task = server['OS-EXT-STS:task_state'];
  const onServer = portsOf(server.id, { status, asked: asked.ports, ports });
  const inServer = server['os-extended-volumes:volumes_attached'].flatMap(({ id }) =>
    volumes.filter(({ resource }) => resource.cloudId === id),
  );
  const replacements = replacementsFrom(server.metadata);
  const spec = {
    ...asked,
    ports: onServer.map(({ resource }) => resource.name),
    volumes: inServer.map(({ resource }) => resource.name),
    power: status === 'shutoff' ? Power.OFF : Power.ON,
  };
  const resource = Resource.fromPartial({
    name: nameFrom(server.metadata) ?? localName(place, server.name),
    cloudId: server.id,
    message: status === 'error' ? server.fault?.message : task ? `it is ${task}` : '',
    kind: {
      $case: 'server',
      value: { spec, status: { status, host: server['OS-EXT-SRV-ATTR:host'] ?? '', replacements } },
    },
  });
  return { resource, uses: [...onServer, ...inServer].map((under) => under.resource.cloudId), replacements };
}

/** The flavor's disk first, then the volumes in their order. */
function devicesOf(imageId: string, volumeIds: readonly string[]): BlockDevice[] {
  return [
    {
      boot_index: 0,
      source_type: 'image',
      destination_type: 'local',
      uuid: imageId,
      delete_on_termination: true,
    },
    ...volumeIds.map(
      (uuid) =>
        ({
          boot_index: -1,
          source_type: 'volume',
          destination_type: 'volume',
          uuid,
          delete_on_termination: false,
        }) as const,
    ),
  ];
}

/** While a server is being built, and when that failed, its ports do not know it yet, or any more. */
function portsOf(
  serverId: string,
  { status, asked, ports }: { status: string; asked: readonly string[]; ports: readonly Found[] },
): Found[] {
  const isSettled = status !== 'build' && status !== 'error';
  const inOrder = asked.flatMap((name) =>
    ports.filter(({ resource, usedBy }) => resource.name === name && (!isSettled || usedBy === serverId)),
  );
  const further = ports.filter((port) => port.usedBy === serverId && !inOrder.includes(port));
  return [...inOrder, ...further];
}

function statusOf(resource: Resource): string {
  return (resource.kind?.$case === 'server' && resource.kind.value.status?.status) || '';
}

function specOf(resource: Resource): ServerSpec {
  return (resource.kind?.$case === 'server' && resource.kind.value.spec) || ServerSpec.fromPartial({});
}
