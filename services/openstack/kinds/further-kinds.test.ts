// What a node may have beside its ports: guards, disks, an address outside, a key. On a sandbox, or with
// CONTRACT_CLOUD=env on a real cloud.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KINDS } from '#engine/graph.ts';
import { compileSpec } from '#engine/spec/compile.ts';
import { OnFailure } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, type Resource } from '#proto/pucp/driver/v1/resource.ts';
import { RuleDirection, SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { cloudKeyName } from '../key-names.ts';
import { type Rig, startRig } from '../testing/slice-rig.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(async () => {
  await rig.converge([]);
  await rig.close();
});

type Fields = Parameters<typeof SliceSpec.fromPartial>[0];
type Node = NonNullable<Fields['nodes']>[number];
type Rules = NonNullable<NonNullable<Fields['securityGroups']>[number]['rules']>;

const within = { signal: AbortSignal.timeout(600_000) };
const rules = [
  { protocol: 'tcp', portMin: 22 },
  { protocol: 'TCP', portMin: 8000, portMax: 8010, remoteCidr: '10.0.0.0/8' },
  { protocol: 'icmp', portMin: 8 },
  { remoteGroup: 'web' },
  { protocol: 'icmpv6' },
];
const node = { name: 'web1', image: 'cirros', flavor: 'm1.nano', networks: ['lan'] };
const specOf = (fields: Partial<Node>, groupRules: Rules = rules) =>
  SliceSpec.fromPartial({
    name: 'further',
    nodes: [{ ...node, ...fields }],
    networks: [{ name: 'lan', cidr: '10.20.0.0/24' }],
    securityGroups: [{ name: 'web', rules: groupRules }],
  });
const deploy = (fields: Partial<Node>, groupRules?: Rules) =>
  rig.converge(compileSpec(specOf(fields, groupRules), { power: Power.ON }), { onFailure: OnFailure.KEEP });
const find = (all: readonly Resource[], kind: (typeof KINDS)[number], name: string) => {
  const found = all.find((one) => one.kind?.$case === kind && one.name === name);
  assert.ok(found, `there is a ${kind} ${name}`);
  return found;
};
const namesOf = (all: readonly Resource[], kind: (typeof KINDS)[number]) =>
  all
    .filter((one) => one.kind?.$case === kind)
    .map(({ name }) => name)
    .sort();

test('a guarded node with disks, a key and an address outside is deployed, and a second look finds nothing to do', async () => {
  const key = cloudKeyName('test.u1', 'laptop');
  const { nova } = rig.clients;
  await nova.createKeypair({ name: key }, within);
  try {
    const full = {
      keyPair: 'laptop',
      userData: '#!/bin/sh\necho hello\n',
      securityGroups: ['web'],
      floatingIp: true,
      volumes: [{ size: 1 }, { name: 'data', size: 1 }],
      interfaces: [{ network: 'lan', ipAddress: '10.20.0.77', macAddress: 'fa:16:3e:77:77:77' }],
    };
    const made = await deploy(full);
    assert.equal(made.errorMessage, '');
    assert.deepEqual(namesOf(made.observed, 'volume'), ['data', 'web1-disk1']);
    assert.deepEqual(namesOf(made.observed, 'securityRule'), [
      'web/in IPv4 any from group web',
      'web/in IPv4 icmp 8 from everyone',
      'web/in IPv4 tcp 22 from everyone',
      'web/in IPv4 tcp 8000-8010 from 10.0.0.0/8',
      'web/in IPv6 icmpv6 from everyone',
    ]);
    const port = find(made.observed, 'port', 'web1-lan');
    assert.equal(port.kind?.$case === 'port' && port.kind.value.spec?.macAddress, 'fa:16:3e:77:77:77');
    const address = find(made.observed, 'floatingIp', 'web1');
    assert.match(
      (address.kind?.$case === 'floatingIp' && address.kind.value.status?.ipAddress) || '',
      /^\d+\./,
    );
    const server = await nova.getServer(find(made.observed, 'server', 'web1').cloudId, within);
    assert.equal(server.key_name, key);
    assert.deepEqual(
      server['os-extended-volumes:volumes_attached'].map(({ id }) => id).sort(),
      ['data', 'web1-disk1'].map((name) => find(made.observed, 'volume', name).cloudId).sort(),
    );

    const again = await deploy(full);
    assert.deepEqual(
      again.reports.filter(({ resource }) => resource),
      [],
    );

    const changed = await deploy({ ...full, keyPair: '', userData: '' });
    assert.equal(changed.errorMessage, '');
    const kept = (kind: 'volume' | 'floatingIp' | 'port', name: string) =>
      assert.equal(find(changed.observed, kind, name).cloudId, find(made.observed, kind, name).cloudId);
    assert.notEqual(find(changed.observed, 'server', 'web1').cloudId, server.id);
    kept('volume', 'data');
    kept('floatingIp', 'web1');
    kept('port', 'web1-lan');
  } finally {
    await rig.converge([]);
    await nova.deleteKeypair(key, within);
  }
  assert.deepEqual(await rig.observe(), []);
});

