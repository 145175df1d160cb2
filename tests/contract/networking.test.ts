// Networks in depth: what is on one, and what connects it. Floating IPs and security groups have files of their own.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreatePortRequest,
  CreateSubnetRequest,
  ListPortsRequest,
  ListSubnetsRequest,
  UpdateNetworkRequest,
  UpdatePortRequest,
  UpdateSubnetRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { CreateNetworkRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, type ContractUser, failureOf, startContract } from './contract.ts';
import { connectNetworking, lan, type NetworkingClient } from './networking.ts';

let contract: Contract;
let networking: NetworkingClient & { close(): void };
let admin: ContractUser;
/** One for most tests: a project takes a real cloud seconds. */
let owner: ContractUser;
before(async () => {
  contract = await startContract();
  networking = connectNetworking(contract);
  admin = await contract.user('admin');
  owner = await contract.user();
  const { projectId } = await lan(contract, owner);
  const enough = { network: 50, subnet: 50, router: 50 };
  await contract.cloud.project('home').neutron.setQuotas(projectId, enough, contract.within);
});
after(async () => {
  networking.close();
  await contract.close();
});

const subnet = (fields: Partial<CreateSubnetRequest>) => CreateSubnetRequest.fromPartial(fields);
const port = (fields: Parameters<typeof CreatePortRequest.fromPartial>[0]) =>
  CreatePortRequest.fromPartial(fields);
const fieldsOf = (failure: { violations: readonly { field: string }[] }) =>
  failure.violations.map(({ field }) => field);

test('a network is renamed, described and switched off; only admins share it', async () => {
  const user = owner;
  const { options } = user;
  const { networkId: id } = await lan(contract, user, { description: 'first words' });
  assert.equal((await networking.getNetwork({ id }, options)).description, 'first words');
  const name = contract.name('renamed');
  const changes = UpdateNetworkRequest.fromPartial({
    id,
    name,
    description: 'of the lab',
    adminStateUp: false,
    portSecurityEnabled: false,
    mtu: 1300,
  });
  const changed = await networking.updateNetwork(changes, options);
  assert.deepEqual(
    [
      changed.networkName,
      changed.description,
      changed.adminStateUp,
      changed.portSecurityEnabled,
      changed.mtu,
    ],
    [name, 'of the lab', false, false, 1300],
  );
  assert.equal(changed.subnets[0]?.cidr, '10.60.0.0/24');
  const wrong = UpdateNetworkRequest.fromPartial({
    id,
    name: ' ',
    description: 'x'.repeat(181),
    shared: true,
  });
  const refused = await failureOf(networking.updateNetwork(wrong, options));
  assert.deepEqual(fieldsOf(refused), ['name', 'description', 'shared']);
  const large = UpdateNetworkRequest.fromPartial({ id, mtu: 90_000 });
  assert.match((await failureOf(networking.updateNetwork(large, options))).message, /maximum is \d+/);
  const share = UpdateNetworkRequest.fromPartial({ id, shared: true });
  assert.equal((await networking.updateNetwork(share, admin.options)).shared, true);
  const stranger = await contract.user();
  assert.equal((await networking.getNetwork({ id }, stranger.options)).networkName, name);
  assert.equal((await failureOf(networking.updateNetwork(changes, stranger.options))).code, 'NOT_FOUND');
  await networking.updateNetwork(UpdateNetworkRequest.fromPartial({ id, shared: false }), admin.options);
  assert.equal((await failureOf(networking.getNetwork({ id }, stranger.options))).code, 'NOT_FOUND');
});

