// Ports: made before the servers they belong to, so that interfaces keep their order, address and MAC, and deleted after
// them, since Nova leaves ports alone that it did not make. Found by the slice's mark, made all in one call.
// Reference: https://docs.openstack.org/api-ref/network/v2/#ports

import {
  type CallContext,
  type Difference,
  EQUAL,
  type Found,
  type Kind,
  READY,
  type Refs,
} from '#engine/kind.ts';
import { PortSpec, Resource } from '#proto/pucp/driver/v1/resource.ts';
import { absentIsDone } from '../api/errors.ts';
import type { NeutronPort, PortChanges, PortCreate } from '../api/neutron-types.ts';
import { neutronMark } from '../api/tagging.ts';
import { cloudName, localName, neutronOurs, type SlicePlace, within } from './place.ts';
import { namesOf } from './subnet.ts';

/** Neutron takes 0.3 to 0.6 s for a port, in bulk too (measured on Zed): more in one call would outlast its time limit. */
const MAX_BATCH = 50;

export function portKind(place: SlicePlace): Kind {
  const { clients, marker } = place;
  const { ports, securityGroups } = clients.neutron;

  /** The project's own group, which a port without any bears. */
  async function defaultGroups(context: CallContext): Promise<string[]> {
    const filter = { name: 'default', project_id: place.projectId };
    return (await securityGroups.list(filter, within(place, context))).map(({ id }) => id);
  }

  return {
    name: 'port',
    maxBatch: MAX_BATCH,
    rebinds: ['securityGroup'],
    async list(look, context) {
      const [listed, networks, subnets, groups] = await Promise.all([
        ports.list(neutronOurs(place), within(place, context)),
        namesOf(look, 'network'),
        namesOf(look, 'subnet'),
        namesOf(look, 'securityGroup'),
      ]);
      return listed.map((port) => foundOf(port, { networks, subnets, groups, place }));
    },
    async create(batch, refs, context) {
      const specs = batch.map(({ desired }) => specOf(desired));
      const bodies = batch.map(({ desired }): PortCreate => {
        const spec = specOf(desired);
        return {
          name: cloudName(place, desired.name),
          ...neutronMark(marker),
          network_id: refs.id('network', spec.network),
          // Without a subnet Neutron is a quarter faster (measured on Zed), but takes one that others made, or none at all.
          fixed_ips: [addressOf(spec, refs.id('subnet', spec.subnet))],
          ...(spec.macAddress !== '' && { mac_address: spec.macAddress }),
          ...(spec.forwarding ? UNPROTECTED : {}),
          ...(spec.securityGroups.length > 0 && { security_groups: groupIds(spec, refs) }),
        };
      });
      const made = await ports.createMany(bodies, within(place, context));
      const idsOf = (kind: 'network' | 'subnet' | 'securityGroup', names: readonly string[]) =>
        new Map(names.map((name) => [refs.id(kind, name), name]));
      const names = {
        networks: idsOf(
          'network',
          specs.map(({ network }) => network),
        ),
        subnets: idsOf(
          'subnet',
          specs.map(({ subnet }) => subnet),
        ),
        groups: idsOf(
          'securityGroup',
          specs.flatMap((spec) => spec.securityGroups),
        ),
      };
      return made.map((port) => foundOf(port, { ...names, place }));
    },
    async update(desired, { resource }, refs, context) {
      const [wanted, actual] = [specOf(desired), specOf(resource)];
      const groups = wanted.securityGroups.length > 0 ? groupIds(wanted, refs) : undefined;
      const changes: PortChanges = {
        ...(!hasSameAddress(wanted, actual) && {
          fixed_ips: [addressOf(wanted, refs.id('subnet', wanted.subnet))],
        }),
        // Also under the same names: a group may be another one than before.
        ...(wanted.forwarding
          ? UNPROTECTED
          : (groups || !hasSameProtection(wanted, actual)) && {
              port_security_enabled: true,
              security_groups: groups ?? (await defaultGroups(context)),
            }),
      };
      await ports.change(resource.cloudId, changes, within(place, context));
    },
    async delete({ resource }, context) {
      await absentIsDone(ports.remove(resource.cloudId, within(place, context)));
      return 'gone';
    },
    difference: differenceOf,
    readiness: () => READY,
  };
}

