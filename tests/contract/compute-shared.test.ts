import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GetUsageRequest } from '#proto/pucp/openstack/v1/compute_service.ts';
import { CreateNetworkRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { connectCompute, isRefused, runningInstance } from './compute.ts';
import { startContract, until } from './contract.ts';

test('in one project for all, users start from, attach and count only what is their own', async () => {
  const shared = await startContract({ changes: () => ({ tenancy: 'shared' }) });
  const compute = connectCompute(shared);
  const { client, within } = shared;
  const { nova, neutron, glance } = shared.cloud.project('home');
  const ana = await shared.user();
  const eve = await shared.user();
  const copyName = shared.name('copy');
  const instances: string[] = [];
  let copy = '';
  let network = '';
  try {
    const hers = await runningInstance(shared, ana, { instanceName: shared.name('hers') });
    instances.push(hers.id);
    const eves = await runningInstance(shared, eve, { instanceName: shared.name('eves') });
    instances.push(eves.id);

    const { imageId } = await compute.snapshotInstance(
      { id: hers.id, name: copyName, metadata: {} },
      ana.options,
    );
    copy = imageId;
    await until(async () => (await glance.getImage(copy, within)).status === 'active', 'the copy is there');
    const seen = async (user: typeof ana) =>
      (await client.listImages({}, user.options)).images.some(({ id }) => id === copy);
    assert(await seen(ana));
    assert(!(await seen(eve)));
    const refused = /does not exist/;
    await isRefused(
      compute.rebuildInstance({ id: eves.id, imageId: copy }, eve.options),
      'INVALID_ARGUMENT',
      refused,
    );
    const started = runningInstance(shared, eve, { instanceName: shared.name('x'), imageId: copyName });
    await isRefused(started, 'INVALID_ARGUMENT', refused);

    const lan = CreateNetworkRequest.fromPartial({ networkName: shared.name('lan'), cidr: '10.47.0.0/24' });
    network = (await client.createNetwork(lan, ana.options)).id;
    const attach = (wish: { network: string; portId: string }) =>
      compute.attachInstancePort({ id: eves.id, ipAddress: '', ...wish }, eve.options);
    await isRefused(attach({ network, portId: '' }), 'INVALID_ARGUMENT', refused);
    const port = await neutron.ports.create({ network_id: network }, within);
    await isRefused(attach({ network: '', portId: port.id }), 'NOT_FOUND');
    await neutron.ports.remove(port.id, within);

    const usage = await compute.getUsage(GetUsageRequest.fromPartial({}), eve.options);
    assert.deepEqual(
      usage.instances.map(({ instanceId }) => instanceId),
      [eves.id],
    );
    assert.equal((await compute.lockInstance({ id: hers.id }, ana.options)).locked, true);
    await isRefused(client.deleteInstance({ id: hers.id }, ana.options), 'FAILED_PRECONDITION', /unlock/);
  } finally {
    for (const id of instances) await nova.deleteServer(id, within);
    await until(async () => {
      const left = await nova.listServers({}, within);
      return !left.some(({ id }) => instances.includes(id));
    }, 'the instances are gone');
    if (copy !== '') await glance.deleteImage(copy, within);
    if (network !== '') await neutron.networks.remove(network, within);
    compute.close();
    await shared.close();
  }
});