test('only admins choose the wire of a network, and a VLAN is given once', async () => {
  const { client } = contract;
  const user = owner;
  const { projectId } = await lan(contract, user);
  const wish = CreateNetworkRequest.fromPartial({
    networkName: contract.name('vlan'),
    projectId,
    cidr: '10.61.0.0/24',
    providerNetworkType: 'vlan',
    physicalNetwork: 'physnet2',
    segmentationId: 3100 + Math.floor(Math.random() * 800),
  });
  const refused = await failureOf(client.createNetwork(wish, user.options));
  assert.deepEqual(fieldsOf(refused), ['provider_network_type', 'physical_network', 'segmentation_id']);
  const odd = await failureOf(client.createNetwork({ ...wish, providerNetworkType: 'odd' }, admin.options));
  assert.deepEqual(fieldsOf(odd), ['provider_network_type']);
  assert.match(odd.message, /flat, geneve, gre, local, vlan, vxlan/);
  const { id } = await client.createNetwork(wish, admin.options);
  const seen = await networking.getNetwork({ id }, admin.options);
  assert.deepEqual(
    [seen.projectId, seen.providerNetworkType, seen.physicalNetwork, seen.segmentationId],
    [projectId, 'vlan', 'physnet2', wish.segmentationId],
  );
  assert.equal((await networking.getNetwork({ id }, user.options)).providerNetworkType, '');
  const taken = await failureOf(client.createNetwork(wish, admin.options));
  assert.deepEqual([taken.code, taken.reason], ['ALREADY_EXISTS', 'VLAN_IN_USE']);
});

test('a second subnet of IPv6 makes a network dual stack, and ports get an address of each', async () => {
  const user = owner;
  const { options } = user;
  const { networkId, subnetId } = await lan(contract, user);
  const wish = subnet({
    networkId,
    name: contract.name('six'),
    cidr: 'fd00:60::/64',
    description: 'the new one',
  });
  const six = await networking.createSubnet(wish, options);
  assert.deepEqual(
    [six.ipVersion, six.ipv6Mode, six.description, six.dnsNameservers],
    [6, 'dhcpv6-stateful', 'the new one', []],
  );
  const { fixedIps } = await networking.createPort(port({ networkId }), options);
  assert.deepEqual(fixedIps.map((ip) => ip.subnetId).sort(), [subnetId, six.id].sort());
  const list = (fields: Partial<ListSubnetsRequest>) =>
    networking.listSubnets(ListSubnetsRequest.fromPartial({ networkId, ...fields }), options);
  const ids = async (fields: Partial<ListSubnetsRequest>) => (await list(fields)).subnets.map(({ id }) => id);
  assert.deepEqual(await ids({ ipVersion: 6 }), [six.id]);
  assert.deepEqual(await ids({ cidr: '10.60.0.0/24' }), [subnetId]);
  assert.deepEqual(await ids({ name: wish.name }), [six.id]);
  const first = await list({ pageSize: 1 });
  const second = await list({ pageSize: 1, pageToken: first.nextPageToken });
  assert.deepEqual(
    [...first.subnets, ...second.subnets].map(({ id }) => id).sort(),
    [subnetId, six.id].sort(),
  );
  assert.equal(second.nextPageToken, '');
});

test('a subnet has the pools, routes, gateway and name servers asked for, and other ones later', async () => {
  const user = owner;
  const { options } = user;
  const { networkId } = await lan(contract, user);
  const made = await networking.createSubnet(
    subnet({
      networkId,
      cidr: '10.62.0.0/24',
      gatewayIp: '10.62.0.254',
      enableDhcp: false,
      dnsNameservers: ['1.1.1.1', '9.9.9.9'],
      allocationPools: [{ start: '10.62.0.10', end: '10.62.0.20' }],
      hostRoutes: [{ destination: '10.99.0.0/16', nexthop: '10.62.0.9' }],
    }),
    options,
  );
  assert.deepEqual(made.allocationPools, [{ start: '10.62.0.10', end: '10.62.0.20' }]);
  assert.deepEqual(made.hostRoutes, [{ destination: '10.99.0.0/16', nexthop: '10.62.0.9' }]);
  assert.deepEqual([made.gatewayIp, made.enableDhcp], ['10.62.0.254', false]);
  const change = (fields: Parameters<typeof UpdateSubnetRequest.fromPartial>[0]) =>
    networking.updateSubnet(UpdateSubnetRequest.fromPartial({ id: made.id, ...fields }), options);
  const changed = await change({
    name: 'other',
    gatewayIp: '',
    enableDhcp: true,
    dnsNameservers: ['8.8.8.8'],
    allocationPools: [{ start: '10.62.0.30', end: '10.62.0.40' }],
    updateMask: ['host_routes'],
  });
  assert.deepEqual(
    [changed.name, changed.gatewayIp, changed.enableDhcp, changed.dnsNameservers, changed.hostRoutes],
    ['other', '', true, ['8.8.8.8'], []],
  );
  assert.deepEqual(changed.allocationPools, [{ start: '10.62.0.30', end: '10.62.0.40' }]);
  const inPool = await failureOf(change({ gatewayIp: '10.62.0.35' }));
  assert.deepEqual(fieldsOf(inPool), ['allocation_pools[0]']);
  assert.equal((await change({ gatewayIp: '10.62.0.1' })).gatewayIp, '10.62.0.1');
});

