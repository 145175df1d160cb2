// Power as the slice service asks the driver for it: side by side, of single nodes, cut short and taken up again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compileSpec } from '#engine/spec/compile.ts';
import type { ConvergeResult } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { type Contract, type ContractUser, startContract } from './contract.ts';
import { convergedOf, driveSlice } from './driver.ts';
import { NOTHING, remains } from './slice.ts';

let contract: Contract;
let owner: ContractUser;

before(async () => {
  contract = await startContract();
  owner = await contract.user();
});
after(() => contract.close());

test('servers are switched off and on side by side, one by one too, and a change cut short is taken up', async () => {
  const { sliceId, converge, close } = await driveSlice(contract, owner, 'power');
  const nodes = ['vm1', 'vm2', 'vm3'].map((name) => ({ name, image: 'ubuntu-20.04', flavor: 'small' }));
  const networks = [{ name: 'net1', cidr: '10.95.0.0/24' }];
  const spec = SliceSpec.fromPartial({ name: 'power', nodes, networks });
  const on = compileSpec(spec, { power: Power.ON });
  const off = compileSpec(spec, { power: Power.OFF });
  const oneOff = compileSpec(spec, { power: Power.ON, off: new Set(['vm2']) });

  await converge(on);
  assert.deepEqual(serversOf(convergedOf(await converge(oneOff))), [
    'vm1 active',
    'vm2 shutoff',
    'vm3 active',
  ]);
  const again = await converge(oneOff);
  assert.deepEqual(serversOf(convergedOf(again)), ['vm1 active', 'vm2 shutoff', 'vm3 active']);
  assert.equal(again.length, 1, 'there was nothing to do');

  const stopping = await converge(off);
  assert.deepEqual(serversOf(convergedOf(stopping)), ['vm1 shutoff', 'vm2 shutoff', 'vm3 shutoff']);
  const steps = stopping.flatMap(({ event }) =>
    event?.$case === 'resource' && event.value.kind?.$case === 'server' ? [event.value] : [],
  );
  const firstReady = steps.findIndex(({ state }) => state === ResourceState.READY);
  const begun = new Set(steps.slice(0, firstReady).map(({ name }) => name));
  assert.deepEqual([...begun].sort(), ['vm1', 'vm3'], 'both were on their way before either was off');

  await converge(on);
  // The caller leaves as soon as anything is under way, as a killed process would.
  await converge(off, ({ event }) => event?.$case === 'resource');
  assert.deepEqual(serversOf(convergedOf(await converge(off))), [
    'vm1 shutoff',
    'vm2 shutoff',
    'vm3 shutoff',
  ]);
  await converge(on, ({ event }) => event?.$case === 'resource');
  assert.deepEqual(serversOf(convergedOf(await converge(on))), ['vm1 active', 'vm2 active', 'vm3 active']);

  convergedOf(await converge([]));
  close();
  assert.deepEqual(await remains(contract, sliceId), NOTHING);
});

function serversOf({ observed }: ConvergeResult): string[] {
  return observed
    .flatMap(({ name, kind }) => (kind?.$case === 'server' ? [`${name} ${kind.value.status?.status}`] : []))
    .sort();
}
