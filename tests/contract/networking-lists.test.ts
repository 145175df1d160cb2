// What all lists of networking have in common: filters, an order that is chosen, and pages in that order.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreateFloatingIpRequest,
  CreatePortRequest,
  CreateRouterRequest,
  CreateSecurityGroupRequest,
  CreateSubnetRequest,
  ListFloatingIpsRequest,
  ListPortsRequest,
  ListRoutersRequest,
  ListSecurityGroupRulesRequest,
  ListSecurityGroupsRequest,
  ListSubnetsRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { ListNetworksRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, type ContractUser, failureOf, startContract } from './contract.ts';
import { connectNetworking, type NetworkingClient, wayOutside } from './networking.ts';

type ListRequest = { projectId: string; orderBy: string; pageSize: number; pageToken: string };
type Listed = { readonly items: readonly { readonly id: string }[]; readonly nextPageToken: string };

let contract: Contract;
let networking: NetworkingClient & { close(): void };
let owner: ContractUser;
let way: Awaited<ReturnType<typeof wayOutside>>;
before(async () => {
  contract = await startContract();
  networking = connectNetworking(contract);
  owner = await contract.user();
  way = await wayOutside(contract, networking, owner);
  const { options } = owner;
  const { networkId } = way;
  const subnet = { networkId, name: 'a', cidr: '10.90.0.0/24' };
  await networking.createSubnet(CreateSubnetRequest.fromPartial(subnet), options);
  for (const name of ['b', 'a']) {
    await networking.createPort(CreatePortRequest.fromPartial({ networkId, name }), options);
    await networking.createRouter(CreateRouterRequest.fromPartial({ name }), options);
    await networking.createSecurityGroup(CreateSecurityGroupRequest.fromPartial({ name }), options);
    await networking.createFloatingIp(CreateFloatingIpRequest.fromPartial({}), options);
  }
});
after(async () => {
  networking.close();
  await contract.close();
});

/** Every list, and what it can be sorted by. */
const LISTS: Readonly<
  Record<string, { readonly keys: readonly string[]; list(request: ListRequest): Promise<Listed> }>
> = {
  networks: {
    keys: ['name', 'status', 'created_at'],
    async list(fields) {
      const request = ListNetworksRequest.fromPartial(fields);
      const { networks: items, nextPageToken } = await contract.client.listNetworks(request, owner.options);
      return { items, nextPageToken };
    },
  },
  subnets: {
    keys: ['name', 'cidr', 'created_at'],
    async list(fields) {
      const request = ListSubnetsRequest.fromPartial(fields);
      const { subnets: items, nextPageToken } = await networking.listSubnets(request, owner.options);
      return { items, nextPageToken };
    },
  },
  ports: {
    keys: ['name', 'status', 'mac_address', 'device_owner', 'created_at'],
    async list(fields) {
      const request = ListPortsRequest.fromPartial(fields);
      const { ports: items, nextPageToken } = await networking.listPorts(request, owner.options);
      return { items, nextPageToken };
    },
  },
  routers: {
    keys: ['name', 'status', 'created_at'],
    async list(fields) {
      const request = ListRoutersRequest.fromPartial(fields);
      const { routers: items, nextPageToken } = await networking.listRouters(request, owner.options);
      return { items, nextPageToken };
    },
  },
  'floating IPs': {
    keys: ['floating_ip_address', 'status', 'created_at'],
    async list(fields) {
      const request = ListFloatingIpsRequest.fromPartial(fields);
      const { floatingIps: items, nextPageToken } = await networking.listFloatingIps(request, owner.options);
      return { items, nextPageToken };
    },
  },
  'security groups': {
    keys: ['name', 'created_at'],
    async list(fields) {
      const request = ListSecurityGroupsRequest.fromPartial(fields);
      const answer = await networking.listSecurityGroups(request, owner.options);
      return { items: answer.securityGroups, nextPageToken: answer.nextPageToken };
    },
  },
  'security group rules': {
    keys: ['created_at', 'direction', 'ethertype', 'protocol'],
    async list(fields) {
      const request = ListSecurityGroupRulesRequest.fromPartial(fields);
      const { rules: items, nextPageToken } = await networking.listSecurityGroupRules(request, owner.options);
      return { items, nextPageToken };
    },
  },
};

