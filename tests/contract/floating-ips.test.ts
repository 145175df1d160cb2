import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AssociateFloatingIpRequest,
  CreateFloatingIpRequest,
  CreatePortRequest,
  ListFloatingIpsRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { CreateInstanceRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import {
  type Contract,
  type ContractUser,
  failureOf,
  isRealCloud,
  startContract,
  until,
} from './contract.ts';
import { connectNetworking, lan, type NetworkingClient, wayOutside } from './networking.ts';

let contract: Contract;
let networking: NetworkingClient & { close(): void };
let owner: ContractUser;
let way: Awaited<ReturnType<typeof wayOutside>>;
before(async () => {
  contract = await startContract();
  networking = connectNetworking(contract);
  owner = await contract.user();
  way = await wayOutside(contract, networking, owner);
});
after(async () => {
  networking.close();
  await contract.close();
});

const wish = (fields: Partial<CreateFloatingIpRequest>) => CreateFloatingIpRequest.fromPartial(fields);
const to = (fields: Partial<AssociateFloatingIpRequest>) => AssociateFloatingIpRequest.fromPartial(fields);
const list = (fields: Partial<ListFloatingIpsRequest>) =>
  networking.listFloatingIps(ListFloatingIpsRequest.fromPartial(fields), owner.options);

test('a floating IP is taken, led to a port and away from it, found, and given back', async () => {
  const { options } = owner;
  const { portId } = way;
  const made = await networking.createFloatingIp(wish({ description: 'for the web' }), options);
  const { id } = made;
  assert.deepEqual([made.status, made.portId, made.description], ['down', '', 'for the web']);
  assert.match(made.floatingIpAddress, /^\d+\.\d+\.\d+\.\d+$/);
  const led = await networking.associateFloatingIp(to({ id, portId }), options);
  assert.deepEqual([led.portId, led.routerId], [portId, way.routerId]);
  assert.match(led.fixedIpAddress, /^10\.60\.0\./);
  await until(
    async () => (await networking.getFloatingIp({ id }, options)).status === 'active',
    'the floating IP is active',
  );
  for (const description of ['for the mail', '']) {
    const described = await networking.updateFloatingIp({ id, description }, options);
    assert.deepEqual(
      [described.description, described.portId],
      [description, portId],
      'it leads there still',
    );
    assert.equal((await networking.updateFloatingIp({ id }, options)).description, description);
  }
  const long = await failureOf(networking.updateFloatingIp({ id, description: 'x'.repeat(181) }, options));
  assert.deepEqual(
    long.violations.map(({ field }) => field),
    ['description'],
  );
  const again = await networking.associateFloatingIp(to({ id, portId }), options);
  assert.equal(again.status, 'active');
  for (const filter of [{ portId }, { ipAddress: made.floatingIpAddress }, { status: 'active' }]) {
    const { floatingIps } = await list(filter);
    assert.deepEqual(
      floatingIps.map((one) => one.id),
      [id],
      JSON.stringify(filter),
    );
  }
  for (let count = 0; count < 2; count += 1) {
    assert.equal((await networking.disassociateFloatingIp({ id }, options)).portId, '');
  }
  await networking.deleteFloatingIp({ id }, options);
  const gone = await failureOf(networking.deleteFloatingIp({ id }, options));
  assert.equal(gone.reason, 'FLOATING_IP_NOT_FOUND');
});

test('a floating IP made for a port goes through the port’s own router, and holds that in place', async () => {
  const { options } = owner;
  const { portId, routerId, subnetId } = way;
  const made = await networking.createFloatingIp(wish({ portId }), options);
  const { id, floatingNetworkId, floatingIpAddress } = made;
  const router = await networking.getRouter({ id: routerId }, options);
  assert.equal(floatingNetworkId, router.externalGateway?.networkId);
  const second = await failureOf(networking.createFloatingIp(wish({ portId }), options));
  assert.deepEqual([second.code, second.reason], ['ALREADY_EXISTS', 'FLOATING_IP_PRESENT']);
  assert(second.message.includes(`has floating IP ${floatingIpAddress} already`), second.message);
  assert.equal((await list({})).floatingIps.length, 1, 'both or neither');
  const gateway = await failureOf(networking.clearRouterGateway({ id: routerId }, options));
  assert.deepEqual([gateway.code, gateway.reason], ['ABORTED', 'ROUTER_GATEWAY_IN_USE']);
  const foot = { id: routerId, subnetId, portId: '' };
  const interfaceHeld = await failureOf(networking.removeRouterInterface(foot, options));
  assert.deepEqual([interfaceHeld.code, interfaceHeld.reason], ['ABORTED', 'ROUTER_INTERFACE_IN_USE']);
  assert.match(interfaceHeld.message, /floating IPs/);
  await networking.deleteFloatingIp({ id }, options);
});

test('a port with two addresses is asked which one is meant', async () => {
  const { options } = owner;
  const { networkId } = way;
  const fixedIps = [{ ipAddress: '10.60.0.201' }, { ipAddress: '10.60.0.202' }];
  const request = CreatePortRequest.fromPartial({ networkId, fixedIps });
  const { id: portId } = await networking.createPort(request, options);
  const unclear = await failureOf(networking.createFloatingIp(wish({ portId }), options));
  assert.deepEqual(
    unclear.violations.map(({ field }) => field),
    ['fixed_ip_address'],
  );
  assert.match(unclear.message, /10\.60\.0\.201 and 10\.60\.0\.202/);
  const chosen = wish({ portId, fixedIpAddress: '10.60.0.202' });
  const { id, fixedIpAddress } = await networking.createFloatingIp(chosen, options);
  assert.equal(fixedIpAddress, '10.60.0.202');
  await networking.deletePort({ id: portId }, options);
  const left = await networking.getFloatingIp({ id }, options);
  assert.deepEqual([left.portId, left.fixedIpAddress], ['', ''], 'it outlives its port');
  await networking.deleteFloatingIp({ id }, options);
});

test('where no router leads outside, no floating IP is left behind', async () => {
  const { options } = owner;
  const { networkId } = await lan(contract, owner, { cidr: '10.67.0.0/24' });
  const { id: portId } = await networking.createPort(CreatePortRequest.fromPartial({ networkId }), options);
  const failure = await failureOf(networking.createFloatingIp(wish({ portId }), options));
  assert.deepEqual([failure.code, failure.reason], ['FAILED_PRECONDITION', 'NO_WAY_OUTSIDE']);
  const unknown = await failureOf(networking.createFloatingIp(wish({ externalNetwork: 'moon' }), options));
  assert.deepEqual(
    unknown.violations.map(({ field }) => field),
    ['external_network'],
  );
  assert.deepEqual((await list({})).floatingIps, []);
});

test('a floating IP whose making ends in the dark is found again, or given back', {
  skip: isRealCloud,
}, async () => {
  const { options } = owner;
  const { portId } = way;
  const faults = new URL('/_sandbox/faults', contract.environment.OPENSTACK_AUTH_URL);
  const strike = async (fields: object) => {
    const match = { service: 'network', method: 'POST', path: '/floatingips$' };
    const body = JSON.stringify({ match, ...fields });
    assert.equal((await fetch(faults, { method: 'POST', body })).ok, true);
  };
  for (const fields of [{ effect: 'error-after', status: 500 }, { effect: 'drop-after' }]) {
    await strike(fields);
    const { id, description } = await networking.createFloatingIp(
      wish({ portId, description: 'a b' }),
      options,
    );
    assert.equal(description, 'a b');
    assert.deepEqual(
      (await list({})).floatingIps.map((one) => [one.id, one.portId, one.description]),
      [[id, portId, 'a b']],
      fields.effect,
    );
    await networking.deleteFloatingIp({ id }, options);
  }

  await strike({ effect: 'error-before', status: 500 });
  assert.equal((await failureOf(networking.createFloatingIp(wish({}), options))).code, 'UNAVAILABLE');
  assert.deepEqual((await list({})).floatingIps, []);

  // Who has left hears of nothing: what is made later is nobody's.
  await strike({ effect: 'delay-after', delay_ms: 2_000 });
  const removals = () => contract.counts()['DELETE network /floatingips/{id}'] ?? 0;
  const before = removals();
  const left = await failureOf(networking.createFloatingIp(wish({}), { ...options, timeoutMs: 300 }));
  assert.equal(left.code, 'DEADLINE_EXCEEDED');
  await until(async () => removals() > before, 'the floating IP is given back');
  assert.deepEqual((await list({})).floatingIps, []);

  await strike({ effect: 'drop-after' });
  await strike({
    match: { service: 'network', method: 'GET', path: '/floatingips$' },
    effect: '429',
    times: 9,
  });
  const unclear = await failureOf(networking.createFloatingIp(wish({}), options));
  await fetch(faults, { method: 'DELETE' });
  assert.match(unclear.message, /may have been taken all the same: look at the list/);
  const [found] = (await list({})).floatingIps;
  assert(found, 'it is the owner’s, who sees it');
  await networking.deleteFloatingIp({ id: found.id }, options);
});

test('an instance is reached by its own id', async () => {
  const { client } = contract;
  const { options } = owner;
  const vm = {
    instanceName: contract.name('vm'),
    imageId: 'cirros',
    flavorId: 'nano',
    networks: [way.networkId],
  };
  const { id: instanceId } = await client.createInstance(CreateInstanceRequest.fromPartial(vm), options);
  await until(
    async () => (await client.getInstance({ id: instanceId }, options)).status === 'active',
    'the instance runs',
  );
  const made = await networking.createFloatingIp(wish({}), options);
  const led = await networking.associateFloatingIp(to({ id: made.id, instanceId }), options);
  const port = await networking.getPort({ id: led.portId }, options);
  assert.equal(port.deviceId, instanceId);
  await networking.deleteFloatingIp({ id: made.id }, options);
});

test('floating IPs are read in pages, by address', async () => {
  const { options } = owner;
  const made: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    made.push((await networking.createFloatingIp(wish({}), options)).id);
  }
  const first = await list({ pageSize: 2 });
  const second = await list({ pageSize: 2, pageToken: first.nextPageToken });
  assert.deepEqual([first.floatingIps.length, second.floatingIps.length], [2, 1]);
  assert.deepEqual([...first.floatingIps, ...second.floatingIps].map(({ id }) => id).sort(), made.sort());
  for (const id of made) await networking.deleteFloatingIp({ id }, options);
});

test('more floating IPs than the quota allows are refused as such', async () => {
  const { cloud, within } = contract;
  await cloud.project('home').neutron.setQuotas(way.projectId, { floatingip: 0 }, within);
  const failure = await failureOf(networking.createFloatingIp(wish({}), owner.options));
  assert.deepEqual([failure.code, failure.reason], ['RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED']);
});
