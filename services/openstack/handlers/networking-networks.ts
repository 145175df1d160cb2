// One network: looked at and changed. Lists, creation and removal are `networks.ts`.

import { type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type {
  NetworkingServiceServer,
  UpdateNetworkRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import type { Network } from '#proto/pucp/openstack/v1/openstack.ts';
import type { NeutronNetwork } from '../api/neutron-types.ts';
import { callContext, type Deps } from './deps.ts';
import { networkView } from './network-view.ts';
import type { Reach } from './networking-reach.ts';
import { checkDescription, checkName, textChanges } from './networking-text.ts';

type NetworkHandlers = Pick<Handlers<NetworkingServiceServer>, 'getNetwork' | 'updateNetwork'>;

export function oneNetworkHandlers({ cloud, tenancy }: Deps, reach: Reach): NetworkHandlers {
  const home = cloud.project('home');

  async function view(network: NeutronNetwork, context: Context): Promise<Network> {
    const within = callContext(context);
    const isAdmin = context.caller.role === 'admin';
    const isKnown = isAdmin || (await tenancy.listProjects(context.caller, within)).some(isOf(network));
    const [subnets, projectName] = await Promise.all([
      home.neutron.subnets.list({ network_id: network.id }, within),
      isKnown ? tenancy.nameOf(network.project_id, within) : '',
    ]);
    return networkView(network, { subnets, projectName, isAdmin });
  }

  return {
    async getNetwork({ id }, context) {
      return await view(await reach.visibleNetwork(id, context), context);
    },

    async updateNetwork(request, context) {
      const network = await reach.network(request.id, context);
      const violations = [...check(request, context)];
      if (violations.length > 0) throw invalid(violations);
      const { adminStateUp, portSecurityEnabled, mtu, shared } = request;
      const changes = {
        ...textChanges(request, network),
        ...(adminStateUp === undefined ? {} : { admin_state_up: adminStateUp }),
        ...(portSecurityEnabled === undefined ? {} : { port_security_enabled: portSecurityEnabled }),
        ...(mtu === undefined ? {} : { mtu }),
        ...(shared === undefined ? {} : { shared }),
      };
      if (Object.keys(changes).length === 0) return await view(network, context);
      // Only an administrator's token shares a network.
      const neutron =
        shared === undefined ? await reach.clientFor(network.project_id, context) : home.neutron;
      await neutron.networks.change(network.id, changes, callContext(context));
      return await view(await reach.network(network.id, context), context);
    },
  };
}

/** RFC 791: what every host must take. */
const MIN_MTU = 68;

function* check(request: UpdateNetworkRequest, { caller }: Context): Generator<FieldViolation> {
  yield* checkName(request.name);
  yield* checkDescription(request.description);
  if (request.mtu !== undefined && request.mtu < MIN_MTU) {
    yield { field: 'mtu', message: `must be at least ${MIN_MTU} bytes` };
  }
  if (request.shared !== undefined && caller.role !== 'admin') {
    yield { field: 'shared', message: 'only admins may set it' };
  }
}

function isOf({ project_id }: NeutronNetwork) {
  return ({ id }: { readonly id: string }) => id === project_id;
}
