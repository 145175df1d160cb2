import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreatePortRequest,
  CreateSecurityGroupRequest,
  CreateSecurityGroupRulesRequest,
  ListSecurityGroupRulesRequest,
  ListSecurityGroupsRequest,
  UpdateSecurityGroupRequest,
  UpdateSecurityGroupRuleRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { type Contract, type ContractUser, failureOf, startContract } from './contract.ts';
import { connectNetworking, lan, type NetworkingClient } from './networking.ts';

let contract: Contract;
let networking: NetworkingClient & { close(): void };
let owner: ContractUser;
let projectId: string;
let networkId: string;
before(async () => {
  contract = await startContract();
  networking = connectNetworking(contract);
  owner = await contract.user();
  ({ projectId, networkId } = await lan(contract, owner));
});
after(async () => {
  networking.close();
  await contract.close();
});

type Wish = Parameters<typeof CreateSecurityGroupRequest.fromPartial>[0];
type RulesWish = Parameters<typeof CreateSecurityGroupRulesRequest.fromPartial>[0];
type RuleChange = Parameters<typeof UpdateSecurityGroupRuleRequest.fromPartial>[0];
const create = (fields: Wish) =>
  networking.createSecurityGroup(CreateSecurityGroupRequest.fromPartial(fields), owner.options);
const addRules = (fields: RulesWish) =>
  networking.createSecurityGroupRules(CreateSecurityGroupRulesRequest.fromPartial(fields), owner.options);
const changeRule = (fields: RuleChange) =>
  networking.updateSecurityGroupRule(UpdateSecurityGroupRuleRequest.fromPartial(fields), owner.options);
const fieldsOf = (failure: { violations: readonly { field: string }[] }) =>
  failure.violations.map(({ field }) => field);
const SSH = { protocol: 'tcp', portRangeMin: 22 };

test('a security group is made with its rules, changed, found and removed', async () => {
  const { options } = owner;
  const name = contract.name('web');
  const made = await create({ name, description: 'web and ssh', rules: [SSH, { protocol: 'icmp' }] });
  assert.equal(made.description, 'web and ssh');
  const shown = made.rules.map(
    (one) => `${one.direction} ${one.ethertype} ${one.protocol} ${one.portRangeMax}`,
  );
  assert.deepEqual(shown.sort(), [
    'egress IPv4  undefined',
    'egress IPv6  undefined',
    'ingress IPv4 icmp undefined',
    'ingress IPv4 tcp 22',
  ]);
  const change = UpdateSecurityGroupRequest.fromPartial({
    id: made.id,
    name: `${name}-2`,
    description: 'new',
  });
  const changed = await networking.updateSecurityGroup(change, options);
  assert.deepEqual([changed.name, changed.description, changed.rules.length], [`${name}-2`, 'new', 4]);
  const request = ListSecurityGroupsRequest.fromPartial({ name: `${name}-2` });
  const { securityGroups } = await networking.listSecurityGroups(request, options);
  assert.deepEqual(
    securityGroups.map(({ id }) => id),
    [made.id],
  );
  await networking.deleteSecurityGroup({ id: made.id }, options);
  const gone = await failureOf(networking.getSecurityGroup({ id: made.id }, options));
  assert.equal(gone.reason, 'SECURITY_GROUP_NOT_FOUND');
});

test('rules that exist already are no error, however they are written', async () => {
  const { id, rules: before } = await create({ name: contract.name('twice'), rules: [SSH] });
  const ssh = before.find(({ protocol }) => protocol === 'tcp')?.id;
  const { rules } = await addRules({
    id,
    rules: [
      SSH,
      { protocol: '6', portRangeMin: 22, portRangeMax: 22, description: 'by number' },
      { protocol: 'TCP', portRangeMin: 22, remoteIpPrefix: '0.0.0.0/0' },
      { protocol: 'icmp', ethertype: 'IPv6' },
      { protocol: 'icmpv6', ethertype: 'IPv6' },
    ],
  });
  const [first, ...rest] = rules.map((one) => one.id);
  assert.equal(first, ssh);
  assert.deepEqual(rest.slice(0, 2), [ssh, ssh]);
  assert.equal(rest[2], rest[3]);
  const group = await networking.getSecurityGroup({ id }, owner.options);
  assert.equal(group.rules.length, before.length + 1);
});

