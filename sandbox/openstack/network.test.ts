import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Sandbox } from './server.ts';
import { type Answer, logIn, type Session, start, until } from './testing.ts';

type Page = Answer['body'];

let sandbox: Sandbox;
let admin: Session;
let demo: Session;

before(async () => {
  sandbox = await start();
  admin = await logIn(sandbox);
  demo = await logIn(sandbox, 'demo', 'demo');
});
after(() => sandbox.close());

async function makeNetwork(session: Session, name: string): Promise<string> {
  const answer = await session.call('POST', 'network', '/networks', { network: { name } });
  assert.equal(answer.status, 201, answer.text);
  return answer.body.network.id;
}

async function makeSubnet(
  session: Session,
  networkId: string,
  cidr: string,
  more: object = {},
): Promise<string> {
  const subnet = { network_id: networkId, cidr, ip_version: 4, enable_dhcp: false, ...more };
  const answer = await session.call('POST', 'network', '/subnets', { subnet });
  assert.equal(answer.status, 201, answer.text);
  return answer.body.subnet.id;
}

function kind(answer: { body: { NeutronError?: { type: string } } }): string | undefined {
  return answer.body.NeutronError?.type;
}

test('a member sees own networks and external ones, not those of others', async () => {
  const own = await makeNetwork(demo, 'mine');
  const other = await makeNetwork(admin, 'theirs');
  const list = await demo.call('GET', 'network', '/networks');
  const names = list.body.networks.map((network: { name: string }) => network.name);
  assert.ok(names.includes('mine') && names.includes('public') && !names.includes('theirs'));
  assert.equal(kind(await demo.call('GET', 'network', `/networks/${other}`)), 'NetworkNotFound');
  assert.equal((await admin.call('GET', 'network', `/networks/${own}`)).status, 200);
});

test('only admins see and set provider attributes', async () => {
  const wish = {
    network: {
      name: 'vlan',
      'provider:network_type': 'vlan',
      'provider:physical_network': 'physnet1',
      'provider:segmentation_id': 205,
    },
  };
  assert.equal((await demo.call('POST', 'network', '/networks', wish)).status, 403);
  const made = await admin.call('POST', 'network', '/networks', wish);
  assert.equal(made.body.network['provider:segmentation_id'], 205);
  assert.equal(kind(await admin.call('POST', 'network', '/networks', wish)), 'VlanIdInUse');
});

test('a subnet leaves its gateway out of the pool and refuses to overlap', async () => {
  const network = await makeNetwork(demo, 'pools');
  const wish = { subnet: { network_id: network, cidr: '10.1.0.0/24', ip_version: 4 } };
  const made = await demo.call('POST', 'network', '/subnets', wish);
  assert.equal(made.body.subnet.gateway_ip, '10.1.0.1');
  assert.deepEqual(made.body.subnet.allocation_pools, [{ start: '10.1.0.2', end: '10.1.0.254' }]);
  assert.equal(kind(await demo.call('POST', 'network', '/subnets', wish)), 'InvalidInput');
});

test('DHCP takes an address of its own a moment after the subnet is made', async () => {
  const network = await makeNetwork(demo, 'dhcp');
  await makeSubnet(demo, network, '10.2.0.0/24', { enable_dhcp: true });
  const ports = await until(
    async () => (await demo.call('GET', 'network', `/ports?network_id=${network}`)).body.ports,
    (found) => found.length === 1,
  );
  assert.equal(ports[0].device_owner, 'network:dhcp');
  assert.equal(ports[0].fixed_ips[0].ip_address, '10.2.0.2');
  assert.equal((await demo.call('DELETE', 'network', `/networks/${network}`)).status, 204);
  assert.equal((await demo.call('GET', 'network', `/ports?network_id=${network}`)).body.ports.length, 0);
});