test('every mistake in a subnet is told', async () => {
  const user = owner;
  const { networkId } = await lan(contract, user);
  const wrong = subnet({
    networkId,
    cidr: '10.63.0.0/24',
    gatewayIp: '10.64.0.1',
    dnsNameservers: ['1.1.1.1', '1.1.1.1'],
    allocationPools: [
      { start: '10.63.0.9', end: '10.63.0.5' },
      { start: '10.63.1.1', end: '10.63.0.5' },
    ],
    hostRoutes: [{ destination: '10.99.0.1/16', nexthop: 'fd00::1' }],
    ipv6Mode: 'slaac',
  });
  const failure = await failureOf(networking.createSubnet(wrong, user.options));
  assert.deepEqual(fieldsOf(failure), [
    'gateway_ip',
    'dns_nameservers[1]',
    'allocation_pools[0]',
    'allocation_pools[1]',
    'host_routes[0].destination',
    'host_routes[0].nexthop',
    'ipv6_mode',
  ]);
  const overlap = await failureOf(
    networking.createSubnet(subnet({ networkId, cidr: '10.60.0.0/25' }), user.options),
  );
  assert.deepEqual(fieldsOf(overlap), ['cidr']);
  assert.match(overlap.message, /overlaps with what the network has already: 10\.60\.0\.0\/24/);
  const nowhere = await failureOf(networking.createSubnet(subnet({ cidr: '10.60.0.0/25' }), user.options));
  assert.deepEqual(fieldsOf(nowhere), ['network_id']);
});

test('a subnet that ports have addresses of stays, and goes when they have gone', async () => {
  const user = owner;
  const { options } = user;
  const { networkId, subnetId: id } = await lan(contract, user);
  const { id: portId } = await networking.createPort(port({ networkId }), options);
  const failure = await failureOf(networking.deleteSubnet({ id }, options));
  assert.deepEqual([failure.code, failure.reason], ['ABORTED', 'SUBNET_IN_USE']);
  assert.match(failure.message, /1 port/);
  await networking.deletePort({ id: portId }, options);
  await networking.deleteSubnet({ id }, options);
  assert.equal((await failureOf(networking.deleteSubnet({ id }, options))).reason, 'SUBNET_NOT_FOUND');
});

test('a port has the addresses, MAC and pairs asked for, and is found by them', async () => {
  const user = owner;
  const { options } = user;
  const { networkId, subnetId } = await lan(contract, user);
  const macAddress = 'fa:16:3e:aa:bb:01';
  const wish = port({
    networkId,
    name: contract.name('chosen'),
    description: 'kept for the firewall',
    fixedIps: [{ ipAddress: '10.60.0.50' }],
    macAddress: macAddress.toUpperCase(),
    allowedAddressPairs: [{ ipAddress: '10.70.0.0/16' }],
    securityGroups: ['default'],
  });
  const made = await networking.createPort(wish, options);
  assert.deepEqual(made.fixedIps, [{ subnetId, ipAddress: '10.60.0.50' }]);
  assert.deepEqual(made.allowedAddressPairs, [{ ipAddress: '10.70.0.0/16', macAddress }]);
  assert.deepEqual(
    [made.macAddress, made.status, made.description, made.securityGroups.length, made.portSecurityEnabled],
    [macAddress, 'down', 'kept for the firewall', 1, true],
  );
  for (const filter of [{ macAddress }, { ipAddress: '10.60.0.50' }, { name: wish.name }]) {
    const request = ListPortsRequest.fromPartial({ networkId, ...filter });
    const { ports } = await networking.listPorts(request, options);
    assert.deepEqual(
      ports.map(({ id }) => id),
      [made.id],
      JSON.stringify(filter),
    );
  }
  const taken = await failureOf(networking.createPort({ ...wish, macAddress: '' }, options));
  assert.deepEqual([taken.code, taken.reason], ['ALREADY_EXISTS', 'ADDRESS_IN_USE']);
});

