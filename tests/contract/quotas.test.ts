// Quotas: limits of all three services together, and what is used of them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Client, connect } from '#common/rpc-client.ts';
import {
  type IdentityServiceServer,
  IdentityServiceService,
  SetQuotasRequest,
} from '#proto/pucp/openstack/v1/identity_service.ts';
import {
  CreateNetworkRequest,
  CreateProjectRequest,
  CreateVolumeRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import {
  type Contract,
  type ContractUser,
  failureOf,
  isRealCloud,
  startContract,
  until,
} from './contract.ts';

let contract: Contract;
let identity: Client<IdentityServiceServer> & { close(): void };
before(async () => {
  contract = await startContract();
  identity = connect<IdentityServiceServer>(IdentityServiceService, contract.url);
});
after(async () => {
  identity.close();
  await contract.close();
});

async function further(owner: ContractUser, stem: string): Promise<{ projectId: string }> {
  const request = CreateProjectRequest.fromPartial({ projectName: contract.name(stem) });
  return { projectId: (await contract.client.createProject(request, owner.options)).id };
}

test('an admin sets limits of all three services in one call, and leaves the rest', async () => {
  const owner = await contract.user();
  const admin = await contract.user('admin');
  const { projectId } = await further(owner, 'quotas');
  const before = await contract.client.getQuotas({ projectId }, owner.options);
  const request = SetQuotasRequest.fromPartial({
    projectId,
    compute: { cores: 7, floating_ips: 3 },
    network: { port: -1 },
    volume: { gigabytes: 33 },
  });
  const answer = await identity.setQuotas(request, admin.options);
  assert.deepEqual(answer.compute, { ...before.compute, cores: 7, floating_ips: 3 });
  assert.deepEqual(answer.network, { ...before.network, floatingip: 3, port: -1 });
  assert.deepEqual(answer.volume, { ...before.volume, gigabytes: 33 });
  assert.deepEqual(await contract.client.getQuotas({ projectId }, owner.options), answer);
  const denied = await failureOf(identity.setQuotas(request, owner.options));
  assert.equal(denied.code, 'PERMISSION_DENIED');
});

test('an admin gives a project the cloud’s own limits back', async () => {
  const owner = await contract.user();
  const admin = await contract.user('admin');
  const { projectId } = await further(owner, 'reset');
  const limits = { compute: { cores: 7 }, network: { port: 9 }, volume: { gigabytes: 33 } };
  await identity.setQuotas(SetQuotasRequest.fromPartial({ projectId, ...limits }), admin.options);
  // Nothing was ever set for this one.
  const { id: plain } = await contract.cloud
    .project('home')
    .keystone.createProject({ name: contract.name('plain') }, contract.within);
  const usual = await contract.client.getQuotas({ projectId: plain }, admin.options);
  for (const id of [projectId, projectId, plain]) {
    assert.deepEqual(await identity.resetQuotas({ projectId: id }, admin.options), usual);
  }
  assert.deepEqual(await contract.client.getQuotas({ projectId }, owner.options), usual);
  assert.equal(
    (await failureOf(identity.resetQuotas({ projectId }, owner.options))).code,
    'PERMISSION_DENIED',
  );
});

test('limits that do not exist or cannot be are told all at once, with those that exist', async () => {
  const owner = await contract.user();
  const admin = await contract.user('admin');
  const { projectId } = await further(owner, 'mistakes');
  const before = await contract.client.getQuotas({ projectId }, owner.options);
  const request = SetQuotasRequest.fromPartial({
    projectId,
    compute: { cores: -2, wings: 2, floating_ips: 1 },
    network: { floatingip: 2, network: 5, gnomes: 1 },
    volume: { volumes: -7 },
  });
  const failure = await failureOf(identity.setQuotas(request, admin.options));
  const fields = failure.violations.map(({ field }) => field).sort();
  assert.deepEqual(fields, [
    'compute.cores',
    'compute.floating_ips',
    'compute.wings',
    'network.gnomes',
    'volume.volumes',
  ]);
  assert.match(failure.message, /compute\.wings: there is no such limit; there are: .*cores.*instances/);
  assert.deepEqual(await contract.client.getQuotas({ projectId }, owner.options), before);
});

test('if one service refuses its limits, the others get theirs back', { skip: isRealCloud }, async () => {
  const owner = await contract.user();
  const admin = await contract.user('admin');
  const { projectId } = await further(owner, 'together');
  const before = await contract.client.getQuotas({ projectId }, owner.options);
  const faults = new URL('/_sandbox/faults', contract.environment.OPENSTACK_AUTH_URL);
  const match = { service: 'volume', method: 'PUT', path: '/os-quota-sets/' };
  const rule = JSON.stringify({ match, effect: 'error-before', status: 500, times: 1 });
  const posted = await fetch(faults, {
    method: 'POST',
    body: rule,
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(posted.ok, true);
  const request = SetQuotasRequest.fromPartial({
    projectId,
    compute: { cores: 5 },
    network: { port: 6 },
    volume: { volumes: 7 },
  });
  assert.equal((await failureOf(identity.setQuotas(request, admin.options))).code, 'UNAVAILABLE');
  assert.deepEqual(await contract.client.getQuotas({ projectId }, owner.options), before);
  const reset = JSON.stringify({
    match: { ...match, method: 'DELETE' },
    effect: 'error-before',
    status: 500,
  });
  await fetch(faults, { method: 'POST', body: reset });
  assert.equal((await failureOf(identity.resetQuotas({ projectId }, admin.options))).code, 'UNAVAILABLE');
  assert.deepEqual(await contract.client.getQuotas({ projectId }, owner.options), before);
});

test('what a project uses of its limits is told', async () => {
  const { client } = contract;
  const owner = await contract.user();
  const admin = await contract.user('admin');
  const { projectId } = await further(owner, 'usage');
  const volume = CreateVolumeRequest.fromPartial({ name: contract.name('v'), sizeGib: 2, projectId });
  await client.createVolume(volume, owner.options);
  await until(async () => {
    const { volume: used } = await identity.getQuotaUsage({ projectId }, owner.options);
    return used.gigabytes?.inUse === 2;
  }, 'the volume counts');
  const usage = await identity.getQuotaUsage({ projectId }, owner.options);
  const { gigabytes, instances } = contract.config.quotas;
  assert.deepEqual(usage.volume.gigabytes, {
    limit: gigabytes,
    inUse: 2,
    reserved: 0,
    available: gigabytes - 2,
  });
  assert.deepEqual(usage.compute.instances, {
    limit: instances,
    inUse: 0,
    reserved: 0,
    available: instances,
  });
  assert((usage.network.network?.limit ?? 0) > 0);
  for (const limit of Object.keys((await client.getQuotas({ projectId }, owner.options)).network)) {
    assert(limit in usage.network, limit);
  }
  assert.equal('id' in usage.compute, false);
  assert.deepEqual((await identity.getQuotaUsage({ projectId }, admin.options)).network, usage.network);

  const none = await failureOf(identity.getQuotaUsage({ projectId: '' }, owner.options));
  assert.equal(none.reason, 'PROJECT_NOT_FOUND');
  assert.match(none.message, /no project yet: it is made with the first thing/);
  const lan = { networkName: contract.name('lan'), cidr: '10.5.0.0/24', enableDhcp: false };
  await client.createNetwork(CreateNetworkRequest.fromPartial(lan), owner.options);
  const { compute, network } = await identity.getQuotaUsage({ projectId: '' }, owner.options);
  assert.deepEqual(compute.floating_ips, network.floatingip);
  assert.deepEqual(
    ['network', 'subnet', 'port', 'router', 'floatingip', 'security_group'].map(
      (name) => network[name]?.inUse,
    ),
    [1, 1, 0, 0, 0, 1],
  );
});
