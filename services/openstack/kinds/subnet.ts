// Subnets: the addresses of a network, found by the slice's mark in their description, made all in one call.

import { EQUAL, type Found, type Kind, type KindName, type Look, READY } from '#engine/kind.ts';
import { Resource, SubnetSpec } from '#proto/pucp/driver/v1/resource.ts';
import { absentIsDone } from '../api/errors.ts';
import type { NeutronSubnet } from '../api/neutron-types.ts';
import { neutronMark } from '../api/tagging.ts';
import { foreignPorts, unlessHeld } from './holders.ts';
import { cloudName, localName, neutronOurs, type SlicePlace, within } from './place.ts';
import { poolsWithout, reservedBy } from './pools.ts';

const MAX_BATCH = 100;

export function subnetKind(place: SlicePlace): Kind {
  const { clients, marker } = place;
  const { subnets } = clients.neutron;
  return {
    name: 'subnet',
    maxBatch: MAX_BATCH,
    rebinds: [],
    async list(look, context) {
      const listing = subnets.list(neutronOurs(place), within(place, context));
      const [listed, names] = await Promise.all([listing, namesOf(look, 'network')]);
      return listed.map((subnet) => foundOf(subnet, names, place));
    },
    async create(batch, refs, context) {
      const bodies = batch.map(({ desired }) => {
        const spec = specOf(desired);
        return {
          name: cloudName(place, desired.name),
          ...neutronMark(marker),
          network_id: refs.id('network', spec.network),
          ip_version: 4 as const,
          cidr: spec.cidr,
          ...settingsOf(spec),
          ...(spec.reservedIps.length > 0 ? poolsOf(spec) : {}),
        };
      });
      const made = await subnets.createMany(bodies, within(place, context));
      const names = new Map(batch.map(({ desired }) => nameById(refs.id, specOf(desired).network)));
      return made.map((subnet) => foundOf(subnet, names, place));
    },
    async update(desired, { resource }, _refs, context) {
      const wanted = specOf(desired);
      const actual = specOf(resource);
      // Neutron refuses a gateway that a pool holds.
      const hasSamePools = wanted.gatewayIp === actual.gatewayIp && hasSameReserved(wanted, actual);
      const pools = hasSamePools ? {} : poolsOf(wanted);
      const changes = { ...settingsOf(wanted), ...pools };
      await subnets.change(resource.cloudId, changes, within(place, context));
    },
    async delete({ resource }, context) {
      const { cloudId } = resource;
      const removal = absentIsDone(subnets.remove(cloudId, within(place, context)));
      await unlessHeld(removal, () => foreignPorts(place, { fixed_ips: `subnet_id=${cloudId}` }, context));
      return 'gone';
    },
    difference(desired, observed) {
      const [wanted, actual] = [specOf(desired), specOf(observed)];
      if (wanted.network !== actual.network)
        return { type: 'replace', reason: `it is on ${actual.network || 'another network'}` };
      if (wanted.cidr !== actual.cidr)
        return { type: 'replace', reason: `its addresses are ${actual.cidr} instead of ${wanted.cidr}` };
      const hasSameSettings = JSON.stringify(settingsOf(wanted)) === JSON.stringify(settingsOf(actual));
      if (hasSameSettings && hasSameReserved(wanted, actual)) return EQUAL;
      return { type: 'change', reason: 'its gateway, name servers, DHCP or reserved addresses differ' };
    },
    readiness: () => READY,
  };
}

/** What can be changed while the subnet lives on. */
function settingsOf({ gatewayIp, dnsServers, dhcp }: SubnetSpec) {
  return { gateway_ip: gatewayIp || null, dns_nameservers: dnsServers, enable_dhcp: dhcp };
}

function poolsOf({ cidr, gatewayIp, reservedIps }: SubnetSpec) {
  return { allocation_pools: poolsWithout(cidr, gatewayIp, reservedIps) };
}

function hasSameReserved(a: SubnetSpec, b: SubnetSpec): boolean {
  return a.reservedIps.join() === b.reservedIps.join();
}

function foundOf(subnet: NeutronSubnet, names: ReadonlyMap<string, string>, place: SlicePlace): Found {
  const spec = {
    network: names.get(subnet.network_id) ?? '',
    cidr: subnet.cidr,
    gatewayIp: subnet.gateway_ip ?? '',
    dnsServers: [...subnet.dns_nameservers],
    dhcp: subnet.enable_dhcp,
    reservedIps: reservedBy(subnet.cidr, subnet.gateway_ip ?? '', subnet.allocation_pools),
  };
  const resource = Resource.fromPartial({
    name: localName(place, subnet.name),
    cloudId: subnet.id,
    kind: { $case: 'subnet', value: { spec, status: {} } },
  });
  return { resource, uses: [subnet.network_id], replacements: 0 };
}

function specOf(resource: Resource): SubnetSpec {
  return (resource.kind?.$case === 'subnet' && resource.kind.value.spec) || SubnetSpec.fromPartial({});
}

/** Slice-local names by the cloud's ids. */
export async function namesOf(look: Look, kind: KindName): Promise<ReadonlyMap<string, string>> {
  return new Map((await look.of(kind)).map(({ resource }) => [resource.cloudId, resource.name]));
}

function nameById(idOf: (kind: 'network', name: string) => string, name: string): [string, string] {
  return [idOf('network', name), name];
}