test('rules are listed by group, direction and protocol, in pages', async () => {
  const { options } = owner;
  const { id } = await create({ name: contract.name('list') });
  const wanted = [80, 443, 8080].map((portRangeMin) => ({ protocol: 'tcp', portRangeMin }));
  const { rules } = await addRules({ id, rules: [...wanted, { protocol: 'udp', portRangeMin: 53 }] });
  const list = (fields: Partial<ListSecurityGroupRulesRequest>) =>
    networking.listSecurityGroupRules(
      ListSecurityGroupRulesRequest.fromPartial({ securityGroupId: id, ...fields }),
      options,
    );
  assert.equal((await list({})).rules.length, 6);
  assert.equal((await list({ direction: 'egress' })).rules.length, 2);
  const tcp = { direction: 'ingress', protocol: 'tcp', pageSize: 2 };
  const first = await list(tcp);
  const second = await list({ ...tcp, pageToken: first.nextPageToken });
  const ids = [...first.rules, ...second.rules].map((one) => one.id);
  assert.deepEqual(
    ids.sort(),
    rules
      .slice(0, 3)
      .map((one) => one.id)
      .sort(),
  );
  const [one] = ids;
  assert.equal((await networking.getSecurityGroupRule({ id: one ?? '' }, options)).id, one);
  await networking.deleteSecurityGroupRule({ id: one ?? '' }, options);
  const gone = await failureOf(networking.deleteSecurityGroupRule({ id: one ?? '' }, options));
  assert.equal(gone.reason, 'SECURITY_GROUP_RULE_NOT_FOUND');
});

test('a rule is changed by being replaced', async () => {
  const { id, rules } = await create({
    name: contract.name('change'),
    rules: [
      { ...SSH, remoteIpPrefix: '10.1.0.7', description: 'me' },
      { protocol: 'udp', portRangeMin: 53 },
    ],
  });
  const [ssh, dns] = ['tcp', 'udp'].map((protocol) => rules.find((one) => one.protocol === protocol));
  assert(ssh && dns);
  assert.equal(ssh.remoteIpPrefix, '10.1.0.7/32');
  const moved = await changeRule({ id: ssh.id, portRangeMin: 2222, portRangeMax: 2223 });
  assert.notEqual(moved.id, ssh.id);
  assert.deepEqual(
    [moved.portRangeMin, moved.portRangeMax, moved.remoteIpPrefix, moved.description],
    [2222, 2223, '10.1.0.7/32', 'me'],
  );
  const same = await changeRule({ id: moved.id, portRangeMin: 2222 });
  assert.equal(same.id, moved.id);
  const described = await changeRule({ id: moved.id, description: 'you' });
  assert.deepEqual([described.description, described.portRangeMin], ['you', 2222]);
  const fromGroup = await changeRule({ id: described.id, remoteGroup: 'default' });
  assert.equal(fromGroup.remoteIpPrefix, '');
  assert.notEqual(fromGroup.remoteGroupId, '');
  const anyone = await changeRule({
    id: fromGroup.id,
    remoteGroup: '',
    portRangeMin: 53,
    portRangeMax: 53,
    protocol: 'udp',
  });
  assert.equal(anyone.id, dns.id, 'it became the rule that was there already');
  const group = await networking.getSecurityGroup({ id }, owner.options);
  assert.equal(group.rules.length, 3);
});

