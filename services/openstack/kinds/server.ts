// Servers: booted on ports made before them, found by the slice's tag, waited for by one list of all of them. What was
// asked for lies in their metadata, so that a wish can be compared with what is whatever the cloud calls it.

import { Failure } from '#common/errors.ts';
import { type Difference, EQUAL, type Found, type Kind, READY, type Readiness } from '#engine/kind.ts';
import { Power, Resource, ServerSpec } from '#proto/pucp/driver/v1/resource.ts';
import { absentIsDone, faultFailure } from '../api/errors.ts';
import type { Server } from '../api/nova-servers.ts';
import { serverFilter, serverMark } from '../api/tagging.ts';
import { cloudName, localName, type SlicePlace, within } from './place.ts';
import { askedFrom, metadataOf, nameFrom, replacementsFrom } from './server-metadata.ts';

export function serverKind(place: SlicePlace): Kind {
  const { nova } = place.clients;
  return {
    name: 'server',
    maxBatch: 1,
    rebinds: ['port'],
    async list(look, context) {
      const [servers, ports] = await Promise.all([
        nova.listServers(serverFilter(place.marker), within(place, context)),
        look.of('port'),
      ]);
      return servers
        .filter(({ status }) => status !== 'DELETED' && status !== 'SOFT_DELETED')
        .map((server) => foundOf(server, ports, place));
    },
    async create([creation], refs, context) {
      if (!creation) return [];
      const { desired, replacements } = creation;
      const spec = specOf(desired);
      const calling = within(place, context);
      const [imageRef, flavorRef] = await Promise.all([
        place.imageId(spec.image, calling),
        place.flavorId(spec.flavor, calling),
      ]);
      const portIds = spec.ports.map((port) => refs.id('port', port));
      const { id } = await nova.createServer(
        {
          name: cloudName(place, desired.name),
          imageRef,
          flavorRef,
          networks: portIds.length > 0 ? portIds.map((port) => ({ port })) : 'none',
          ...(spec.availabilityZone !== '' && { availability_zone: spec.availabilityZone }),
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
      return [{ resource, uses: portIds, replacements }];
    },
    async update(desired, found, refs, context) {
      const calling = within(place, context);
      const serverId = found.resource.cloudId;
      const [wanted, actual] = [specOf(desired), specOf(found.resource)];
      for (const [index, port] of actual.ports.entries()) {
        const portId = found.uses[index];
        if (portId && !wanted.ports.includes(port)) {
          await absentIsDone(nova.detachPort({ serverId, portId }, calling));
        }
      }
      for (const port of wanted.ports.filter((one) => !actual.ports.includes(one))) {
        await nova.attachPort({ serverId, portId: refs.id('port', port) }, calling);
      }
      const status = statusOf(found.resource);
      if (wanted.power === Power.OFF) {
        if (status === 'active') await nova.stopServer(serverId, calling);
      } else if (status === 'shutoff') await nova.startServer(serverId, calling);
      else if (HALTED.has(status)) await nova.rebootServer(serverId, 'HARD', calling);
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
    difference: differenceOf,
    readiness: readinessOf,
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
/** Halted by someone else, and brought back by a hard reboot. */
const HALTED = new Set(['paused', 'suspended']);

function differenceOf(desired: Resource, observed: Resource): Difference {
  const [wanted, actual] = [specOf(desired), specOf(observed)];
  for (const field of ['image', 'flavor'] as const) {
    if (wanted[field] !== actual[field]) {
      return { type: 'replace', reason: `its ${field} is ${actual[field]} instead of ${wanted[field]}` };
    }
  }
  if (wanted.availabilityZone !== '' && wanted.availabilityZone !== actual.availabilityZone) {
    const zone = actual.availabilityZone || 'chosen by the cloud';
    return { type: 'replace', reason: `its zone is ${zone} instead of ${wanted.availabilityZone}` };
  }
  const status = statusOf(observed);
  if (PASSING.has(status) || status === 'error') return EQUAL;
  const reasons = [
    ...wanted.ports.filter((port) => !actual.ports.includes(port)).map((port) => `port ${port} is missing`),
    ...actual.ports.filter((port) => !wanted.ports.includes(port)).map((port) => `port ${port} is too many`),
  ];
  if (wanted.power === Power.OFF ? status === 'active' : status === 'shutoff' || HALTED.has(status)) {
    reasons.push(`it is ${status}`);
  }
  return reasons.length > 0 ? { type: 'change', reason: reasons.join(', ') } : EQUAL;
}

function readinessOf(observed: Resource): Readiness {
  const { name, message } = observed;
  const status = statusOf(observed);
  if (status === 'error') {
    const failure = faultFailure(name, message === '' ? undefined : { message });
    return { state: 'broken', failure };
  }
  return message !== '' || PASSING.has(status)
    ? { state: 'waiting', reason: message || `it is in state ${status}` }
    : READY;
}

function foundOf(server: Server, ports: readonly Found[], place: SlicePlace): Found {
  const status = server.status.toLowerCase();
  const task = server['OS-EXT-STS:task_state'];
  const asked = askedFrom(server.metadata);
  const onServer = portsOf(server.id, { status, asked: asked.ports, ports });
  const replacements = replacementsFrom(server.metadata);
  const spec = {
    ...asked,
    ports: onServer.map(({ resource }) => resource.name),
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
  return { resource, uses: onServer.map((port) => port.resource.cloudId), replacements };
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