for (const [what, { keys, list }] of Object.entries(LISTS)) {
  test(`${what} are sorted by ${keys.join(', ')}, either way and page by page`, async () => {
    const whole = { projectId: way.projectId, orderBy: '', pageSize: 0, pageToken: '' };
    const idsOf = ({ items }: Listed) => items.map(({ id }) => id);
    const usual = idsOf(await list(whole));
    assert(usual.length > 0);
    for (const key of keys) {
      const rising = await list({ ...whole, orderBy: `${key} asc` });
      if (key === keys[0]) assert.deepEqual(idsOf(rising), usual);
      const texts = rising.items.map((item) => String((item as Record<string, unknown>)[camel(key)]));
      if (!/cidr|address/.test(key)) assert.deepEqual(texts, texts.toSorted(), key);
      const first = await list({ ...whole, orderBy: `${key} desc`, pageSize: 1 });
      const rest = await list({ ...whole, orderBy: `${key} desc`, pageToken: first.nextPageToken });
      const paged = first.nextPageToken === '' ? idsOf(first) : [...idsOf(first), ...idsOf(rest)];
      assert.deepEqual(paged, idsOf(rising).reverse());
    }
    for (const orderBy of ['wings', `${keys[0]} down`]) {
      const failure = await failureOf(list({ ...whole, orderBy }));
      assert.deepEqual(
        failure.violations.map(({ field }) => field),
        ['order_by'],
      );
      assert(failure.message.includes(keys.join(', ')), failure.message);
    }
  });
}

const camel = (key: string) => key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

test('networks are found by name, status, and by whether they are shared or lead outside', async () => {
  const { client } = contract;
  const found = async (fields: Partial<ListNetworksRequest>) =>
    (await client.listNetworks(ListNetworksRequest.fromPartial(fields), owner.options)).networks;
  const outside = await found({ isExternal: true });
  assert(outside.length > 0 && outside.every(({ isExternal }) => isExternal));
  const inside = await found({ isExternal: false, shared: false, status: 'active' });
  assert.deepEqual(
    inside.map(({ id }) => id),
    [way.networkId],
  );
  assert.deepEqual(await found({ name: contract.name('nothing') }), []);
  assert.deepEqual(await found({ isExternal: false, status: 'error' }), []);
  const stranger = await contract.user();
  const request = ListNetworksRequest.fromPartial({ isExternal: true });
  const { networks } = await client.listNetworks(request, stranger.options);
  assert.deepEqual(
    networks.map(({ id }) => id),
    outside.map(({ id }) => id),
    'who has no project finds them, too',
  );
});

test('floating IPs are found by their network, router and fixed address; rules by IP version', async () => {
  const { options } = owner;
  const wish = CreateFloatingIpRequest.fromPartial({ portId: way.portId });
  const { id, floatingNetworkId, routerId, fixedIpAddress } = await networking.createFloatingIp(
    wish,
    options,
  );
  const found = async (fields: Partial<ListFloatingIpsRequest>) =>
    (await networking.listFloatingIps(ListFloatingIpsRequest.fromPartial(fields), options)).floatingIps;
  assert.equal((await found({ floatingNetworkId })).length, 3);
  for (const filter of [{ routerId }, { fixedIpAddress }]) {
    assert.deepEqual(
      (await found(filter)).map((one) => one.id),
      [id],
    );
  }
  const six = ListSecurityGroupRulesRequest.fromPartial({ ethertype: 'ipv6' });
  const { rules } = await networking.listSecurityGroupRules(six, options);
  assert(rules.length > 0 && rules.every(({ ethertype }) => ethertype === 'IPv6'));
});
