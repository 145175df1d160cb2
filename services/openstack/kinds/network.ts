// Networks: a layer-2 segment each, found by the slice's mark in their description, made all in one call.

import { Failure } from '#common/errors.ts';
import { EQUAL, type Found, type Kind, READY } from '#engine/kind.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { absentIsDone } from '../api/errors.ts';
import type { NetworkCreate, NeutronNetwork } from '../api/neutron-types.ts';
import { neutronMark } from '../api/tagging.ts';
import { foreignPorts, unlessHeld } from './holders.ts';
import { cloudName, localName, neutronOurs, type SlicePlace, within } from './place.ts';

/** Neutron takes 0.1 to 0.2 s for a network, in bulk too (measured on Zed): more would outlast the call's time limit. */
const MAX_BATCH = 100;

export function networkKind(place: SlicePlace): Kind {
  const { clients, home, marker, projectId } = place;
  return {
    name: 'network',
    maxBatch: MAX_BATCH,
    rebinds: [],
    async list(_look, context) {
      const networks = await clients.neutron.networks.list(neutronOurs(place), within(place, context));
      return networks.map((network) => foundOf(network, place));
    },
    async create(batch, _refs, context) {
      const bodies = batch.map(({ desired }): NetworkCreate => {
        const vlanId = specOf(desired).vlanId;
        const body = { name: cloudName(place, desired.name), ...neutronMark(marker) };
        return vlanId === 0
          ? body
          : { ...body, 'provider:network_type': 'vlan', 'provider:segmentation_id': vlanId };
      });
      // Choosing a segment is an administrator's right; the slice service has checked that the user is one.
      const choosesVlan = batch.some(({ desired }) => specOf(desired).vlanId !== 0);
      const made = choosesVlan
        ? await home.neutron.networks.createMany(
            bodies.map((body) => ({ ...body, project_id: projectId })),
            within(place, context),
          )
        : await clients.neutron.networks.createMany(bodies, within(place, context));
      return made.map((network) => foundOf(network, place));
    },
    async update() {},
    async delete({ resource }, context) {
      const { cloudId } = resource;
      const removal = absentIsDone(clients.neutron.networks.remove(cloudId, within(place, context)));
      await unlessHeld(removal, () => foreignPorts(place, { network_id: cloudId }, context));
      return 'gone';
    },
    difference(desired, observed) {
      const wanted = specOf(desired).vlanId;
      const actual = observed.kind?.$case === 'network' ? observed.kind.value.status?.segmentationId : 0;
      // Whoever is no administrator is not told the segment.
      if (wanted === 0 || !actual || wanted === actual) return EQUAL;
      return { type: 'replace', reason: `its VLAN is ${actual} instead of ${wanted}` };
    },
    readiness({ name, message }) {
      if (message === 'BUILD') return { state: 'waiting', reason: 'it is being built' };
      if (message !== 'ERROR') return READY;
      const text = `Network "${name}" is in status ERROR; an operator has to look into Neutron's log`;
      const failure = new Failure({ code: 'FAILED_PRECONDITION', reason: 'NETWORK_BROKEN', message: text });
      return { state: 'broken', failure };
    },
  };
}

function foundOf(network: NeutronNetwork, place: SlicePlace): Found {
  const segmentationId = network['provider:segmentation_id'] ?? 0;
  const isVlan = network['provider:network_type'] === 'vlan';
  const resource = Resource.fromPartial({
    name: localName(place, network.name),
    cloudId: network.id,
    message: network.status === 'ACTIVE' ? '' : network.status,
    kind: {
      $case: 'network',
      value: { spec: { vlanId: isVlan ? segmentationId : 0 }, status: { segmentationId } },
    },
  });
  return { resource, uses: [], replacements: 0 };
}

function specOf(resource: Resource): { readonly vlanId: number } {
  return (resource.kind?.$case === 'network' && resource.kind.value.spec) || { vlanId: 0 };
}
