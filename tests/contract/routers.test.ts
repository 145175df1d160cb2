import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreatePortRequest,
  CreateRouterRequest,
  ListPortsRequest,
  ListRoutersRequest,
  UpdatePortRequest,
  UpdateRouterRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { ListNetworksRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, type ContractUser, failureOf, startContract, until } from './contract.ts';
import { connectNetworking, lan, type NetworkingClient } from './networking.ts';

let contract: Contract;
let networking: NetworkingClient & { close(): void };
/** One for all tests: a project takes a real cloud seconds. */
let owner: ContractUser;
before(async () => {
  contract = await startContract();
  networking = connectNetworking(contract);
  owner = await contract.user();
});
after(async () => {
  networking.close();
  await contract.close();
});

const port = (fields: Parameters<typeof CreatePortRequest.fromPartial>[0]) =>
  CreatePortRequest.fromPartial(fields);
const fieldsOf = (failure: { violations: readonly { field: string }[] }) =>
  failure.violations.map(({ field }) => field);

test('ports of DHCP and routers are shown, but theirs to change and to delete', async () => {
  const user = owner;
  const { options } = user;
  const { networkId, subnetId } = await lan(contract, user);
  const router = await networking.createRouter(CreateRouterRequest.fromPartial({ name: 'inner' }), options);
  await networking.addRouterInterface({ id: router.id, subnetId, portId: '' }, options);
  const ports = async () =>
    (await networking.listPorts(ListPortsRequest.fromPartial({ networkId }), options)).ports;
  await until(async () => (await ports()).length === 2, 'DHCP and the router have their ports');
  for (const one of await ports()) {
    const isDhcp = one.deviceOwner === 'network:dhcp';
    const failure = await failureOf(networking.deletePort({ id: one.id }, options));
    assert.deepEqual([failure.code, failure.reason], ['FAILED_PRECONDITION', 'PORT_OWNED']);
    assert.match(failure.message, isDhcp ? /belongs to DHCP/ : new RegExp(`belongs to router ${router.id}`));
    const change = UpdatePortRequest.fromPartial({ id: one.id, adminStateUp: false });
    assert.equal((await failureOf(networking.updatePort(change, options))).reason, 'PORT_OWNED');
  }
  const request = ListPortsRequest.fromPartial({ networkId, deviceOwner: 'network:dhcp' });
  assert.equal((await networking.listPorts(request, options)).ports.length, 1);
});

test('a router is made, connected, disconnected and removed, and says what holds it', async () => {
  const user = owner;
  const { options } = user;
  const { networkId, subnetId } = await lan(contract, user);
  const name = contract.name('router');
  const wish = CreateRouterRequest.fromPartial({ name, description: 'in the middle' });
  const { id, externalGateway, description } = await networking.createRouter(wish, options);
  assert.deepEqual([externalGateway, description], [undefined, 'in the middle']);
  const bySubnet = { id, subnetId, portId: '' };
  const connected = await networking.addRouterInterface(bySubnet, options);
  assert.deepEqual(
    connected.interfaces.map((one) => [one.networkId, one.subnetId, one.ipAddress]),
    [[networkId, subnetId, '10.60.0.1']],
  );
  assert.equal((await networking.addRouterInterface(bySubnet, options)).interfaces.length, 1);
  const own = port({ networkId: (await lan(contract, user, { cidr: '10.66.0.0/24' })).networkId });
  const { id: portId } = await networking.createPort(own, options);
  const byPort = { id, subnetId: '', portId };
  assert.equal((await networking.addRouterInterface(byPort, options)).interfaces.length, 2);
  const held = await failureOf(networking.deleteRouter({ id }, options));
  assert.deepEqual([held.code, held.reason], ['ABORTED', 'ROUTER_IN_USE']);
  assert.match(held.message, new RegExp(subnetId));

  const route = { destination: '10.99.0.0/16', nexthop: '10.60.0.9' };
  const change = UpdateRouterRequest.fromPartial({
    id,
    name: `${name}-2`,
    adminStateUp: false,
    routes: [route],
  });
  const changed = await networking.updateRouter(change, options);
  assert.deepEqual([changed.name, changed.adminStateUp, changed.routes], [`${name}-2`, false, [route]]);
  const far = { destination: '10.98.0.0/16', nexthop: '10.200.0.1' };
  const unreached = await failureOf(
    networking.updateRouter(UpdateRouterRequest.fromPartial({ id, routes: [far] }), options),
  );
  assert.deepEqual(fieldsOf(unreached), ['routes']);
  assert.match(unreached.message, /connected to, which it is with: .*10\.60\.0\.1 in subnet/);
  const needed = await failureOf(networking.removeRouterInterface(bySubnet, options));
  assert.deepEqual([needed.code, needed.reason], ['ABORTED', 'ROUTER_INTERFACE_IN_USE']);
  assert.match(needed.message, /routes/);
  await networking.updateRouter(UpdateRouterRequest.fromPartial({ id, updateMask: ['routes'] }), options);
  const { interfaces } = await networking.removeRouterInterface(bySubnet, options);
  assert.equal(interfaces.length, 1);
  await networking.removeRouterInterface(bySubnet, options);
  await networking.removeRouterInterface(byPort, options);
  const request = ListRoutersRequest.fromPartial({ name: `${name}-2` });
  assert.equal((await networking.listRouters(request, options)).routers.length, 1);
  await networking.deleteRouter({ id }, options);
  assert.equal((await failureOf(networking.getRouter({ id }, options))).reason, 'ROUTER_NOT_FOUND');
});

test('a subnet without a gateway is not connected by itself', async () => {
  const user = owner;
  const { options } = user;
  const { subnetId } = await lan(contract, user, { gatewayIp: '' });
  const { id } = await networking.createRouter(CreateRouterRequest.fromPartial({ name: 'r' }), options);
  const failure = await failureOf(networking.addRouterInterface({ id, subnetId, portId: '' }, options));
  assert.deepEqual([failure.code, failure.reason], ['FAILED_PRECONDITION', 'SUBNET_WITHOUT_GATEWAY']);
  const neither = await failureOf(networking.addRouterInterface({ id, subnetId: '', portId: '' }, options));
  assert.deepEqual(fieldsOf(neither), ['subnet_id']);
});

test('a router gets a way outside by the network’s name or without one, and loses it', async () => {
  const user = owner;
  const { options } = user;
  const { networks } = await contract.client.listNetworks(
    ListNetworksRequest.fromPartial({ isExternal: true }),
    options,
  );
  const [outside] = networks;
  assert(outside);
  const { id } = await networking.createRouter(CreateRouterRequest.fromPartial({ name: 'out' }), options);
  const named = { id, externalNetwork: outside.networkName };
  const set = await networking.setRouterGateway(named, options);
  assert.equal(set.externalGateway?.networkId, outside.id);
  assert.equal(set.externalGateway.fixedIps.length, 1);
  const again = await networking.setRouterGateway(named, options);
  assert.deepEqual(again.externalGateway, set.externalGateway);
  assert.equal((await networking.clearRouterGateway({ id }, options)).externalGateway, undefined);
  await networking.clearRouterGateway({ id }, options);
  const unknown = await failureOf(networking.setRouterGateway({ id, externalNetwork: 'moon' }, options));
  assert.deepEqual(fieldsOf(unknown), ['external_network']);
  assert.match(unknown.message, new RegExp(outside.networkName));
});
