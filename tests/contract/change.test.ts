// A change of a slice as the slice service asks the driver for it: planned, carried out, refused, and undone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { withLinks } from '#engine/spec/attach.ts';
import { compileSpec } from '#engine/spec/compile.ts';
import { type ConvergeResult, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { type Contract, type ContractUser, startContract } from './contract.ts';
import { convergedOf, driveSlice, resultOf } from './driver.ts';
import { NOTHING, remains } from './slice.ts';

let contract: Contract;
let owner: ContractUser;
before(async () => {
  contract = await startContract();
  owner = await contract.user();
});
after(() => contract.close());

test('a change does what its plan says, leaves the rest alone, and is undone when the quota refuses it', async () => {
  const slice = await driveSlice(contract, owner, 'change');
  const specOf = (nodes: string[], links: [string, string][], earlier?: SliceSpec) =>
    withLinks(
      SliceSpec.fromPartial({
        name: 'change',
        nodes: nodes.map((name) => ({ name, image: 'ubuntu-20.04', flavor: 'small', networks: ['net1'] })),
        networks: [{ name: 'net1', cidr: '10.94.0.0/24' }],
        connections: links.map(([source, target]) => ({ source, target })),
      }),
      earlier,
    );
  const wishOf = (spec: SliceSpec) => compileSpec(spec, { power: Power.ON });
  const [ring, link] = [['vm1', 'vm2'] as [string, string], ['vm2', 'vm3'] as [string, string]];
  try {
    const first = specOf(['vm1', 'vm2'], [ring]);
    const before = convergedOf(await slice.converge(wishOf(first)));

    const second = specOf(['vm2', 'vm3'], [link], first);
    assert.equal(second.connections[0]?.cidr, first.connections[0]?.cidr, 'what a link leaves is free again');
    const { steps } = await slice.plan(wishOf(second));
    const planned = (kind: string) =>
      steps
        .filter((step) => step.resourceKind === kind)
        .map(({ action, resourceName }) => `${action.replace('STEP_ACTION_', '')} ${resourceName}`)
        .sort();
    assert.deepEqual(planned('server'), ['CREATE vm3', 'DELETE vm1', 'UPDATE vm2']);
    assert.deepEqual(planned('network'), ['CREATE vm2-vm3', 'DELETE vm1-vm2', 'KEEP net1']);
    const after = convergedOf(await slice.converge(wishOf(second)));
    for (const key of ['server vm2', 'network net1', 'subnet net1', 'port vm2-net1']) {
      assert.equal(idsOf(after).get(key), idsOf(before).get(key), `${key} is the same`);
    }

    const { nova } = contract.cloud.project('home');
    await nova.setQuotas(after.projectId, { instances: 2 }, contract.within);
    const refused = resultOf(await slice.converge(wishOf(specOf(['vm2', 'vm3', 'vm4'], [link], second))));
    assert.deepEqual([refused.outcome, refused.reason], [Outcome.FAILED, 'QUOTA_EXCEEDED']);
    assert.match(
      refused.errorMessage,
      /^server "vm4" could not be created: Nova could not .*[Qq]uota exceeded for instances.* \(request req-[\w-]+\)\. Remove what/,
    );
    assert.deepEqual(
      refused.failed.map(({ kind, name }) => `${kind} ${name}`),
      ['server vm4'],
    );
    const undone = convergedOf(await slice.converge(wishOf(second)));
    assert.deepEqual([...idsOf(undone)].sort(), [...idsOf(after)].sort());
  } finally {
    convergedOf(await slice.converge([]));
    slice.close();
  }
  assert.deepEqual(await remains(contract, slice.sliceId), NOTHING);
});

test('a volume grows in the server that has it', async () => {
  const slice = await driveSlice(contract, owner, 'grow');
  const wishOf = (size: number) => {
    const node = {
      name: 'vm1',
      image: 'ubuntu-20.04',
      flavor: 'small',
      networks: ['net1'],
      volumes: [{ name: 'data', size }],
    };
    const networks = [{ name: 'net1', cidr: '10.95.0.0/24' }];
    return compileSpec(SliceSpec.fromPartial({ name: 'grow', nodes: [node], networks }), { power: Power.ON });
  };
  try {
    const before = convergedOf(await slice.converge(wishOf(1)));
    const { steps } = await slice.plan(wishOf(2));
    const changed = steps.filter(({ action }) => action !== 'STEP_ACTION_KEEP');
    assert.deepEqual(
      changed.map(({ action, resourceKind }) => `${action} ${resourceKind}`),
      ['STEP_ACTION_UPDATE volume'],
    );
    const after = convergedOf(await slice.converge(wishOf(2)));
    assert.deepEqual([...idsOf(after)].sort(), [...idsOf(before)].sort());
    const volume = after.observed.find(({ kind }) => kind?.$case === 'volume');
    assert.ok(volume?.kind?.$case === 'volume');
    assert.deepEqual([volume.kind.value.spec?.size, volume.kind.value.status?.status], [2, 'in-use']);
  } finally {
    convergedOf(await slice.converge([]));
    slice.close();
  }
  assert.deepEqual(await remains(contract, slice.sliceId), NOTHING);
});

function idsOf({ observed }: ConvergeResult): Map<string, string> {
  return new Map(observed.map(({ kind, name, cloudId }) => [`${kind?.$case} ${name}`, cloudId]));
}
