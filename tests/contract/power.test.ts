// Power as the slice service asks the driver for it: side by side, of single nodes, cut short and taken up again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createIdentity } from '#common/caller.ts';
import { connect } from '#common/rpc-client.ts';
import { compileSpec } from '#engine/spec/compile.ts';
import {
  type ConvergeEvent,
  type ConvergeResult,
  type DriverServiceServer,
  DriverServiceService,
  OnFailure,
  Outcome,
} from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, type Resource, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { type Contract, type ContractUser, startContract } from './contract.ts';
import { NOTHING, remains } from './slice.ts';

let contract: Contract;
let owner: ContractUser;
let driver: ReturnType<typeof connect<DriverServiceServer>>;
let token: string;
let fence = 0;

before(async () => {
  contract = await startContract();
  owner = await contract.user();
  driver = connect<DriverServiceServer>(DriverServiceService, contract.url);
  const identity = createIdentity({ secret: contract.config.jwtSecret });
  const { userId, username } = owner;
  token = await identity.sign({ userId, username, role: 'student' }, { ttlS: 3600, actor: 'slice' });
});
after(async () => {
  driver.close();
  await contract.close();
});

test('servers are switched off and on side by side, one by one too, and a change cut short is taken up', async () => {
  const sliceId = contract.name('power');
  const nodes = ['vm1', 'vm2', 'vm3'].map((name) => ({ name, image: 'ubuntu-20.04', flavor: 'small' }));
  const networks = [{ name: 'net1', cidr: '10.95.0.0/24' }];
  const spec = SliceSpec.fromPartial({ name: 'power', nodes, networks });
  const on = compileSpec(spec, { power: Power.ON });
  const off = compileSpec(spec, { power: Power.OFF });
  const oneOff = compileSpec(spec, { power: Power.ON, off: new Set(['vm2']) });

  const converge = async (desired: Resource[], look?: (event: ConvergeEvent) => boolean) => {
    fence += 1;
    const scope = { sliceId, sliceName: 'power', userId: owner.userId, username: owner.username };
    const request = { scope, desired, onFailure: OnFailure.KEEP, fence };
    const events: ConvergeEvent[] = [];
    for await (const event of driver.converge(request, { token, timeoutMs: 600_000 })) {
      events.push(event);
      if (look?.(event)) break;
    }
    return events;
  };

  await converge(on);
  assert.deepEqual(serversOf(resultOf(await converge(oneOff))), ['vm1 active', 'vm2 shutoff', 'vm3 active']);
  const again = await converge(oneOff);
  assert.deepEqual(serversOf(resultOf(again)), ['vm1 active', 'vm2 shutoff', 'vm3 active']);
  assert.equal(again.length, 1, 'there was nothing to do');

  const stopping = await converge(off);
  assert.deepEqual(serversOf(resultOf(stopping)), ['vm1 shutoff', 'vm2 shutoff', 'vm3 shutoff']);
  const steps = stopping.flatMap(({ event }) =>
    event?.$case === 'resource' && event.value.kind?.$case === 'server' ? [event.value] : [],
  );
  const firstReady = steps.findIndex(({ state }) => state === ResourceState.READY);
  const begun = new Set(steps.slice(0, firstReady).map(({ name }) => name));
  assert.deepEqual([...begun].sort(), ['vm1', 'vm3'], 'both were on their way before either was off');

  await converge(on);
  // The caller leaves as soon as anything is under way, as a killed process would.
  await converge(off, ({ event }) => event?.$case === 'resource');
  assert.deepEqual(serversOf(resultOf(await converge(off))), ['vm1 shutoff', 'vm2 shutoff', 'vm3 shutoff']);
  await converge(on, ({ event }) => event?.$case === 'resource');
  assert.deepEqual(serversOf(resultOf(await converge(on))), ['vm1 active', 'vm2 active', 'vm3 active']);

  assert.equal(resultOf(await converge([])).outcome, Outcome.CONVERGED);
  assert.deepEqual(await remains(contract, sliceId), NOTHING);
});

function resultOf(events: readonly ConvergeEvent[]): ConvergeResult {
  const last = events.at(-1)?.event;
  assert(last?.$case === 'result', 'the call ended with a result');
  assert.equal(last.value.outcome, Outcome.CONVERGED, last.value.errorMessage);
  return last.value;
}

function serversOf({ observed }: ConvergeResult): string[] {
  return observed
    .flatMap(({ name, kind }) => (kind?.$case === 'server' ? [`${name} ${kind.value.status?.status}`] : []))
    .sort();
}
