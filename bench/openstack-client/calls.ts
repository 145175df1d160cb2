// How many calls of the cloud each thing costs that a user does, counted by the sandbox. What waits for a cloud asks it again
// and again: those lists are also counted apart, since their number depends on how long the cloud takes.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateInstanceRequest,
  CreateNetworkRequest,
  DestroySliceRequest,
  ListFlavorsRequest,
  ListInstancesRequest,
  ListNetworksRequest,
  ListProjectsRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { startContract } from '../../tests/contract/contract.ts';
import { slice } from '../../tests/contract/slice.ts';

export type Calls = {
  readonly calls: number;
  /** How many of them were the list of servers, which a wait repeats. */
  readonly lists_of_servers: number;
  readonly by_service: Record<string, number>;
};

const LIST_OF_SERVERS = 'GET compute /servers/detail';

export async function countCalls(): Promise<Record<string, Calls>> {
  const contract = await startContract();
  try {
    const { client } = contract;
    const { options } = await contract.user();
    const results: Record<string, Calls> = {};
    const measure = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
      // What an earlier operation still does in the background is not this one's.
      await sleep(300);
      const before = contract.counts();
      const result = await work();
      results[name] = difference(before, contract.counts());
      return result;
    };
    const vm = (name: string, networkId: string) =>
      CreateInstanceRequest.fromPartial({
        instanceName: name,
        imageId: 'cirros',
        flavorId: 'nano',
        networks: [networkId],
      });

    await measure('list flavors, the first time', () =>
      client.listFlavors(ListFlavorsRequest.fromPartial({}), options),
    );
    await measure('list flavors again', () =>
      client.listFlavors(ListFlavorsRequest.fromPartial({}), options),
    );
    const net = await measure('create a network, which makes the user’s project', () =>
      client.createNetwork(
        CreateNetworkRequest.fromPartial({ networkName: 'a', cidr: '10.1.0.0/24' }),
        options,
      ),
    );
    await measure('create another network', () =>
      client.createNetwork(
        CreateNetworkRequest.fromPartial({ networkName: 'b', cidr: '10.2.0.0/24' }),
        options,
      ),
    );
    await measure('list networks', () => client.listNetworks(ListNetworksRequest.fromPartial({}), options));
    const networkId = net.id;
    const { projects } = await client.listProjects(ListProjectsRequest.fromPartial({}), options);
    const projectId = projects[0]?.id ?? '';
    await measure('create an instance, the first time', () =>
      client.createInstance(vm('one', networkId), options),
    );
    const made = await measure('create another instance', () =>
      client.createInstance(vm('two', networkId), options),
    );
    await measure('list instances', () =>
      client.listInstances(ListInstancesRequest.fromPartial({}), options),
    );
    await measure('show an instance', () => client.getInstance({ id: made.id }, options));
    await measure('delete an instance', () => client.deleteInstance({ id: made.id }, options));
    await measure('show quotas, the first time', () => client.getQuotas({ projectId }, options));
    await measure('show quotas again', () => client.getQuotas({ projectId }, options));
    for (const vms of [1, 5]) {
      const id = `bench-${vms}`;
      await measure(`deploy a slice of ${vms} on one network that leads outside`, () =>
        client.deploySlice(slice({ id, vms, internet: true, cidr: `192.168.${vms}.0/24` }), options),
      );
      await measure(`destroy it (${vms})`, () =>
        client.destroySlice(DestroySliceRequest.fromPartial({ sliceId: id }), options),
      );
    }
    return results;
  } finally {
    await contract.close();
  }
}

function difference(before: Record<string, number>, after: Record<string, number>): Calls {
  const made = Object.entries(after).map(([call, count]) => [call, count - (before[call] ?? 0)] as const);
  const total = (of: readonly (readonly [string, number])[]) => of.reduce((sum, [, count]) => sum + count, 0);
  const services = Object.groupBy(made, ([call]) => call.split(' ')[1] ?? '');
  const byService = Object.entries(services).map(([name, calls]) => [name, total(calls ?? [])] as const);
  return {
    calls: total(made),
    lists_of_servers: total(made.filter(([call]) => call === LIST_OF_SERVERS)),
    by_service: Object.fromEntries(byService.filter(([, count]) => count > 0)),
  };
}
