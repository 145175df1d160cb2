// What only some may change of ports and subnets, and not always: MAC addresses, and DHCP of IPv6.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreatePortRequest,
  CreateSubnetRequest,
  ListPortsRequest,
  UpdatePortRequest,
  UpdateSubnetRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { CreateInstanceRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, type ContractUser, failureOf, startContract, until } from './contract.ts';
import { connectNetworking, lan, type NetworkingClient } from './networking.ts';

let contract: Contract;
let networking: NetworkingClient & { close(): void };
let admin: ContractUser;
let owner: ContractUser;
let place: Awaited<ReturnType<typeof lan>>;
before(async () => {
  contract = await startContract();
  networking = connectNetworking(contract);
  admin = await contract.user('admin');
  owner = await contract.user();
  place = await lan(contract, owner);
});
after(async () => {
  networking.close();
  await contract.close();
});

const changeMac = (id: string, macAddress: string, { options }: ContractUser) =>
  networking.updatePort(UpdatePortRequest.fromPartial({ id, macAddress }), options);
const fieldsOf = (failure: { violations: readonly { field: string }[] }) =>
  failure.violations.map(({ field }) => field);

test('an admin changes a port’s MAC address, its owner is told what to do instead', async () => {
  const { options } = owner;
  const { networkId } = place;
  const make = () => networking.createPort(CreatePortRequest.fromPartial({ networkId }), options);
  const slaac = { networkId, cidr: 'fd00:a::/64', ipv6Mode: 'slaac' };
  await networking.createSubnet(CreateSubnetRequest.fromPartial(slaac), options);
  const [port, other] = [await make(), await make()];
  const wish = 'FA:16:3E:AA:CC:01';
  const refused = await failureOf(changeMac(port.id, wish, owner));
  assert.deepEqual(fieldsOf(refused), ['mac_address']);
  assert.match(refused.message, /only admins change it: make a new port/);
  assert.equal((await changeMac(port.id, port.macAddress.toUpperCase(), owner)).macAddress, port.macAddress);
  const fixedIps = [{ ipAddress: 'fd00:a::5' }];
  const chosen = CreatePortRequest.fromPartial({ networkId, fixedIps });
  const automatic = await failureOf(networking.createPort(chosen, options));
  assert.deepEqual(fieldsOf(automatic), ['fixed_ips[0].ip_address']);
  const changed = await changeMac(port.id, wish, admin);
  assert.equal(changed.macAddress, wish.toLowerCase());
  const [four, six] = changed.fixedIps.map((ip) => ip.ipAddress).toSorted();
  assert.deepEqual(
    [four, six],
    [port.fixedIps[0]?.ipAddress, 'fd00:a::f816:3eff:feaa:cc01'],
    'SLAAC follows it',
  );
  const taken = await failureOf(changeMac(other.id, wish, admin));
  assert.deepEqual([taken.code, taken.reason], ['ALREADY_EXISTS', 'ADDRESS_IN_USE']);
  assert.deepEqual(fieldsOf(await failureOf(changeMac(port.id, '01:00:5e:00:00:01', admin))), [
    'mac_address',
  ]);
});

test('the MAC address of an instance’s port stays while it has the port', async () => {
  const { client } = contract;
  const { options } = owner;
  const vm = {
    instanceName: contract.name('vm'),
    imageId: 'cirros',
    flavorId: 'nano',
    networks: [place.networkId],
  };
  const { id } = await client.createInstance(CreateInstanceRequest.fromPartial(vm), options);
  await until(async () => (await client.getInstance({ id }, options)).status === 'active', 'it runs');
  const { ports } = await networking.listPorts(ListPortsRequest.fromPartial({ deviceId: id }), options);
  const failure = await failureOf(changeMac(ports[0]?.id ?? '', 'fa:16:3e:aa:cc:02', admin));
  assert.deepEqual([failure.code, failure.reason], ['FAILED_PRECONDITION', 'PORT_BOUND']);
  assert.match(failure.message, new RegExp(`in use by instance ${id}: detach it`));
});

test('a subnet of IPv6 keeps its DHCP and its IP version, and has the mode asked for', async () => {
  const { options } = owner;
  const make = (fields: Partial<CreateSubnetRequest>) =>
    networking.createSubnet(
      CreateSubnetRequest.fromPartial({ networkId: place.networkId, ...fields }),
      options,
    );
  for (const [at, ipv6Mode] of ['slaac', 'dhcpv6-stateless', 'dhcpv6-stateful'].entries()) {
    const cidr = `fd00:${at + 1}::/64`;
    const made = await make({ cidr, ipv6Mode, dnsNameservers: ['2001:db8::1'] });
    assert.deepEqual(
      [made.ipv6Mode, made.enableDhcp, made.dnsNameservers],
      [ipv6Mode, true, ['2001:db8::1']],
    );
    const change = UpdateSubnetRequest.fromPartial({
      id: made.id,
      enableDhcp: false,
      dnsNameservers: ['9.9.9.9'],
    });
    const failure = await failureOf(networking.updateSubnet(change, options));
    assert.deepEqual(fieldsOf(failure), ['dns_nameservers[0]', 'enable_dhcp']);
    const routes = [{ destination: 'fd00:ff::/64', nexthop: `fd00:${at + 1}::9` }];
    const rest = UpdateSubnetRequest.fromPartial({
      id: made.id,
      hostRoutes: routes,
      dnsNameservers: ['fd00::1'],
    });
    const changed = await networking.updateSubnet(rest, options);
    assert.deepEqual([changed.hostRoutes, changed.dnsNameservers], [routes, ['fd00::1']]);
  }
  const silent = await make({ cidr: 'fd00:4::/64', enableDhcp: false });
  assert.deepEqual([silent.ipv6Mode, silent.enableDhcp], ['', false]);
  assert.deepEqual(fieldsOf(await failureOf(make({ cidr: 'fd00:5::/80', ipv6Mode: 'slaac' }))), [
    'ipv6_mode',
  ]);
});