/** Neutron takes a port's protection away only together with its groups. */
const UNPROTECTED = { port_security_enabled: false, security_groups: [] } as const;

function differenceOf(desired: Resource, observed: Resource): Difference {
  const [wanted, actual] = [specOf(desired), specOf(observed)];
  if (wanted.network !== actual.network)
    return { type: 'replace', reason: `it is on ${actual.network || 'another network'}` };
  if (wanted.macAddress !== '' && wanted.macAddress !== actual.macAddress) {
    return { type: 'replace', reason: `its MAC is ${actual.macAddress} instead of ${wanted.macAddress}` };
  }
  const reasons: string[] = [];
  if (wanted.subnet !== actual.subnet) reasons.push(`it is on ${actual.subnet || 'another subnet'}`);
  else if (!hasSameAddress(wanted, actual)) {
    reasons.push(`its address is ${actual.ipAddress || 'none'} instead of ${wanted.ipAddress}`);
  }
  if (wanted.forwarding !== actual.forwarding) {
    reasons.push(actual.forwarding ? 'it forwards frames of others' : 'it does not forward frames of others');
  } else if (!hasSameProtection(wanted, actual)) {
    const list = (names: readonly string[]) => names.join(', ') || 'default';
    const [has, is] = [list(actual.securityGroups), list(wanted.securityGroups)];
    reasons.push(`its security groups are ${has} instead of ${is}`);
  }
  return reasons.length > 0 ? { type: 'change', reason: reasons.join(', ') } : EQUAL;
}

function hasSameAddress(wanted: PortSpec, actual: PortSpec): boolean {
  return wanted.subnet === actual.subnet && ['', actual.ipAddress].includes(wanted.ipAddress);
}

function hasSameProtection(wanted: PortSpec, actual: PortSpec): boolean {
  return (
    wanted.forwarding === actual.forwarding && wanted.securityGroups.join() === actual.securityGroups.join()
  );
}

function groupIds({ securityGroups }: PortSpec, refs: Refs): string[] {
  return securityGroups.map((name) => refs.id('securityGroup', name));
}

type Names = {
  readonly networks: ReadonlyMap<string, string>;
  readonly subnets: ReadonlyMap<string, string>;
  /** Of the slice's groups only: the project's default one is not told. */
  readonly groups: ReadonlyMap<string, string>;
  readonly place: SlicePlace;
};

function foundOf(port: NeutronPort, { networks, subnets, groups, place }: Names): Found {
  const [address] = port.fixed_ips;
  const ipAddress = address?.ip_address ?? '';
  const spec = {
    network: networks.get(port.network_id) ?? '',
    subnet: subnets.get(address?.subnet_id ?? '') ?? '',
    ipAddress,
    macAddress: port.mac_address,
    forwarding: !port.port_security_enabled,
    securityGroups: port.security_groups.flatMap((id) => groups.get(id) ?? []).sort(),
  };
  const resource = Resource.fromPartial({
    name: localName(place, port.name),
    cloudId: port.id,
    kind: { $case: 'port', value: { spec, status: { ipAddress, macAddress: port.mac_address } } },
  });
  const uses = [
    port.network_id,
    ...port.fixed_ips.map(({ subnet_id }) => subnet_id),
    ...port.security_groups.filter((id) => groups.has(id)),
  ];
  return { resource, uses, usedBy: port.device_id, replacements: 0 };
}

function addressOf({ ipAddress }: PortSpec, subnetId: string) {
  return { subnet_id: subnetId, ...(ipAddress !== '' && { ip_address: ipAddress }) };
}

function specOf(resource: Resource): PortSpec {
  return (resource.kind?.$case === 'port' && resource.kind.value.spec) || PortSpec.fromPartial({});
}
