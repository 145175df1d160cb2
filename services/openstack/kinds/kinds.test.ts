// The kinds on a cloud: a sandbox, or with CONTRACT_CLOUD=env a real one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compileSpec } from '#engine/spec/compile.ts';
import { OnFailure, Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, type Resource } from '#proto/pucp/driver/v1/resource.ts';
import { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { isRealCloud, labOf, type Rig, startRig } from '../testing/slice-rig.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(async () => {
  await rig.converge([]);
  await rig.close();
});

const within = { signal: AbortSignal.timeout(600_000) };
const serverOf = (observed: readonly Resource[], name: string) => {
  const found = observed.find((one) => one.name === name && one.kind?.$case === 'server');
  assert.ok(found?.kind?.$case === 'server', `there is a server ${name}`);
  return { id: found.cloudId, ...found.kind.value };
};
const countOf = (observed: readonly Resource[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(observed, ({ kind }) => kind?.$case ?? '')).map(([kind, all]) => [
      kind,
      all?.length,
    ]),
  );

test('a lab of two nodes with a way outside is deployed, found equal, and removed to the last port', async () => {
  const desired = labOf({ nodes: 2, isRouted: true });
  const deployed = await rig.converge(desired, { onFailure: OnFailure.ROLLBACK });
  assert.equal(deployed.errorMessage, '');
  assert.deepEqual(countOf(deployed.observed), {
    network: 1,
    router: 1,
    subnet: 1,
    routerInterface: 1,
    port: 2,
    server: 2,
  });
  assert.equal(serverOf(deployed.observed, 'vm0').status?.status, 'active');

  const again = await rig.converge(desired);
  assert.deepEqual(
    again.reports.filter(({ resource }) => resource),
    [],
  );
  assert.equal((await rig.converge([])).outcome, Outcome.CONVERGED);
  assert.deepEqual(await rig.observe(), []);
  const left = await rig.clients.neutron.ports.list({}, within);
  assert.deepEqual(
    left.filter(({ name }) => name.startsWith(rig.sliceName)),
    [],
  );
});

test('a node more or less, a network more or less: what remains keeps running', async () => {
  const first = await rig.converge(labOf({ nodes: 1 }));
  const second = await rig.converge(labOf({ nodes: 2, networks: 2 }));
  assert.equal(second.errorMessage, '');
  assert.equal(serverOf(second.observed, 'vm0').id, serverOf(first.observed, 'vm0').id);
  assert.deepEqual(serverOf(second.observed, 'vm0').spec?.ports, ['vm0-net0', 'vm0-net1']);
  const third = await rig.converge(labOf({ nodes: 1 }));
  assert.equal(third.errorMessage, '');
  assert.equal(serverOf(third.observed, 'vm0').id, serverOf(first.observed, 'vm0').id);
  assert.deepEqual(countOf(third.observed), { network: 1, subnet: 1, port: 1, server: 1 });
  await rig.converge([]);
});

test('nodes get the addresses they ask for although DHCP and others take the rest of a small network', async () => {
  const asked = ['192.168.77.2', '192.168.77.4'];
  const spec = SliceSpec.fromPartial({
    name: 'addresses',
    nodes: ['a', 'b', 'c'].map((name, index) => ({
      name,
      image: 'ubuntu-20.04',
      flavor: 'nano',
      managementIp: asked[index] ?? '',
    })),
    networks: [{ name: 'small', cidr: '192.168.77.0/29' }],
  });
  const desired = compileSpec(spec, { power: Power.ON });
  const deployed = await rig.converge(desired);
  assert.equal(deployed.errorMessage, '');
  const got = ['a-small', 'b-small'].map((name) => {
    const port = deployed.observed.find((one) => one.name === name)?.kind;
    return port?.$case === 'port' ? port.value.status?.ipAddress : undefined;
  });
  assert.deepEqual(got, asked);
  const again = await rig.converge(desired);
  assert.deepEqual(
    again.reports.filter(({ resource }) => resource),
    [],
    'what is reserved is read back as wished',
  );
  await rig.converge([]);
});

test('servers are shut down and started again in place', async () => {
  const on = await rig.converge(labOf({ nodes: 2 }));
  const off = await rig.converge(labOf({ nodes: 2, power: Power.OFF }));
  assert.equal(serverOf(off.observed, 'vm1').status?.status, 'shutoff');
  const again = await rig.converge(labOf({ nodes: 2 }));
  assert.equal(serverOf(again.observed, 'vm1').status?.status, 'active');
  assert.equal(serverOf(again.observed, 'vm1').id, serverOf(on.observed, 'vm1').id);
  await rig.converge([]);
});

test('another flavor resizes a server where it is, also under a name of the table', async () => {
  const before = await rig.converge(labOf({ nodes: 1 }));
  for (const flavor of ['m1.small', 'small', 'm1.medium']) {
    const after = await rig.converge(labOf({ nodes: 1, flavor }));
    assert.equal(after.errorMessage, '');
    assert.equal(serverOf(after.observed, 'vm0').id, serverOf(before.observed, 'vm0').id);
    assert.equal(serverOf(after.observed, 'vm0').spec?.flavor, flavor);
    assert.equal(serverOf(after.observed, 'vm0').status?.status, 'active');
  }
  await rig.converge([]);
});

test('what was removed behind our back is made again, and only that', async () => {
  const desired = labOf({ nodes: 2 });
  const before = await rig.converge(desired);
  await rig.clients.nova.deleteServer(serverOf(before.observed, 'vm0').id, within);
  const after = await rig.converge(desired);
  assert.equal(after.errorMessage, '');
  assert.notEqual(serverOf(after.observed, 'vm0').id, serverOf(before.observed, 'vm0').id);
  assert.equal(serverOf(after.observed, 'vm1').id, serverOf(before.observed, 'vm1').id);
  await rig.converge([]);
});

test('an image that does not exist is refused with those that do, and nothing stays behind', async () => {
  const desired = labOf({ nodes: 1, flavor: 'enormous' });
  const result = await rig.converge(desired, { onFailure: OnFailure.ROLLBACK });
  assert.equal(result.outcome, Outcome.ROLLED_BACK);
  assert.match(
    result.errorMessage,
    /server "vm0" could not be created: flavor "enormous" does not exist; there are: /,
  );
  assert.deepEqual(await rig.observe(), []);
});

test('a slice costs one call a server and a constant number of others', { skip: isRealCloud }, async () => {
  const callsFor = async (nodes: number): Promise<number> => {
    const own = await startRig({ buildDelayMs: 0 });
    try {
      await own.clients.projectId(within);
      own.sandbox?.resetCounts();
      const { errorMessage } = await own.converge(labOf({ nodes, isRouted: true }));
      assert.equal(errorMessage, '');
      return Object.values(own.sandbox?.counts() ?? {}).reduce((sum, count) => sum + count, 0);
    } finally {
      await own.close();
    }
  };
  const [one, twelve] = [await callsFor(1), await callsFor(12)];
  assert.ok(one <= 30, `${one} calls for one server`);
  // Polls are paced by time, so that a slow machine may see a few more.
  assert.ok(twelve <= one + 11 + 6, `${twelve} calls for twelve servers, ${one} for one`);
});