test('port security goes off with what needs it, and the rest of a port changes too', async () => {
  const user = owner;
  const { options } = user;
  const { networkId, subnetId } = await lan(contract, user);
  const pairs = [{ ipAddress: '10.70.0.1' }];
  const { id } = await networking.createPort(port({ networkId, allowedAddressPairs: pairs }), options);
  const change = (fields: Parameters<typeof UpdatePortRequest.fromPartial>[0]) =>
    networking.updatePort(UpdatePortRequest.fromPartial({ id, ...fields }), options);
  const open = await change({ portSecurityEnabled: false });
  assert.deepEqual(
    [open.portSecurityEnabled, open.securityGroups, open.allowedAddressPairs],
    [false, [], []],
  );
  const needs = await failureOf(change({ securityGroups: ['default'] }));
  assert.deepEqual(fieldsOf(needs), ['security_groups']);
  const back = await change({ portSecurityEnabled: true, securityGroups: ['default'] });
  assert.equal(back.securityGroups.length, 1);
  assert.deepEqual((await change({ updateMask: ['security_groups'] })).securityGroups, []);
  const moved = await change({ name: 'moved', adminStateUp: false, fixedIps: [{ ipAddress: '10.60.0.77' }] });
  assert.deepEqual(
    [moved.name, moved.adminStateUp, moved.fixedIps],
    ['moved', false, [{ subnetId, ipAddress: '10.60.0.77' }]],
  );
  const more = await change({ fixedIps: [{ subnetId }] });
  assert.deepEqual(more.fixedIps, [{ subnetId, ipAddress: '10.60.0.77' }]);
  assert.deepEqual((await change({ updateMask: ['fixed_ips'] })).fixedIps, []);
});

test('every mistake in a port is told, with the names that exist', async () => {
  const user = owner;
  const { networkId } = await lan(contract, user);
  const wrong = port({
    networkId,
    fixedIps: [{}, { ipAddress: '10.61.0.1' }, { subnetId: 'nowhere' }],
    macAddress: '01:16:3e:aa:bb:01',
    allowedAddressPairs: [{ ipAddress: 'x' }],
    portSecurityEnabled: false,
    securityGroups: ['nogroup'],
  });
  const failure = await failureOf(networking.createPort(wrong, user.options));
  assert.deepEqual(fieldsOf(failure), [
    'fixed_ips[0]',
    'fixed_ips[1].ip_address',
    'fixed_ips[2].subnet_id',
    'mac_address',
    'allowed_address_pairs[0].ip_address',
    'security_groups',
    'allowed_address_pairs',
    'security_groups[0]',
  ]);
  assert.match(failure.message, /"nogroup" does not exist; there are: default/);
});

test('a network without addresses left says so', async () => {
  const user = owner;
  const { options } = user;
  const { networkId } = await lan(contract, user, { cidr: '10.65.0.0/29', enableDhcp: false });
  await Promise.all([1, 2, 3, 4, 5].map(() => networking.createPort(port({ networkId }), options)));
  const failure = await failureOf(networking.createPort(port({ networkId }), options));
  assert.deepEqual([failure.code, failure.reason], ['RESOURCE_EXHAUSTED', 'ADDRESSES_EXHAUSTED']);
});
