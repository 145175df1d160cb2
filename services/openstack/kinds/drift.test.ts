// What somebody else does to a slice's resources shows in the plan and is put right, and what is merely called like them is
// left alone. On a sandbox, or with CONTRACT_CLOUD=env on a real cloud.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compileSpec } from '#engine/spec/compile.ts';
import { Power, type Resource } from '#proto/pucp/driver/v1/resource.ts';
import { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { type Rig, startRig } from '../testing/slice-rig.ts';

const spec = SliceSpec.fromPartial({
  name: 'lab',
  nodes: ['vm1', 'vm2'].map((name, index) => ({
    name,
    image: 'cirros',
    flavor: 'm1.tiny',
    securityGroups: ['web'],
    interfaces: [{ network: 'lan', ipAddress: `192.168.130.${10 + index}` }],
  })),
  networks: [{ name: 'lan', cidr: '192.168.130.0/24', dnsServers: ['8.8.8.8'], internetAccess: true }],
  securityGroups: [{ name: 'web', rules: [{ protocol: 'tcp', portMin: 80 }] }],
});
const desired = compileSpec(spec, { power: Power.ON });
const within = { signal: AbortSignal.timeout(600_000) };

let rig: Rig;
let observed: readonly Resource[];
before(async () => {
  rig = await startRig();
  observed = (await rig.converge(desired)).observed;
  assert.equal(observed.length, desired.length);
});
after(async () => {
  await rig.converge([]);
  assert.deepEqual(await rig.observe(), []);
  await rig.close();
});

function idOf(kind: string, isIt: (resource: Resource) => boolean = () => true): string {
  const found = observed.find((one) => one.kind?.$case === kind && isIt(one));
  assert.ok(found, `there is a ${kind}`);
  return found.cloudId;
}
const called = (name: string) => (resource: Resource) => resource.name === name;

/** What a look finds, as `update server/vm1: why`. */
async function found(): Promise<string[]> {
  const plan = await rig.plan(desired);
  return plan.steps
    .filter(({ action }) => action !== 'keep')
    .map(({ action, key, reason }) => `${action} ${key}: ${reason}`);
}

async function repaired(): Promise<void> {
  const result = await rig.converge(desired);
  assert.equal(result.errorMessage, '');
  observed = result.observed;
  assert.deepEqual(await found(), []);
}

test('nothing differs after a deployment', async () => {
  assert.deepEqual(await found(), []);
});

test('a server deleted by somebody else is missing, and is made anew with its addresses', async () => {
  const { nova } = rig.clients;
  const id = idOf('server', called('vm1'));
  await nova.deleteServer(id, within);
  await until(async () => !(await rig.observe()).some(({ cloudId }) => cloudId === id));
  assert.deepEqual(await found(), ['create server/vm1: missing']);
  await repaired();
  assert.notEqual(idOf('server', called('vm1')), id);
});

test('a server switched off by somebody else is told and started', async () => {
  const { nova } = rig.clients;
  const id = idOf('server', called('vm2'));
  await nova.stopServer(id, within);
  await until(async () => (await nova.getServer(id, within)).status === 'SHUTOFF');
  assert.deepEqual(await found(), ['update server/vm2: it is shutoff']);
  await repaired();
  assert.equal(idOf('server', called('vm2')), id);
});

test('a port removed by somebody else is missing, and its server gets it back', async () => {
  const { ports } = rig.clients.neutron;
  const port = observed.find((one) => one.kind?.$case === 'port');
  assert.ok(port);
  await ports.remove(port.cloudId, within);
  const steps = await found();
  assert.equal(steps[0], `create port/${port.name}: missing`);
  assert.match(steps[1] ?? '', /^update server\/vm\d: port .* is missing$/);
  await repaired();
});

test('rules and addresses that somebody else changed are told and put right', async () => {
  const { neutron } = rig.clients;
  const rule = observed.find((one) => one.kind?.$case === 'securityRule');
  assert.ok(rule);
  const groupId = idOf('securityGroup');
  const foreign = {
    security_group_id: groupId,
    direction: 'ingress',
    ethertype: 'IPv4',
    protocol: 'udp',
  } as const;
  await neutron.securityGroupRules.createMany([foreign], within);
  await neutron.securityGroupRules.remove(rule.cloudId, within);
  const port = observed.find(
    (one) => one.kind?.$case === 'port' && one.kind.value.spec?.ipAddress.endsWith('.11'),
  );
  assert.ok(port);
  const moved = { subnet_id: idOf('subnet'), ip_address: '192.168.130.77' };
  await neutron.ports.change(port.cloudId, { fixed_ips: [moved], security_groups: [] }, within);
  await neutron.subnets.change(idOf('subnet'), { dns_nameservers: [] }, within);

  const steps = (await found()).join('\n');

  assert.match(steps, /^delete securityRule\/.*udp.*: it is not part of the slice$/m);
  assert.match(steps, /^create securityRule\/.*: missing$/m);
  assert.match(
    steps,
    /^update port\/.*: its address is 192.168.130.77 instead of 192.168.130.11, its security groups are default instead of web$/m,
  );
  assert.match(steps, /^update subnet\/lan: its gateway, name servers/m);
  await repaired();
});

test('a server, a network and a port of the same names in the same project are neither adopted nor touched', async () => {
  const { nova, neutron } = rig.clients;
  const network = await neutron.networks.create({ name: `${rig.sliceName}-lan` }, within);
  const addresses = { network_id: network.id, ip_version: 4, cidr: '192.168.130.0/24' } as const;
  await neutron.subnets.create({ name: `${rig.sliceName}-lan`, ...addresses }, within);
  const mine = observed.find((one) => one.kind?.$case === 'port');
  const port = await neutron.ports.create(
    { name: `${rig.sliceName}-${mine?.name}`, network_id: network.id },
    within,
  );
  const server = await nova.getServer(idOf('server', called('vm1')), within);
  const { id } = await nova.createServer(
    {
      name: server.name,
      imageRef: await imageId(),
      flavorRef: await flavorId(),
      networks: [{ port: port.id }],
    },
    within,
  );
  try {
    await nova.deleteServer(server.id, within);
    await until(async () => !(await rig.observe()).some(({ cloudId }) => cloudId === server.id));
    assert.deepEqual(await found(), ['create server/vm1: missing']);
    await repaired();
    assert.equal((await nova.getServer(id, within)).name, server.name);
    assert.equal((await neutron.ports.get(port.id, within)).device_id, id);
    assert.ok(!observed.some(({ cloudId }) => [id, port.id, network.id].includes(cloudId)));
  } finally {
    await nova.deleteServer(id, within);
    await until(() =>
      nova.getServer(id, within).then(
        () => false,
        () => true,
      ),
    );
    await neutron.ports.remove(port.id, within);
    await neutron.networks.remove(network.id, within);
  }
});

async function imageId(): Promise<string> {
  const images = await rig.clients.glance.listImages({}, within);
  const image = images.find(({ name }) => name?.startsWith('cirros'));
  assert.ok(image);
  return image.id;
}

async function flavorId(): Promise<string> {
  const flavors = await rig.clients.nova.listFlavors(within);
  const flavor = flavors.find(({ name }) => name === 'm1.tiny');
  assert.ok(flavor);
  return flavor.id;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 120_000; !(await isSo()); ) {
    assert.ok(Date.now() < deadline, 'it takes too long');
    await new Promise((done) => setTimeout(done, 200));
  }
}
