// Private flavors: who sees and uses them; and what Nova is told with a flavor.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CallOptions } from '#common/rpc-client.ts';
import { CreateFlavorRequest } from '#proto/pucp/openstack/v1/compute_service.ts';
import type { Flavor } from '#proto/pucp/openstack/v1/openstack.ts';
import {
  CreateInstanceRequest,
  CreateProjectRequest,
  ListFlavorsRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type ComputeClient, connectCompute, isRefused, runningInstance } from './compute.ts';
import { type Contract, type ContractUser, startContract } from './contract.ts';

let contract: Contract;
let compute: ComputeClient & { close(): void };
let owner: ContractUser;
let admin: ContractUser;
before(async () => {
  contract = await startContract();
  compute = connectCompute(contract);
  owner = await contract.user();
  admin = await contract.user('admin');
});
after(async () => {
  compute.close();
  const { nova } = contract.cloud.project('home');
  for (const { id, name } of await nova.listAllFlavors(contract.within)) {
    if (name.startsWith(contract.name(''))) await nova.deleteFlavor(id, contract.within);
  }
  await contract.close();
});

function makeFlavor(stem: string, isPublic: boolean): Promise<Flavor> {
  const sizes = { vcpus: 1, ram: 64, disk: 1, isPublic };
  const request = CreateFlavorRequest.fromPartial({ name: contract.name(stem), ...sizes });
  return compute.createFlavor(request, admin.options);
}

async function sees({ name }: Flavor, options: CallOptions): Promise<boolean> {
  const { flavors } = await contract.client.listFlavors(ListFlavorsRequest.fromPartial({ name }), options);
  return flavors.length > 0;
}

const page = { pageSize: 0, pageToken: '' };

test('a private flavor exists for the projects that may use it, and for admins', async () => {
  const stranger = await contract.user();
  const projectName = contract.name('course');
  const project = await contract.client.createProject(
    CreateProjectRequest.fromPartial({ projectName }),
    owner.options,
  );
  const flavor = await makeFlavor('private', false);
  const { id } = flavor;
  assert.equal(flavor.isPublic, false);
  assert(await sees(flavor, admin.options));
  assert(!(await sees(flavor, owner.options)));
  await isRefused(compute.getFlavor({ id }, owner.options), 'NOT_FOUND');
  await isRefused(compute.getFlavorExtraSpecs({ id }, owner.options), 'NOT_FOUND');
  const wish = { instanceName: contract.name('vm'), flavorId: flavor.name, projectId: project.id };
  const request = CreateInstanceRequest.fromPartial({ imageId: 'cirros', ...wish });
  const never = contract.client.createInstance(request, owner.options);
  await isRefused(never, 'INVALID_ARGUMENT', /flavor_id: flavor ".*" does not exist/);
  assert.deepEqual((await compute.listFlavorAccess({ id, ...page }, admin.options)).projects, []);

  const access = { flavorId: id, projectId: project.id, projectName };
  assert.deepEqual(
    await compute.addFlavorAccess({ id: flavor.name, projectId: project.id }, admin.options),
    access,
  );
  assert.deepEqual((await compute.listFlavorAccess({ id, ...page }, admin.options)).projects, [access]);
  const again = compute.addFlavorAccess({ id, projectId: project.id }, admin.options);
  await isRefused(again, 'ALREADY_EXISTS', /may use flavor ".*" already/);
  assert(await sees(flavor, owner.options));
  assert(!(await sees(flavor, stranger.options)));
  assert.equal((await compute.getFlavor({ id: flavor.name }, owner.options)).id, id);
  await isRefused(compute.getFlavor({ id: flavor.name }, stranger.options), 'NOT_FOUND');
  const elsewhere = CreateInstanceRequest.fromPartial({ ...request, projectId: '' });
  await isRefused(
    contract.client.createInstance(elsewhere, owner.options),
    'INVALID_ARGUMENT',
    /flavor ".*" does not exist/,
  );
  const { id: instance, flavorId } = await runningInstance(contract, owner, wish);
  assert.equal(flavorId, flavor.name);
  await contract.client.deleteInstance({ id: instance }, owner.options);

  for (const wanted of [projectName, project.id]) {
    await compute.removeFlavorAccess({ id, projectId: wanted }, admin.options);
  }
  await isRefused(compute.removeFlavorAccess({ id, projectId: 'nowhere' }, admin.options), 'NOT_FOUND');
  assert(!(await sees(flavor, owner.options)));
  await compute.deleteFlavor({ id }, admin.options);
});

test('access to a flavor is for admins to give, to projects that exist, and not where all have it', async () => {
  const flavor = await makeFlavor('mine', false);
  const { id } = flavor;
  const refused = compute.addFlavorAccess({ id, projectId: 'x' }, owner.options);
  await isRefused(refused, 'PERMISSION_DENIED');
  await isRefused(
    compute.addFlavorAccess({ id, projectId: 'nowhere' }, admin.options),
    'NOT_FOUND',
    /nowhere/,
  );
  const empty = compute.addFlavorAccess({ id, projectId: '' }, admin.options);
  await isRefused(empty, 'INVALID_ARGUMENT', /project_id/);
  await isRefused(compute.listFlavorAccess({ id: 'no-flavor', ...page }, admin.options), 'NOT_FOUND');
  const open = await makeFlavor('public', true);
  assert.deepEqual((await compute.listFlavorAccess({ id: open.id, ...page }, admin.options)).projects, []);
  for (const call of [compute.addFlavorAccess, compute.removeFlavorAccess]) {
    const wish = { id: open.id, projectId: 'admin' };
    await isRefused(call(wish, admin.options), 'FAILED_PRECONDITION', /public/);
  }
});

test('extra specs are set, read by whoever sees the flavor, and taken away', async () => {
  const { id, name } = await makeFlavor('special', true);
  assert.deepEqual(await compute.getFlavorExtraSpecs({ id }, owner.options), { extraSpecs: {} });
  const extraSpecs = { 'hw:cpu_policy': 'shared', 'quota:cpu_shares': '512' };
  const set = (specs: Record<string, string>) =>
    compute.mergeFlavorExtraSpecs({ id: name, extraSpecs: specs }, admin.options);
  assert.deepEqual((await set(extraSpecs)).extraSpecs, extraSpecs);
  const changed = { ...extraSpecs, 'hw:cpu_policy': 'dedicated' };
  assert.deepEqual((await set({ 'hw:cpu_policy': 'dedicated' })).extraSpecs, changed);
  assert.deepEqual((await compute.getFlavorExtraSpecs({ id: name }, owner.options)).extraSpecs, changed);
  const gone = { id, key: 'hw:cpu_policy' };
  const rest = { extraSpecs: { 'quota:cpu_shares': '512' } };
  assert.deepEqual(await compute.deleteFlavorExtraSpec(gone, admin.options), rest);
  assert.deepEqual(await compute.deleteFlavorExtraSpec(gone, admin.options), rest);
  await isRefused(
    set({ 'a/b': 'c', ok: 'x'.repeat(256) }),
    'INVALID_ARGUMENT',
    /extra_specs\[a\/b\].*extra_specs\[ok\]/,
  );
  const refused = compute.mergeFlavorExtraSpecs({ id, extraSpecs }, owner.options);
  await isRefused(refused, 'PERMISSION_DENIED');
});