test('a change that the cloud refuses leaves the rule as it was', async () => {
  const { cloud, within } = contract;
  const { id, rules } = await create({ name: contract.name('refused'), rules: [SSH] });
  const ssh = rules.find(({ protocol }) => protocol === 'tcp');
  assert(ssh);
  const { neutron } = cloud.project('home');
  await neutron.setQuotas(projectId, { security_group_rule: 1 }, within);
  try {
    const failure = await failureOf(changeRule({ id: ssh.id, portRangeMin: 23, portRangeMax: 23 }));
    assert.equal(failure.reason, 'QUOTA_EXCEEDED', failure.message);
    const { rules: left } = await networking.getSecurityGroup({ id }, owner.options);
    assert.deepEqual(
      left.filter(({ protocol }) => protocol === 'tcp').map((one) => one.id),
      [ssh.id],
    );
    const many = {
      id,
      rules: [
        { protocol: 'tcp', portRangeMin: 1 },
        { protocol: 'tcp', portRangeMin: 2 },
      ],
    };
    assert.equal((await failureOf(addRules(many))).reason, 'QUOTA_EXCEEDED');
    const name = contract.name('half');
    assert.equal((await failureOf(create({ name, rules: [SSH] }))).reason, 'QUOTA_EXCEEDED');
    assert.deepEqual(await neutron.securityGroups.list({ name }, within), [], 'no group without its rules');
  } finally {
    await neutron.setQuotas(projectId, { security_group_rule: 100 }, within);
  }
});

test('every mistake in rules is told', async () => {
  const rules = [
    { direction: 'up', ethertype: 'IPv5', protocol: 'morse' },
    { protocol: 'tcp', portRangeMin: 90, portRangeMax: 80 },
    { protocol: 'tcp', portRangeMin: 0 },
    { portRangeMin: 80 },
    { protocol: 'icmp', portRangeMax: 3 },
    { remoteIpPrefix: '10.0.0.7/24' },
    { remoteIpPrefix: 'fd00::/8', ethertype: 'IPv4', remoteGroup: 'nogroup' },
  ];
  const failure = await failureOf(create({ name: '', rules }));
  assert.deepEqual(fieldsOf(failure), [
    'name',
    'rules[0].direction',
    'rules[0].ethertype',
    'rules[0].protocol',
    'rules[1].port_range_max',
    'rules[2].port_range_min',
    'rules[2].port_range_max',
    'rules[3].port_range_min',
    'rules[4].port_range_min',
    'rules[5].remote_ip_prefix',
    'rules[6].remote_group',
    'rules[6].remote_ip_prefix',
    'rules[6].remote_group',
  ]);
});

test('a group that a port has stays until the port has gone', async () => {
  const { options } = owner;
  const { id, name } = await create({ name: contract.name('held') });
  const wish = CreatePortRequest.fromPartial({ networkId, securityGroups: [name] });
  const port = await networking.createPort(wish, options);
  assert.deepEqual(port.securityGroups, [id]);
  const failure = await failureOf(networking.deleteSecurityGroup({ id }, options));
  assert.deepEqual([failure.code, failure.reason], ['ABORTED', 'SECURITY_GROUP_IN_USE']);
  assert.match(failure.message, new RegExp(port.id));
  await networking.deletePort({ id: port.id }, options);
  await networking.deleteSecurityGroup({ id }, options);
});

test('the default group has its name for ever, and its rules change', async () => {
  const { options } = owner;
  const request = ListSecurityGroupsRequest.fromPartial({ name: 'default', projectId });
  const [group] = (await networking.listSecurityGroups(request, options)).securityGroups;
  assert(group);
  const removal = await failureOf(networking.deleteSecurityGroup({ id: group.id }, options));
  assert.deepEqual([removal.code, removal.reason], ['FAILED_PRECONDITION', 'SECURITY_GROUP_DEFAULT']);
  const rename = UpdateSecurityGroupRequest.fromPartial({ id: group.id, name: 'other' });
  assert.equal(
    (await failureOf(networking.updateSecurityGroup(rename, options))).reason,
    'SECURITY_GROUP_DEFAULT',
  );
  const twin = await failureOf(create({ name: 'default' }));
  assert.equal(twin.code, 'ALREADY_EXISTS');
  const { rules } = await addRules({ id: group.id, rules: [SSH] });
  await networking.deleteSecurityGroupRule({ id: rules[0]?.id ?? '' }, options);
});
