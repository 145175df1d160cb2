import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateSubnetRequest } from '#proto/pucp/openstack/v1/networking_service.ts';
import { CreateNetworkRequest, ListNetworksRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, failureOf, startContract } from './contract.ts';
import { connectNetworking } from './networking.ts';

let contract: Contract;
before(async () => {
  contract = await startContract();
});
after(() => contract.close());

const all = ListNetworksRequest.fromPartial({});
const network = (fields: Partial<CreateNetworkRequest>) => CreateNetworkRequest.fromPartial(fields);

test('a network is made with its subnet, listed, and gone when it is deleted', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const name = contract.name('lan');
  const sliceId = contract.name('slice');
  const request = network({ networkName: name, cidr: '192.168.50.0/24', networkType: 'private', sliceId });
  const made = await client.createNetwork(request, options);
  assert.equal(made.networkName, name);
  assert.equal(made.openstackNetworkId, made.id);

  const { networks } = await client.listNetworks(all, options);
  const found = networks.find(({ id }) => id === made.id);
  assert(found);
  assert.equal(found.cidr, '192.168.50.0/24');
  assert.equal(found.subnetId, made.subnetId);
  assert.equal(found.gatewayIp, '192.168.50.1');
  assert.equal(found.status, 'active');
  assert.equal(found.sliceId, sliceId);
  assert.match(found.projectName, /^pucp-/);
  assert.deepEqual(found.subnets[0]?.dnsNameservers, ['8.8.8.8', '8.8.4.4']);
  assert.equal(found.subnets[0]?.enableDhcp, true);
  const ofSlice = await client.listNetworks({ ...all, sliceId }, options);
  assert.deepEqual(
    ofSlice.networks.map(({ id }) => id),
    [made.id],
  );

  await client.deleteNetwork({ id: made.id }, options);
  const left = await client.listNetworks({ ...all, projectId: found.projectId }, options);
  assert.deepEqual(left.networks, []);
  assert.equal((await failureOf(client.deleteNetwork({ id: made.id }, options))).code, 'NOT_FOUND');
});

test('a gateway can be chosen or left out, DHCP turned off, name servers given', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const chosen = await client.createNetwork(
    network({
      networkName: contract.name('chosen'),
      cidr: '10.9.0.0/16',
      gatewayIp: '10.9.255.254',
      enableDhcp: false,
      dnsNameservers: ['1.1.1.1'],
    }),
    options,
  );
  const without = network({ networkName: contract.name('without'), cidr: '10.8.0.0/24', gatewayIp: '' });
  const bare = await client.createNetwork(without, options);
  const { networks } = await client.listNetworks(all, options);
  const [first] = networks.find(({ id }) => id === chosen.id)?.subnets ?? [];
  assert.equal(first?.gatewayIp, '10.9.255.254');
  assert.equal(first?.enableDhcp, false);
  assert.deepEqual(first?.dnsNameservers, ['1.1.1.1']);
  assert.equal(networks.find(({ id }) => id === bare.id)?.gatewayIp, '');
});

test('a network without a cidr has no subnet until one is made', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const wish = { networkName: contract.name('bare'), networkType: 'trunk' };
  const wrong = { ...wish, gatewayIp: '10.0.0.1', dnsNameservers: ['1.1.1.1'], ipv6Mode: 'slaac' };
  const refused = await failureOf(client.createNetwork(network(wrong), options));
  assert.deepEqual(
    refused.violations.map(({ field }) => field),
    ['gateway_ip', 'dns_nameservers', 'ipv6_mode'],
  );
  const made = await client.createNetwork(network(wish), options);
  assert.equal(made.subnetId, '');
  const named = ListNetworksRequest.fromPartial({ name: wish.networkName });
  const { networks } = await client.listNetworks(named, options);
  assert.deepEqual(
    networks.map(({ id, cidr, subnets }) => [id, cidr, subnets]),
    [[made.id, '', []]],
  );
  const networking = connectNetworking(contract);
  try {
    const first = CreateSubnetRequest.fromPartial({ networkId: made.id, cidr: '10.2.0.0/24' });
    const { id: subnetId } = await networking.createSubnet(first, options);
    const seen = await networking.getNetwork({ id: made.id }, options);
    assert.deepEqual([seen.subnetId, seen.cidr], [subnetId, '10.2.0.0/24']);
  } finally {
    networking.close();
  }
  await client.deleteNetwork({ id: made.id }, options);
});

