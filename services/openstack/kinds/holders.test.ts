// Removing a slice to which its user has attached things of their own: they are named, left alone, and waited for. On a
// sandbox, or with CONTRACT_CLOUD=env on a real cloud.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { compileSpec } from '#engine/spec/compile.ts';
import { Outcome } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, type Resource } from '#proto/pucp/driver/v1/resource.ts';
import { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { absentIsDone } from '../api/errors.ts';
import { labOf, type Rig, startRig } from '../testing/slice-rig.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
afterEach(async () => {
  await rig.converge([]);
});
after(() => rig.close());

const within = { signal: AbortSignal.timeout(600_000) };
const namesOf = (resources: readonly Resource[]) =>
  resources.map(({ name, kind }) => `${kind?.$case} ${name}`).sort();
const idOf = (resources: readonly Resource[], kind: string, name: string): string => {
  const found = resources.find((one) => one.name === name && one.kind?.$case === kind);
  assert.ok(found, `there is a ${kind} ${name}`);
  return found.cloudId;
};

async function removeHeldBy(words: RegExp, left: readonly string[]): Promise<void> {
  const removed = await rig.converge([]);
  assert.equal(removed.outcome, Outcome.FAILED);
  assert.match(removed.errorMessage, words);
  assert.match(removed.errorMessage, /not part of the slice and is left alone/);
  // Rules go with their group.
  assert.deepEqual(
    namesOf(removed.observed).filter((name) => !name.startsWith('securityRule')),
    left,
  );
}

async function removeTheRest(): Promise<void> {
  const removed = await rig.converge([]);
  assert.equal(removed.errorMessage, '');
  assert.deepEqual(await rig.observe(), []);
}

test('a user’s own port on a network of the slice is named, and once it is gone the removal ends', async () => {
  const { observed } = await rig.converge(labOf({ nodes: 1, networks: 2, isRouted: true }));
  const { ports } = rig.clients.neutron;
  const own = await ports.create({ name: 'my own', network_id: idOf(observed, 'network', 'net1') }, within);
  try {
    await removeHeldBy(new RegExp(`port ${own.id} \\("my own"\\)`), ['network net1', 'subnet net1']);
    assert.equal((await ports.get(own.id, within)).id, own.id);
  } finally {
    await ports.remove(own.id, within);
  }
  await removeTheRest();
});

test('a user’s own router on a network of the slice is named', async () => {
  const { observed } = await rig.converge(labOf({ nodes: 0 }));
  const { neutron } = rig.clients;
  const router = await neutron.routers.create({ name: `${rig.sliceName}-own` }, within);
  const foot = { subnet_id: idOf(observed, 'subnet', 'net0') };
  await neutron.addRouterInterface(router.id, foot, within);
  try {
    await removeHeldBy(new RegExp(`of router ${router.id}`), ['network net0', 'subnet net0']);
  } finally {
    await neutron.removeRouterInterface(router.id, foot, within);
    await neutron.routers.remove(router.id, within);
  }
  await removeTheRest();
});

test('a user’s own port in a security group of the slice is named, and so is a snapshot of its volume', async () => {
  const spec = SliceSpec.fromPartial({
    name: 'lab',
    nodes: [
      {
        name: 'vm0',
        image: 'cirros',
        flavor: 'm1.tiny',
        networks: ['lan'],
        securityGroups: ['web'],
        volumes: [{ name: 'data', size: 1 }],
      },
    ],
    networks: [{ name: 'lan', cidr: '192.168.120.0/24' }],
    securityGroups: [{ name: 'web', rules: [{ protocol: 'tcp', portMin: 80 }] }],
  });
  const { observed, errorMessage } = await rig.converge(compileSpec(spec, { power: Power.ON }));
  assert.equal(errorMessage, '');
  const { neutron, cinder } = rig.clients;
  const network = await neutron.networks.create({ name: `${rig.sliceName}-own` }, within);
  const guarded = { network_id: network.id, security_groups: [idOf(observed, 'securityGroup', 'web')] };
  const port = await neutron.ports.create(guarded, within);
  const volume_id = idOf(observed, 'volume', 'data');
  const snapshot = await cinder.createSnapshot({ volume_id, name: 'mine', force: true }, within);
  try {
    await until(async () => (await cinder.getSnapshot(snapshot.id, within)).status === 'available');
    const either = new RegExp(`port ${port.id}|snapshot ${snapshot.id}`);
    await removeHeldBy(either, ['securityGroup web', 'volume data']);
    await neutron.ports.remove(port.id, within);
    await removeHeldBy(new RegExp(`snapshot ${snapshot.id}`), ['volume data']);
  } finally {
    await absentIsDone(neutron.ports.remove(port.id, within));
    await cinder.deleteSnapshot(snapshot.id, within);
    await neutron.networks.remove(network.id, within);
  }
  await until(() =>
    cinder.getSnapshot(snapshot.id, within).then(
      () => false,
      () => true,
    ),
  );
  await removeTheRest();
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await isSo()); ) {
    assert.ok(Date.now() < deadline, 'it takes too long');
    await new Promise((done) => setTimeout(done, 200));
  }
}
