// The plan as the slice service asks the driver for it: what it says is needed is what the cloud then counts.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compileSpec } from '#engine/spec/compile.ts';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import { StepAction } from '#proto/pucp/slice/v1/plan.ts';
import { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { readUses } from '../../services/openstack/quota-change.ts';
import { type Contract, type ContractUser, startContract, until } from './contract.ts';
import { convergedOf, driveSlice } from './driver.ts';
import { NOTHING, remains } from './slice.ts';

let contract: Contract;
let owner: ContractUser;

before(async () => {
  contract = await startContract();
  owner = await contract.user();
});
after(() => contract.close());

const lab = {
  name: 'planned',
  nodes: [
    {
      name: 'vm1',
      image: 'cirros',
      flavor: 'nano',
      networks: ['lan'],
      floatingIp: true,
      securityGroups: ['web'],
      volumes: [{ size: 1 }],
    },
    { name: 'vm2', image: 'cirros', flavor: 'nano' },
  ],
  networks: [{ name: 'lan', cidr: '10.96.0.0/24' }],
  connections: [{ source: 'vm1', target: 'vm2' }],
  securityGroups: [{ name: 'web', rules: [{ protocol: 'tcp', portMin: 80 }] }],
};
const wish = (changes: object = {}) =>
  compileSpec(SliceSpec.fromPartial({ ...lab, ...changes }), { power: Power.ON });

test('a lab’s plan makes all of it, and takes just what the quotas show once it is there', async () => {
  const { plan, converge, sliceId, close } = await driveSlice(contract, owner, 'planned');
  const desired = wish();
  const first = await plan(desired);
  assert.deepEqual(first.violations, []);
  assert.equal(first.projectId, '', 'nothing is made by asking, not even a project');
  assert.equal(first.steps.length, desired.length);
  assert.ok(first.steps.every(({ action, reason }) => action === StepAction.CREATE && reason === 'missing'));
  const needed = Object.fromEntries(first.quotas.map((quota) => [quota.name, quota.needed]));
  const { vcpus, ram, ...counted } = needed;
  assert.ok(vcpus && ram);
  assert.deepEqual(counted, {
    floating_ips: 1,
    instances: 2,
    networks: 2,
    // Three of the servers, one of the router, one of DHCP on each network.
    ports: 6,
    routers: 1,
    security_groups: 1,
    security_group_rules: 3,
    subnets: 2,
    volumes: 1,
    volume_gigabytes: 1,
  });
  const again = await plan(desired.toReversed());
  assert.equal(again.digest, first.digest, 'the order of the wish is no matter');

  const { projectId } = convergedOf(await converge(desired));
  const used = async () => {
    const { compute, network, volume } = await readUses(contract.cloud, projectId, contract.within);
    return {
      instances: compute.instances?.inUse,
      vcpus: compute.cores?.inUse,
      ram: compute.ram?.inUse,
      networks: network.network?.inUse,
      subnets: network.subnet?.inUse,
      ports: network.port?.inUse,
      routers: network.router?.inUse,
      floating_ips: network.floatingip?.inUse,
      security_groups: network.security_group?.inUse,
      security_group_rules: network.security_group_rule?.inUse,
      volumes: volume?.volumes?.inUse,
      volume_gigabytes: volume?.gigabytes?.inUse,
    };
  };
  const before = Object.fromEntries(first.quotas.map((quota) => [quota.name, quota.used]));
  const expected = Object.fromEntries(
    first.quotas.map(({ name, needed: amount }) => [name, (before[name] ?? 0) + amount]),
  );
  // DHCP's ports come by themselves.
  await until(async () => (await used()).ports === expected.ports, 'the use of all ports');
  assert.deepEqual(await used(), expected);

  const settled = await plan(desired);
  assert.equal(settled.projectId, projectId);
  assert.deepEqual(new Set(settled.steps.map(({ action }) => action)), new Set([StepAction.KEEP]));
  assert.deepEqual(settled.quotas, []);
  assert.notEqual(settled.digest, first.digest);

  const [vm1, vm2] = lab.nodes;
  const larger = await plan(wish({ nodes: [{ ...vm1, volumes: [{ size: 3 }] }, vm2] }));
  const [grown] = larger.steps.filter(({ action }) => action !== StepAction.KEEP);
  assert.deepEqual(
    [grown?.action, grown?.resourceKind, grown?.needs],
    [StepAction.UPDATE, 'volume', [{ name: 'volume_gigabytes', amount: 2 }]],
  );
  assert.deepEqual(
    larger.quotas.map(({ name, needed: amount, used: inUse }) => [name, amount, inUse]),
    [['volume_gigabytes', 2, 1]],
  );
  const removal = await plan([]);
  assert.ok(removal.steps.every(({ action, cloudId }) => action === StepAction.DELETE && cloudId !== ''));
  assert.deepEqual(removal.quotas, []);

  convergedOf(await converge([]));
  assert.deepEqual(await remains(contract, sliceId), NOTHING);
  close();
});

test('what a wish has wrong is told in place of a plan', async () => {
  const { plan, close } = await driveSlice(contract, owner, 'mistaken');
  const [vm1, vm2] = lab.nodes;
  const { violations, steps, digest } = await plan(
    wish({ nodes: [vm1, { ...vm2, image: 'nonesuch', flavor: 'nonesuch' }] }),
  );
  assert.deepEqual(
    violations.map(({ resourceKind, resourceName, field }) => [resourceKind, resourceName, field]),
    [
      ['server', 'vm2', 'image'],
      ['server', 'vm2', 'flavor'],
    ],
  );
  assert.deepEqual([steps, digest], [[], '']);
  close();
});
