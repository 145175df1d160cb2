// Routers: a way to other segments and, with a gateway on the external network, to the outside. One call each: Neutron
// makes no routers in bulk.

import { Failure } from '#common/errors.ts';
import { EQUAL, type Found, type Kind, READY } from '#engine/kind.ts';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { absentIsDone } from '../api/errors.ts';
import type { NeutronRouter } from '../api/neutron-types.ts';
import type { CallContext } from '../api/settings.ts';
import { neutronMark } from '../api/tagging.ts';
import { cloudName, localName, neutronOurs, type SlicePlace, within } from './place.ts';

export function routerKind(place: SlicePlace): Kind {
  const { clients, marker } = place;
  const { routers } = clients.neutron;

  async function gatewayOf(desired: Resource, context: CallContext) {
    return isExternal(desired) ? { network_id: await place.externalNetworkId(context) } : null;
  }

  return {
    name: 'router',
    maxBatch: 1,
    rebinds: [],
    async list(_look, context) {
      const listed = await routers.list(neutronOurs(place), within(place, context));
      return listed.map((router) => foundOf(router, place));
    },
    async create(batch, _refs, context) {
      const made: Found[] = [];
      for (const { desired } of batch) {
        const gateway = await gatewayOf(desired, within(place, context));
        const body = {
          name: cloudName(place, desired.name),
          ...neutronMark(marker),
          ...(gateway && { external_gateway_info: gateway }),
        };
        made.push(foundOf(await routers.create(body, within(place, context)), place));
      }
      return made;
    },
    async update(desired, { resource }, _refs, context) {
      const gateway = await gatewayOf(desired, within(place, context));
      await routers.change(resource.cloudId, { external_gateway_info: gateway }, within(place, context));
    },
    async delete({ resource }, context) {
      await absentIsDone(routers.remove(resource.cloudId, within(place, context)));
      return 'gone';
    },
    difference(desired, observed) {
      if (isExternal(desired) === isExternal(observed)) return EQUAL;
      const reason = isExternal(desired) ? 'it does not lead outside' : 'it leads outside';
      return { type: 'change', reason };
    },
    readiness({ name, message }) {
      if (message !== 'ERROR') return READY;
      const text = `Router "${name}" is in status ERROR; an operator has to look into Neutron's log`;
      const failure = new Failure({ code: 'FAILED_PRECONDITION', reason: 'ROUTER_BROKEN', message: text });
      return { state: 'broken', failure };
    },
  };
}

function foundOf(router: NeutronRouter, place: SlicePlace): Found {
  const gateway = router.external_gateway_info;
  const externalIp = gateway?.external_fixed_ips[0]?.ip_address ?? '';
  const resource = Resource.fromPartial({
    name: localName(place, router.name),
    cloudId: router.id,
    message: router.status === 'ERROR' ? 'ERROR' : '',
    kind: { $case: 'router', value: { spec: { external: gateway !== null }, status: { externalIp } } },
  });
  return { resource, uses: [], replacements: 0 };
}

function isExternal(resource: Resource): boolean {
  return resource.kind?.$case === 'router' && (resource.kind.value.spec?.external ?? false);
}
