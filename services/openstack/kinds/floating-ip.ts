// Floating IPs: taken and led to their port by one call each. They have no name in the cloud: the slice's own one stands in
// the description behind the mark. Neutron frees one whose port goes, so that it lives on and is led to the next.

import { Failure } from '#common/errors.ts';
import { EQUAL, type Found, type Kind, READY } from '#engine/kind.ts';
import { FloatingIpSpec, Resource } from '#proto/pucp/driver/v1/resource.ts';
import { absentIsDone } from '../api/errors.ts';
import type { FloatingIp } from '../api/neutron-types.ts';
import { type SlicePlace, within } from './place.ts';

export function floatingIpKind(place: SlicePlace): Kind {
  const { floatingIps } = place.clients.neutron;
  const mark = `${place.marker.text} `;
  return {
    name: 'floatingIp',
    maxBatch: 1,
    rebinds: ['routerInterface'],
    survives: ['port'],
    async list(look, context) {
      const [all, ports, feet] = await Promise.all([
        floatingIps.list({ project_id: place.projectId }, within(place, context)),
        look.of('port'),
        look.of('routerInterface'),
      ]);
      const ours = all.filter(({ description }) => description.startsWith(mark));
      return ours.map((one) => foundOf(one, { ports, feet, name: one.description.slice(mark.length) }));
    },
    async create([creation], refs, context) {
      if (!creation) return [];
      const { name } = creation.desired;
      const spec = specOf(creation.desired);
      const calling = within(place, context);
      const portId = refs.id('port', spec.port);
      const made = await floatingIps.create(
        {
          floating_network_id: await place.externalNetworkId(calling),
          port_id: portId,
          description: `${mark}${name}`,
        },
        calling,
      );
      const uses = [portId, refs.id('routerInterface', spec.routerInterface)];
      return [{ resource: resourceOf(made, name, spec), uses, replacements: 0 }];
    },
    async update(desired, { resource }, refs, context) {
      const changes = { port_id: refs.id('port', specOf(desired).port) };
      await floatingIps.change(resource.cloudId, changes, within(place, context));
    },
    async delete({ resource }, context) {
      await absentIsDone(floatingIps.remove(resource.cloudId, within(place, context)));
      return 'gone';
    },
    difference(desired, observed) {
      const [wanted, actual] = [specOf(desired).port, specOf(observed).port];
      if (wanted === actual) return EQUAL;
      return { type: 'change', reason: `it leads to ${actual || 'nothing'} instead of ${wanted}` };
    },
    readiness({ name, message }) {
      if (message === '') return READY;
      const text = `Floating IP of "${name}" is in status ERROR; an operator finds the cause in Neutron's log`;
      const failure = new Failure({
        code: 'FAILED_PRECONDITION',
        reason: 'FLOATING_IP_BROKEN',
        message: text,
      });
      return { state: 'broken', failure };
    },
  };
}

type Around = { readonly ports: readonly Found[]; readonly feet: readonly Found[]; readonly name: string };

function foundOf(one: FloatingIp, { ports, feet, name }: Around): Found {
  const port = ports.find(({ resource }) => resource.cloudId === one.port_id);
  const subnet = port?.resource.kind?.$case === 'port' ? port.resource.kind.value.spec?.subnet : undefined;
  const foot = feet.find(
    ({ resource: { kind } }) => kind?.$case === 'routerInterface' && kind.value.spec?.subnet === subnet,
  );
  const spec = { port: port?.resource.name ?? '', routerInterface: foot?.resource.name ?? '' };
  const uses = [port, foot].flatMap((under) => under?.resource.cloudId ?? []);
  return { resource: resourceOf(one, name, spec), uses, replacements: 0 };
}

// DOWN is no failure: it lasts until the agent has done its part, and longer where there is none.
function resourceOf(one: FloatingIp, name: string, spec: FloatingIpSpec): Resource {
  return Resource.fromPartial({
    name,
    cloudId: one.id,
    message: one.status === 'ERROR' ? 'ERROR' : '',
    kind: { $case: 'floatingIp', value: { spec, status: { ipAddress: one.floating_ip_address } } },
  });
}

function specOf(resource: Resource): FloatingIpSpec {
  const spec = resource.kind?.$case === 'floatingIp' ? resource.kind.value.spec : undefined;
  return spec ?? FloatingIpSpec.fromPartial({});
}
