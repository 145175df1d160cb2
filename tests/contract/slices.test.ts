import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  DeploySliceRequest,
  ListAvailabilityZonesRequest,
  ListInstancesRequest,
  ListNetworksRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, type ContractUser, failureOf, startContract, until } from './contract.ts';
import { NOTHING, remains, slice } from './slice.ts';

let contract: Contract;
let owner: ContractUser;
before(async () => {
  contract = await startContract();
  owner = await contract.user();
});
after(() => contract.close());

test('a slice is deployed, answers in the original’s shape, and leaves nothing when it is destroyed', async () => {
  const { client } = contract;
  const { options } = owner;
  const id = contract.name('whole');
  const { availabilityZones } = await client.listAvailabilityZones(
    ListAvailabilityZonesRequest.fromPartial({}),
    options,
  );
  const availabilityZone = Object.keys(availabilityZones)[0] ?? '';
  const placement = { vm1: { availabilityZone, projectId: '' } };
  const deployed = await client.deploySlice({ ...slice({ id, vms: 2 }), placement }, options);
  assert.equal(deployed.sliceId, id);
  assert.equal(deployed.status, 'deployed');
  assert.deepEqual(
    deployed.deployedVms.map(({ name, originalName, status, flavorId, imageId }) => ({
      name,
      originalName,
      status,
      flavorId,
      imageId,
    })),
    ['vm1', 'vm2'].map((name) => ({
      name,
      originalName: `lab-${name}`,
      status: 'active',
      flavorId: 'small',
      imageId: 'ubuntu-20.04',
    })),
  );
  for (const { privateIp } of deployed.deployedVms) assert.match(privateIp, /^192\.168\.100\.\d+$/);
  const placed = deployed.deployedVms[0]?.placement;
  assert.equal(placed?.availabilityZone, availabilityZone);
  assert.notEqual(placed?.projectId, '');
  const [network] = deployed.createdNetworks;
  assert.equal(network?.name, 'net1');
  assert.equal(network.cidr, '192.168.100.0/24');

  const listed = await client.listInstances(ListInstancesRequest.fromPartial({ sliceId: id }), options);
  assert.equal(listed.instances.length, 2);
  const lans = await client.listNetworks(ListNetworksRequest.fromPartial({ sliceId: id }), options);
  assert.deepEqual(
    lans.networks.map((one) => [one.id, one.subnetId]),
    [[network.networkId, network.subnetId]],
  );
  assert.deepEqual(await remains(contract, id), {
    servers: 2,
    networks: 1,
    subnets: 1,
    ports: 2,
    routers: 0,
  });

  const again = await client.deploySlice(slice({ id, vms: 2 }), options);
  assert.deepEqual(
    again.deployedVms.map((vm) => vm.id),
    deployed.deployedVms.map((vm) => vm.id),
    'deploying again changes nothing',
  );
  const fewer = await client.deploySlice(slice({ id, vms: 1 }), options);
  assert.deepEqual(
    fewer.deployedVms.map((vm) => vm.id),
    [deployed.deployedVms[0]?.id],
  );

  await client.destroySlice({ sliceId: id }, options);
  assert.deepEqual(await remains(contract, id), NOTHING);
  const gone = await client.destroySlice({ sliceId: id }, options);
  assert.match(gone.message, /nothing/);
});

test('a slice that reaches the outside has a router, which goes with it', async () => {
  const { client } = contract;
  const id = contract.name('outside');
  await client.deploySlice(slice({ id, internet: true, cidr: '10.50.0.0/24' }), owner.options);
  assert.deepEqual(await remains(contract, id), {
    servers: 1,
    networks: 1,
    subnets: 1,
    ports: 1,
    routers: 1,
  });
  await client.destroySlice({ sliceId: id }, owner.options);
  assert.deepEqual(await remains(contract, id), NOTHING);
});