test('an address is given once, and an empty pool says so', async () => {
  const network = await makeNetwork(demo, 'tight');
  const subnet = await makeSubnet(demo, network, '10.3.0.0/29');
  const port = (more: object) =>
    demo.call('POST', 'network', '/ports', { port: { network_id: network, ...more } });
  const chosen = { fixed_ips: [{ subnet_id: subnet, ip_address: '10.3.0.6' }] };
  assert.equal((await port(chosen)).status, 201);
  assert.equal(kind(await port(chosen)), 'IpAddressAlreadyAllocated');
  const ips = new Set<string>();
  for (let count = 0; count < 4; count += 1) ips.add((await port({})).body.port.fixed_ips[0].ip_address);
  assert.deepEqual([...ips].sort(), ['10.3.0.2', '10.3.0.3', '10.3.0.4', '10.3.0.5']);
  const full = await port({});
  assert.equal(full.status, 409);
  assert.equal(kind(full), 'IpAddressGenerationFailure');
});

test('making many ports makes all of them or none', async () => {
  const network = await makeNetwork(demo, 'bulk');
  const before = (await demo.call('GET', 'network', `/ports?network_id=${network}`)).body.ports.length;
  const good = { network_id: network, name: 'ok' };
  const bad = { network_id: '00000000-0000-0000-0000-000000000000' };
  assert.equal((await demo.call('POST', 'network', '/ports', { ports: [good, bad] })).status, 404);
  const list = `/ports?network_id=${network}`;
  assert.equal((await demo.call('GET', 'network', list)).body.ports.length, before);
  const made = await demo.call('POST', 'network', '/ports', { ports: [good, good, good] });
  assert.equal(made.body.ports.length, 3);
});

test('lists are filtered by repeated ids, by tags, and cut to fields and pages', async () => {
  const network = await makeNetwork(demo, 'lists');
  const wish = ['a', 'b', 'c'].map((name) => ({ network_id: network, name: `list-${name}` }));
  const ports = (await demo.call('POST', 'network', '/ports', { ports: wish })).body.ports;
  const [a, b] = ports;
  assert.deepEqual((await demo.call('PUT', 'network', `/ports/${a.id}/tags`, { tags: ['x', 'y'] })).body, {
    tags: ['x', 'y'],
  });
  await demo.call('PUT', 'network', `/ports/${b.id}/tags/x`);
  const names = async (query: string) => {
    const answer = await demo.call('GET', 'network', `/ports?network_id=${network}&fields=name&${query}`);
    return answer.body.ports.map((port: { name: string }) => port.name).sort();
  };
  assert.deepEqual(await names(`id=${a.id}&id=${b.id}`), ['list-a', 'list-b']);
  assert.deepEqual(await names('tags=x,y'), ['list-a']);
  assert.deepEqual(await names('tags-any=x,y'), ['list-a', 'list-b']);
  assert.deepEqual(await names('not-tags-any=x,y'), ['list-c']);
  assert.equal((await demo.call('GET', 'network', '/ports?nonsense=1')).status, 400);

  const seen: string[] = [];
  let path: string | undefined = `/ports?network_id=${network}&limit=2&sort_key=name&sort_dir=asc`;
  while (path) {
    const page: Page = (await demo.call('GET', 'network', path)).body;
    seen.push(...page.ports.map((port: { name: string }) => port.name));
    const next: string | undefined = page.ports_links?.find(
      (link: { rel: string }) => link.rel === 'next',
    )?.href;
    path = next?.slice(next.indexOf('/ports'));
  }
  assert.deepEqual(seen, ['list-a', 'list-b', 'list-c']);
});

