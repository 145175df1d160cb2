// Ports: made before the servers they belong to, so that interfaces keep their order, address and MAC, and deleted after
// them, since Nova leaves ports alone that it did not make. Found by the slice's mark, made all in one call.

import { EQUAL, type Found, type Kind, READY } from '#engine/kind.ts';
import { PortSpec, Resource } from '#proto/pucp/driver/v1/resource.ts';
import { absentIsDone } from '../api/errors.ts';
import type { NeutronPort } from '../api/neutron-types.ts';
import { neutronFilter, neutronMark } from '../api/tagging.ts';
import { cloudName, localName, type SlicePlace, within } from './place.ts';
import { namesOf } from './subnet.ts';

/** Neutron takes 0.3 to 0.6 s for a port, in bulk too (measured on Zed): more in one call would outlast its time limit. */
const MAX_BATCH = 50;

export function portKind(place: SlicePlace): Kind {
  const { clients, marker } = place;
  const { ports } = clients.neutron;
  return {
    name: 'port',
    maxBatch: MAX_BATCH,
    rebinds: [],
    async list(look, context) {
      const [listed, networks, subnets] = await Promise.all([
        ports.list(neutronFilter(marker), within(place, context)),
        namesOf(look, 'network'),
        namesOf(look, 'subnet'),
      ]);
      return listed.map((port) => foundOf(port, { networks, subnets, place }));
    },
    async create(batch, refs, context) {
      const specs = batch.map(({ desired }) => specOf(desired));
      const bodies = batch.map(({ desired }) => ({
        name: cloudName(place, desired.name),
        ...neutronMark(marker),
        network_id: refs.id('network', specOf(desired).network),
        fixed_ips: [addressOf(specOf(desired), refs.id('subnet', specOf(desired).subnet))],
      }));
      const made = await ports.createMany(bodies, within(place, context));
      const networks = new Map(specs.map(({ network }) => [refs.id('network', network), network]));
      const subnets = new Map(specs.map(({ subnet }) => [refs.id('subnet', subnet), subnet]));
      return made.map((port) => foundOf(port, { networks, subnets, place }));
    },
    async update(desired, { resource }, refs, context) {
      const spec = specOf(desired);
      const address = addressOf(spec, refs.id('subnet', spec.subnet));
      await ports.change(resource.cloudId, { fixed_ips: [address] }, within(place, context));
    },
    async delete({ resource }, context) {
      await absentIsDone(ports.remove(resource.cloudId, within(place, context)));
      return 'gone';
    },
    difference(desired, observed) {
      const [wanted, actual] = [specOf(desired), specOf(observed)];
      if (wanted.network !== actual.network)
        return { type: 'replace', reason: `it is on ${actual.network || 'another network'}` };
      if (wanted.subnet !== actual.subnet)
        return { type: 'change', reason: `it is on ${actual.subnet || 'another subnet'}` };
      if (wanted.ipAddress === '' || wanted.ipAddress === actual.ipAddress) return EQUAL;
      return {
        type: 'change',
        reason: `its address is ${actual.ipAddress || 'none'} instead of ${wanted.ipAddress}`,
      };
    },
    readiness: () => READY,
  };
}

type Names = {
  readonly networks: ReadonlyMap<string, string>;
  readonly subnets: ReadonlyMap<string, string>;
  readonly place: SlicePlace;
};

function foundOf(port: NeutronPort, { networks, subnets, place }: Names): Found {
  const [address] = port.fixed_ips;
  const ipAddress = address?.ip_address ?? '';
  const spec = {
    network: networks.get(port.network_id) ?? '',
    subnet: subnets.get(address?.subnet_id ?? '') ?? '',
    ipAddress,
  };
  const resource = Resource.fromPartial({
    name: localName(place, port.name),
    cloudId: port.id,
    kind: { $case: 'port', value: { spec, status: { ipAddress, macAddress: port.mac_address } } },
  });
  const uses = [port.network_id, ...port.fixed_ips.map(({ subnet_id }) => subnet_id)];
  return { resource, uses, usedBy: port.device_id, replacements: 0 };
}

function addressOf({ ipAddress }: PortSpec, subnetId: string) {
  return { subnet_id: subnetId, ...(ipAddress !== '' && { ip_address: ipAddress }) };
}

function specOf(resource: Resource): PortSpec {
  return (resource.kind?.$case === 'port' && resource.kind.value.spec) || PortSpec.fromPartial({});
}