test('every mistake of a slice is told at once, before anything is made', async () => {
  const { client } = contract;
  const fresh = await contract.user();
  const request = DeploySliceRequest.fromPartial({
    sliceConfig: {
      id: 'a/b',
      name: '',
      nodes: [
        { name: 'vm1', image: 'cirros', flavor: 'nano', networks: ['elsewhere'] },
        { name: 'vm1', image: 'cirros', flavor: 'nano' },
      ],
      networks: [{ name: 'net1', cidr: '10.0.0.0/33', vlanId: 7 }],
    },
    placement: { vm9: { availabilityZone: 'nova' } },
  });
  const failure = await failureOf(client.deploySlice(request, fresh.options));
  assert.equal(failure.code, 'INVALID_ARGUMENT');
  const fields = failure.violations.map(({ field }) => field);
  for (const field of [
    'slice_config.id',
    'placement.vm9',
    'slice_config.networks[0].vlan_id',
    'slice_config.name',
    'slice_config.nodes[1].name',
    'slice_config.networks[0].cidr',
  ]) {
    assert(fields.includes(field), `${field} is not in ${fields.join(', ')}`);
  }
  const unknown = await failureOf(client.deploySlice(slice({ image: 'windows-3.11' }), fresh.options));
  assert.equal(unknown.code, 'INVALID_ARGUMENT');
  assert.equal(unknown.violations[0]?.field, 'slice_config.nodes[0].image');
  assert.match(unknown.message, /windows-3\.11.*there are: .*ubuntu-20\.04/);
  const { projects } = await client.listProjects({ pageSize: 0, pageToken: '' }, fresh.options);
  assert.deepEqual(projects, []);
});

test('a slice over quota is refused as such and leaves nothing', async () => {
  const { client, cloud, within } = contract;
  const tight = await contract.user();
  const { createdNetworks, deployedVms } = await client.deploySlice(
    slice({ id: contract.name('fits') }),
    tight.options,
  );
  assert.equal(createdNetworks.length, 1);
  const projectId = deployedVms[0]?.placement?.projectId ?? '';
  await cloud.project('home').nova.setQuotas(projectId, { instances: 2 }, within);
  const id = contract.name('too-much');
  const failure = await failureOf(
    client.deploySlice(slice({ id, vms: 2, cidr: '10.60.0.0/24' }), tight.options),
  );
  assert.equal(failure.code, 'RESOURCE_EXHAUSTED', failure.message);
  assert.equal(failure.reason, 'QUOTA_EXCEEDED');
  assert.equal(failure.metadata.slice_id, id);
  assert.deepEqual(await remains(contract, id), NOTHING);
});

test('a slice whose caller leaves in the middle is removed', async () => {
  const { client } = contract;
  const id = contract.name('left');
  const leaving = new AbortController();
  const call = client.deploySlice(slice({ id, vms: 3, cidr: '10.70.0.0/24' }), {
    ...owner.options,
    signal: leaving.signal,
  });
  const failed = failureOf(call);
  await until(async () => ((await remains(contract, id)).networks ?? 0) > 0, 'the network is made');
  leaving.abort();
  assert.equal((await failed).code, 'CANCELLED');
  let quiet = 0;
  await until(async () => {
    const left = Object.values(await remains(contract, id)).reduce((sum, count) => sum + count, 0);
    quiet = left === 0 ? quiet + 1 : 0;
    return quiet > 3;
  }, 'nothing remains');
});

test('the same id is another slice for another user, and nobody destroys what is not theirs', async () => {
  const { client } = contract;
  const other = await contract.user();
  const id = contract.name('same');
  const mine = await client.deploySlice(slice({ id, cidr: '10.80.0.0/24' }), owner.options);
  const answer = await client.destroySlice({ sliceId: id }, other.options);
  assert.match(answer.message, /nothing/);
  const theirs = await client.deploySlice(slice({ id, cidr: '10.80.0.0/24' }), other.options);
  assert.notEqual(theirs.deployedVms[0]?.id, mine.deployedVms[0]?.id);
  await client.destroySlice({ sliceId: id }, other.options);
  const { status } = await client.getInstance({ id: mine.deployedVms[0]?.id ?? '' }, owner.options);
  assert.equal(status, 'active');
});