test('what a living node has beside its ports is given and taken without making it anew', async () => {
  const plain = await deploy({});
  const idOf = (all: readonly Resource[]) => find(all, 'server', 'web1').cloudId;
  const portOf = (all: readonly Resource[]) => {
    const { kind } = find(all, 'port', 'web1-lan');
    return kind?.$case === 'port' ? kind.value.spec : undefined;
  };
  const steps: Partial<Node>[] = [
    { securityGroups: ['web'], volumes: [{ size: 1 }], floatingIp: true },
    { forwarding: true, volumes: [{ size: 1 }, { size: 2 }] },
    {},
  ];
  for (const fields of steps) {
    const next = await deploy(fields);
    assert.equal(next.errorMessage, '');
    assert.equal(idOf(next.observed), idOf(plain.observed));
    assert.equal(portOf(next.observed)?.forwarding, fields.forwarding ?? false);
    assert.deepEqual(portOf(next.observed)?.securityGroups, fields.securityGroups ?? []);
    assert.equal(namesOf(next.observed, 'volume').length, fields.volumes?.length ?? 0);
    assert.equal(namesOf(next.observed, 'floatingIp').length, fields.floatingIp ? 1 : 0);
  }
  const ports = await rig.clients.neutron.ports.list(
    { id: find(plain.observed, 'port', 'web1-lan').cloudId },
    within,
  );
  assert.equal(ports[0]?.security_groups.length, 1, 'the project’s default group is back');
  await rig.converge([]);
});

test('groups that know each other are made together, each with its rules', async () => {
  const securityGroups = [
    { name: 'web', rules: [{ protocol: 'tcp', portMin: 80 }, { remoteGroup: 'db' }] },
    { name: 'db', rules: [{ protocol: 'tcp', portMin: 5432, remoteGroup: 'web' }] },
  ];
  const spec = SliceSpec.fromPartial({ ...specOf({ securityGroups: ['web', 'db'] }), securityGroups });
  const made = await rig.converge(compileSpec(spec, { power: Power.ON }), { onFailure: OnFailure.KEEP });
  assert.equal(made.errorMessage, '');
  assert.deepEqual(namesOf(made.observed, 'securityRule'), [
    'db/in IPv4 tcp 5432 from group web',
    'web/in IPv4 any from group db',
    'web/in IPv4 tcp 80 from everyone',
  ]);
  await rig.converge([]);
  assert.deepEqual(await rig.observe(), []);
});

test('rules change by being made and removed; one for egress closes what was open', async () => {
  await deploy({}, [{ protocol: 'tcp', portMin: 80 }]);
  const closed = await deploy({}, [{ direction: RuleDirection.EGRESS, protocol: 'udp', portMin: 53 }]);
  assert.equal(closed.errorMessage, '');
  assert.deepEqual(namesOf(closed.observed, 'securityRule'), ['web/out IPv4 udp 53 to everyone']);
  const group = await rig.clients.neutron.securityGroups.get(
    find(closed.observed, 'securityGroup', 'web').cloudId,
    within,
  );
  assert.equal(group.security_group_rules.length, 1);
  const open = await deploy({}, []);
  const kind = find(open.observed, 'securityGroup', 'web').kind;
  assert.equal(kind?.$case === 'securityGroup' && kind.value.status?.openEgressRules, 2);
  assert.deepEqual(namesOf(open.observed, 'securityRule'), []);
  await rig.converge([]);
  assert.deepEqual(await rig.observe(), []);
});

test('of two groups of one name, as a list that lagged may bring about, one is left by its ports and removed', async () => {
  const spec = specOf({ securityGroups: ['web'] });
  const [first] = spec.nodes;
  assert.ok(first);
  const desired = compileSpec({ ...spec, nodes: [first, { ...first, name: 'web2' }] }, { power: Power.ON });
  const made = await rig.converge(desired);
  const { ports, securityGroups } = rig.clients.neutron;
  const group = await securityGroups.get(find(made.observed, 'securityGroup', 'web').cloudId, within);
  const { name, description } = group;
  const twin = await securityGroups.create({ name, description }, within);
  const portId = find(made.observed, 'port', 'web2-lan').cloudId;
  await ports.change(portId, { security_groups: [twin.id] }, within);

  const again = await rig.converge(desired);
  assert.equal(again.errorMessage, '');
  const kept = find(again.observed, 'securityGroup', 'web').cloudId;
  assert.deepEqual(
    (await securityGroups.list({ description }, within)).map(({ id }) => id),
    [kept],
  );
  for (const port of await ports.list({ description }, within)) {
    assert.deepEqual(port.security_groups, [kept]);
  }
  await rig.converge([]);
});