test('a router joins networks, and nothing in use can be deleted', async () => {
  const external = (await demo.call('GET', 'network', '/networks?router:external=true')).body.networks[0].id;
  const network = await makeNetwork(demo, 'inside');
  const subnet = await makeSubnet(demo, network, '10.4.0.0/24');
  const wish = { router: { name: 'edge', external_gateway_info: { network_id: external } } };
  const router = (await demo.call('POST', 'network', '/routers', wish)).body.router;
  assert.match(router.external_gateway_info.external_fixed_ips[0].ip_address, /^172\.24\.[4-7]\./);
  const joined = await demo.call('PUT', 'network', `/routers/${router.id}/add_router_interface`, {
    subnet_id: subnet,
  });
  assert.equal(joined.status, 200);
  assert.equal(
    kind(await demo.call('DELETE', 'network', `/ports/${joined.body.port_id}`)),
    'ServicePortInUse',
  );
  assert.equal(kind(await demo.call('DELETE', 'network', `/subnets/${subnet}`)), 'SubnetInUse');
  assert.equal(kind(await demo.call('DELETE', 'network', `/networks/${network}`)), 'NetworkInUse');
  assert.equal(kind(await demo.call('DELETE', 'network', `/routers/${router.id}`)), 'RouterInUse');

  const port = (await demo.call('POST', 'network', '/ports', { port: { network_id: network } })).body.port;
  const floating = await demo.call('POST', 'network', '/floatingips', {
    floatingip: { floating_network_id: external, port_id: port.id },
  });
  assert.equal(floating.body.floatingip.fixed_ip_address, port.fixed_ips[0].ip_address);
  const leave = () =>
    demo.call('PUT', 'network', `/routers/${router.id}/remove_router_interface`, { subnet_id: subnet });
  assert.equal(kind(await leave()), 'RouterInterfaceInUseByFloatingIP');
  await demo.call('DELETE', 'network', `/floatingips/${floating.body.floatingip.id}`);
  await demo.call('DELETE', 'network', `/ports/${port.id}`);
  assert.equal((await leave()).status, 200);
  assert.equal((await demo.call('DELETE', 'network', `/routers/${router.id}`)).status, 204);
  assert.equal((await demo.call('DELETE', 'network', `/networks/${network}`)).status, 204);
});

test('every project has a default security group, and a rule exists once', async () => {
  const list = await demo.call('GET', 'network', '/security-groups?name=default');
  assert.equal(list.body.security_groups[0].security_group_rules.length, 4);
  const made = await demo.call('POST', 'network', '/security-groups', { security_group: { name: 'web' } });
  const group = made.body.security_group;
  assert.equal(group.security_group_rules.length, 2);
  const rule = {
    security_group_id: group.id,
    direction: 'ingress',
    protocol: 'tcp',
    port_range_min: 80,
    port_range_max: 80,
  };
  assert.equal(
    (await demo.call('POST', 'network', '/security-group-rules', { security_group_rule: rule })).status,
    201,
  );
  assert.equal(
    kind(await demo.call('POST', 'network', '/security-group-rules', { security_group_rule: rule })),
    'SecurityGroupRuleExists',
  );
  const network = await makeNetwork(demo, 'secured');
  const port = { network_id: network, security_groups: [group.id] };
  const attached = await demo.call('POST', 'network', '/ports', { port });
  assert.equal(
    kind(await demo.call('DELETE', 'network', `/security-groups/${group.id}`)),
    'SecurityGroupInUse',
  );
  await demo.call('DELETE', 'network', `/ports/${attached.body.port.id}`);
  assert.equal((await demo.call('DELETE', 'network', `/security-groups/${group.id}`)).status, 204);
});

test('an exhausted quota is a 409 OverQuota, for many at once as for one', async () => {
  const project = (await admin.call('POST', 'identity', '/projects', { project: { name: 'small' } })).body
    .project.id;
  const quota = await admin.call('PUT', 'network', `/quotas/${project}`, { quota: { network: 2 } });
  assert.equal(quota.body.quota.network, 2);
  const wish = (name: string) => ({ name, project_id: project });
  const three = await admin.call('POST', 'network', '/networks', {
    networks: [wish('1'), wish('2'), wish('3')],
  });
  assert.equal(kind(three), 'OverQuota');
  const two = await admin.call('POST', 'network', '/networks', { networks: [wish('1'), wish('2')] });
  assert.equal(two.status, 201);
  assert.equal(kind(await admin.call('POST', 'network', '/networks', { network: wish('3') })), 'OverQuota');
  const details = await admin.call('GET', 'network', `/quotas/${project}/details.json`);
  assert.deepEqual(details.body.quota.network, { limit: 2, used: 2, reserved: 0 });
});

