// Router interfaces: a router's foot on a subnet. Neutron has no object for them but a port that it makes itself and that
// bears no mark: whatever stands on one of the slice's routers belongs to the slice. Its name is its subnet's, its id is
// made of the two ids, so that it is known even when the answer was lost.

import { EQUAL, type Found, type Kind, READY } from '#engine/kind.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { type SlicePlace, within } from './place.ts';
import { namesOf } from './subnet.ts';

/** Centralized, distributed and highly available routers call theirs differently. */
export const ROUTER_INTERFACE_OWNERS = [
  'network:router_interface',
  'network:router_interface_distributed',
  'network:ha_router_replicated_interface',
];

export function routerInterfaceKind(place: SlicePlace): Kind {
  const { neutron } = place.clients;
  return {
    name: 'routerInterface',
    maxBatch: 1,
    rebinds: [],
    async list(look, context) {
      const routers = await namesOf(look, 'router');
      if (routers.size === 0) return [];
      const filter = { device_id: [...routers.keys()], device_owner: ROUTER_INTERFACE_OWNERS };
      const [ports, subnets] = await Promise.all([
        neutron.ports.list(filter, within(place, context)),
        namesOf(look, 'subnet'),
      ]);
      return ports.flatMap((port) =>
        port.fixed_ips.map(({ subnet_id }) =>
          foundOf({
            routerId: port.device_id,
            subnetId: subnet_id,
            router: routers.get(port.device_id) ?? '',
            subnet: subnets.get(subnet_id) ?? subnet_id,
          }),
        ),
      );
    },
    async create(batch, refs, context) {
      const made: Found[] = [];
      for (const { desired } of batch) {
        const { router, subnet } = specOf(desired);
        const [routerId, subnetId] = [refs.id('router', router), refs.id('subnet', subnet)];
        await neutron.addRouterInterface(routerId, { subnet_id: subnetId }, within(place, context));
        made.push(foundOf({ routerId, subnetId, router, subnet }));
      }
      return made;
    },
    async update() {},
    async delete({ uses: [routerId = '', subnetId = ''] }, context) {
      await neutron.removeRouterInterface(routerId, { subnet_id: subnetId }, within(place, context));
      return 'gone';
    },
    difference(desired, observed) {
      const [wanted, actual] = [specOf(desired), specOf(observed)];
      if (wanted.router === actual.router && wanted.subnet === actual.subnet) return EQUAL;
      return { type: 'replace', reason: `it connects ${actual.subnet} with ${actual.router}` };
    },
    readiness: () => READY,
  };
}

type Foot = { routerId: string; subnetId: string; router: string; subnet: string };

function foundOf({ routerId, subnetId, router, subnet }: Foot): Found {
  const resource = Resource.fromPartial({
    name: subnet,
    cloudId: `${routerId}/${subnetId}`,
    kind: { $case: 'routerInterface', value: { spec: { router, subnet }, status: {} } },
  });
  return { resource, uses: [routerId, subnetId], replacements: 0 };
}

function specOf(resource: Resource): { readonly router: string; readonly subnet: string } {
  const spec = resource.kind?.$case === 'routerInterface' ? resource.kind.value.spec : undefined;
  return spec ?? { router: '', subnet: '' };
}