test('a network of IPv6 gives out addresses as asked for, and no name servers of IPv4', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const modes = ['', 'slaac', 'dhcpv6-stateless'];
  for (const [at, ipv6Mode] of modes.entries()) {
    const wish = { networkName: contract.name(`six-${at}`), cidr: `fd00:${at + 1}::/64`, ipv6Mode };
    await client.createNetwork(network(wish), options);
  }
  const { projects } = await client.listProjects({ pageSize: 0, pageToken: '' }, options);
  const own = ListNetworksRequest.fromPartial({ projectId: projects[0]?.id ?? '' });
  const { networks } = await client.listNetworks(own, options);
  const subnets = networks.flatMap((one) => one.subnets);
  assert.deepEqual(
    subnets.map(({ ipVersion, ipv6Mode, dnsNameservers }) => [ipVersion, ipv6Mode, dnsNameservers]),
    ['dhcpv6-stateful', 'slaac', 'dhcpv6-stateless'].map((mode) => [6, mode, []]),
  );
  const wrong = { networkName: 'x', cidr: 'fd00:9::/64', dnsNameservers: ['1.1.1.1'], ipv6Mode: 'odd' };
  const failure = await failureOf(client.createNetwork(network(wrong), options));
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['dns_nameservers[0]', 'ipv6_mode'],
  );
});

test('every mistake in a request for a network is told, and nothing is made', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const wrong = network({
    networkName: '',
    cidr: '10.0.0.7/24',
    gatewayIp: '10.1.0.1',
    dnsNameservers: ['dns.example'],
    networkType: 'odd',
    sliceId: 'a b',
    isExternal: true,
  });
  const failure = await failureOf(client.createNetwork(wrong, options));
  assert.equal(failure.code, 'INVALID_ARGUMENT');
  assert.deepEqual(
    failure.violations.map(({ field }) => field),
    ['network_name', 'cidr', 'gateway_ip', 'dns_nameservers[0]', 'network_type', 'slice_id', 'is_external'],
  );
  assert.match(failure.message, /10\.0\.0\.0\/24 is meant/);
  const { projects } = await client.listProjects({ pageSize: 0, pageToken: '' }, options);
  assert.deepEqual(projects, []);
});

test('a network whose subnet the cloud refuses is removed again', async () => {
  const { client, cloud, within } = contract;
  const { options } = await contract.user();
  const first = network({ networkName: contract.name('first'), cidr: '10.3.1.0/24' });
  const { id } = await client.createNetwork(first, options);
  const { neutron } = cloud.project('home');
  const { project_id: projectId } = await neutron.networks.get(id, within);
  await neutron.setQuotas(projectId, { subnet: 1 }, within);
  const request = network({ networkName: contract.name('refused'), cidr: '10.3.2.0/24' });
  const failure = await failureOf(client.createNetwork(request, options));
  assert.equal(failure.reason, 'QUOTA_EXCEEDED', failure.message);
  assert.deepEqual(await neutron.networks.list({ name: request.networkName }, within), []);
});

test('the external network is seen by everyone and removed by no one but admins', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const { networks } = await client.listNetworks(all, options);
  const external = networks.find(({ isExternal }) => isExternal);
  assert(external, 'the cloud has an external network');
  assert.equal((await failureOf(client.deleteNetwork({ id: external.id }, options))).code, 'NOT_FOUND');
});

test('more networks than the quota allows are refused as such', async () => {
  const { client, cloud, within } = contract;
  const { options } = await contract.user();
  const made = await client.createNetwork(
    network({ networkName: contract.name('q1'), cidr: '10.7.1.0/24' }),
    options,
  );
  const { networks } = await client.listNetworks(all, options);
  const projectId = networks.find(({ id }) => id === made.id)?.projectId ?? '';
  await cloud.project('home').neutron.setQuotas(projectId, { network: 1 }, within);
  const more = network({ networkName: contract.name('q2'), cidr: '10.7.2.0/24' });
  const failure = await failureOf(client.createNetwork(more, options));
  assert.equal(failure.code, 'RESOURCE_EXHAUSTED');
  assert.equal(failure.reason, 'QUOTA_EXCEEDED');
});

test('a list is read in pages', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  for (const index of [1, 2, 3]) {
    const request = { networkName: contract.name(`page-${index}`), cidr: `10.6.${index}.0/24` };
    await client.createNetwork(network(request), options);
  }
  const { projects } = await client.listProjects({ pageSize: 0, pageToken: '' }, options);
  const own = { ...all, projectId: projects[0]?.id ?? '', pageSize: 2 };
  const first = await client.listNetworks(own, options);
  const second = await client.listNetworks({ ...own, pageToken: first.nextPageToken }, options);
  assert.deepEqual(
    [...first.networks, ...second.networks].map(({ networkName }) => networkName),
    [1, 2, 3].map((index) => contract.name(`page-${index}`)),
  );
  assert.equal(second.nextPageToken, '');
});