test('an update with an outdated revision number is refused', async () => {
  const network = await makeNetwork(demo, 'revised');
  const update = (revision: number) =>
    demo.call(
      'PUT',
      'network',
      `/networks/${network}`,
      { network: { name: 'newer' } },
      { 'if-match': `revision_number=${revision}` },
    );
  assert.equal((await update(1)).status, 200);
  assert.equal(kind(await update(1)), 'RevisionNumberConstraintFailed');
});

test('on a SLAAC subnet every port but a router’s has the address that its MAC makes', async () => {
  const network = await makeNetwork(demo, 'slaac');
  const make = async (port: object) =>
    (await demo.call('POST', 'network', '/ports', { port: { network_id: network, ...port } })).body.port;
  const ipsOf = async (id: string) =>
    (await demo.call('GET', 'network', `/ports/${id}`)).body.port.fixed_ips.map(
      (ip: { ip_address: string }) => ip.ip_address,
    );
  const before = await make({ mac_address: 'fa:16:3e:00:00:07' });
  const slaac = await makeSubnet(demo, network, 'fd00:6::/64', {
    ...{ ip_version: 6, enable_dhcp: true, ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' },
  });
  const v4 = await makeSubnet(demo, network, '10.66.0.0/24');
  assert.deepEqual(await ipsOf(before.id), ['fd00:6::f816:3eff:fe00:7']);
  const both = await make({ mac_address: 'fa:16:3e:00:00:08', fixed_ips: [{ subnet_id: v4 }] });
  assert.equal(both.fixed_ips.length, 2);
  assert.equal(both.fixed_ips[1].ip_address, 'fd00:6::f816:3eff:fe00:8');
  const chosen = { network_id: network, fixed_ips: [{ ip_address: 'fd00:6::9' }] };
  assert.equal(
    kind(await demo.call('POST', 'network', '/ports', { port: chosen })),
    'AllocationOnAutoAddressSubnet',
  );
  assert.equal((await demo.call('DELETE', 'network', `/subnets/${slaac}`)).status, 204);
  assert.equal((await ipsOf(both.id)).length, 1);
});

test('a subnet that cannot be is refused in Neutron’s words', async () => {
  const network = await makeNetwork(demo, 'refused');
  const refusal = async (more: object) => {
    const subnet = { network_id: network, ip_version: 4, cidr: '10.0.0.0/24', ...more };
    const answer = await demo.call('POST', 'network', '/subnets', { subnet });
    return `${answer.status} ${answer.body.NeutronError?.message}`;
  };
  const six = { ip_version: 6, cidr: 'fd00::/64' };
  assert.match(await refusal({ cidr: '224.0.0.0/24' }), /^400 .*Multicast IP subnet is not supported/);
  assert.match(await refusal({ cidr: '127.0.0.0/24' }), /^400 .*Loopback IP subnet is not supported/);
  assert.match(await refusal({ cidr: '10.0.0.0/31' }), /^400 .*incompatible with DHCP/);
  assert.match(await refusal({ gateway_ip: '10.0.0.255' }), /^400 .*Gateway is not valid on subnet/);
  assert.match(await refusal({ gateway_ip: 'fd00::1' }), /^400 .*does not match the ip_version/);
  assert.match(await refusal({ ipv6_ra_mode: 'slaac' }), /^400 .*not valid when ip_version is 4/);
  assert.match(
    await refusal({ ...six, ipv6_ra_mode: 'slaac', ipv6_address_mode: 'dhcpv6-stateless' }),
    /^400 .*must be the same value/,
  );
  assert.match(
    await refusal({ ...six, cidr: 'fd00::/96', ipv6_address_mode: 'slaac' }),
    /^400 .*requires the prefix to be \/64/,
  );
  const pool = { allocation_pools: [{ start: '10.0.0.9', end: '10.0.0.3' }] };
  assert.match(await refusal(pool), /^400 The allocation pool {'start': '10.0.0.9', 'end': '10.0.0.3'}/);
});
