// What a topology promises, held against what the cloud itself tells. On a sandbox, or with CONTRACT_CLOUD=env on a real
// cloud.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { withLinks } from '#engine/spec/attach.ts';
import { compileSpec } from '#engine/spec/compile.ts';
import { expandTopology } from '#engine/spec/topologies/expand.ts';
import { Power, type Resource } from '#proto/pucp/driver/v1/resource.ts';
import { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { Topology } from '#proto/pucp/slice/v1/topology.ts';
import { type Rig, startRig } from '../testing/slice-rig.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(async () => {
  await rig.converge([]);
  await rig.close();
});

const context = { signal: AbortSignal.timeout(900_000) };
const topology = Topology.fromPartial({
  type: 'ring',
  nodes: 3,
  image: 'cirros',
  flavor: 'm1.nano',
  forwarding: true,
  internetAccess: true,
});
// A probe with addresses of its own and guards that know each other, beside the ring and linked to it.
const asked = SliceSpec.fromPartial({
  name: 'ring',
  nodes: [
    {
      name: 'probe',
      image: 'cirros',
      flavor: 'm1.nano',
      interfaces: [{ network: 'probe-node-2', ipAddress: '10.77.0.9', macAddress: 'fa:16:3e:77:00:09' }],
      networks: ['lan'],
      securityGroups: ['one', 'two'],
    },
  ],
  networks: [{ name: 'lan', cidr: '10.78.0.0/24' }],
  connections: [{ source: 'probe', target: 'node-2', cidr: '10.77.0.0/24' }],
  securityGroups: [
    { name: 'one', rules: [{ protocol: 'tcp', portMin: 80 }, { remoteGroup: 'two' }] },
    { name: 'two', rules: [{ protocol: 'udp', portMin: 53, remoteGroup: 'one' }] },
  ],
});

function idsOf(resources: readonly Resource[], kind: string): Map<string, string> {
  return new Map(
    resources.filter((one) => one.kind?.$case === kind).map(({ name, cloudId }) => [name, cloudId]),
  );
}

test('each link of a ring is a network of its own, interfaces are in order, and who is in between may forward', async () => {
  const spec = withLinks(expandTopology(asked, topology).spec);
  const { observed, errorMessage } = await rig.converge(compileSpec(spec, { power: Power.ON }));
  assert.equal(errorMessage, '');
  const { neutron, nova } = rig.clients;
  const networks = idsOf(observed, 'network');
  const links = ['node-1-node-2', 'node-2-node-3', 'node-3-node-1', 'probe-node-2'];
  assert.deepEqual([...networks.keys()].sort(), ['lan', 'management', ...links].sort());
  const ports = await neutron.ports.list({ id: [...idsOf(observed, 'port').values()] }, context);
  const onNetwork = (name: string) => ports.filter(({ network_id }) => network_id === networks.get(name));
  for (const link of links) assert.equal(onNetwork(link).length, 2, link);
  assert.equal(onNetwork('management').length, 3);

  const servers = idsOf(observed, 'server');
  for (const [node, interfaces] of [
    ['node-1', ['management', 'node-1-node-2', 'node-3-node-1']],
    ['node-2', ['management', 'probe-node-2', 'node-1-node-2', 'node-2-node-3']],
    ['probe', ['probe-node-2', 'lan']],
  ] as const) {
    const { addresses } = await nova.getServer(servers.get(node) ?? '', context);
    const names = interfaces.map((name) => `${rig.sliceName}-${name}`);
    assert.deepEqual(Object.keys(addresses), names, node);
  }

  const own = ports.filter(({ device_id }) => device_id === servers.get('probe'));
  const guarded = own.find(({ network_id }) => network_id === networks.get('probe-node-2'));
  assert.equal(guarded?.mac_address, 'fa:16:3e:77:00:09');
  assert.deepEqual(
    guarded.fixed_ips.map(({ ip_address }) => ip_address),
    ['10.77.0.9'],
  );
  const groups = [...idsOf(observed, 'securityGroup').values()].sort();
  for (const port of own) assert.deepEqual([...port.security_groups].sort(), groups);
  for (const port of ports.filter((one) => !own.includes(one))) {
    assert.equal(port.port_security_enabled, false);
    assert.deepEqual(port.security_groups, []);
  }
  const router = await neutron.routers.get(idsOf(observed, 'router').get('router') ?? '', context);
  assert.ok(router.external_gateway_info?.network_id);

  await rig.converge([]);
  assert.deepEqual(await rig.observe(), []);
});
