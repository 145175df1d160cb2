// Networking where one project is everybody's: only marks tell whose a thing is, and not every thing bears one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CreateFloatingIpRequest,
  CreatePortRequest,
  CreateRouterRequest,
  CreateSecurityGroupRequest,
  ListFloatingIpsRequest,
  ListPortsRequest,
  ListRoutersRequest,
  ListSecurityGroupRulesRequest,
  ListSecurityGroupsRequest,
  ListSubnetsRequest,
  UpdateNetworkRequest,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { type ContractUser, failureOf, startContract } from './contract.ts';
import { connectNetworking, lan } from './networking.ts';

test('in one project for all, users see and change only what is theirs', async () => {
  const contract = await startContract({ changes: () => ({ tenancy: 'shared' }) });
  const { within } = contract;
  const networking = connectNetworking(contract);
  const { neutron } = contract.cloud.project('home');
  const ana = await contract.user();
  const eve = await contract.user();
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const { options } = ana;
    const { networkId, subnetId } = await lan(contract, ana, { description: 'of ana' });
    undo.push(() => neutron.networks.remove(networkId, within));
    // As Nova makes them: without a mark.
    const bare = await neutron.ports.create({ network_id: networkId }, within);
    undo.push(() => neutron.ports.remove(bare.id, within));
    const port = await networking.createPort(CreatePortRequest.fromPartial({ networkId }), options);
    undo.push(() => neutron.ports.remove(port.id, within));
    const wish = { name: contract.name('r') };
    const router = await networking.createRouter(CreateRouterRequest.fromPartial(wish), options);
    undo.push(() => neutron.routers.remove(router.id, within));
    const group = await networking.createSecurityGroup(CreateSecurityGroupRequest.fromPartial(wish), options);
    undo.push(() => neutron.securityGroups.remove(group.id, within));
    const floating = await networking.createFloatingIp(CreateFloatingIpRequest.fromPartial({}), options);
    undo.push(() => neutron.floatingIps.remove(floating.id, within));

    const seenBy = async ({ options }: ContractUser) => {
      const lists = await Promise.all([
        networking.listSubnets(ListSubnetsRequest.fromPartial({}), options).then((list) => list.subnets),
        networking.listPorts(ListPortsRequest.fromPartial({ networkId }), options).then((list) => list.ports),
        networking.listRouters(ListRoutersRequest.fromPartial({}), options).then((list) => list.routers),
        networking
          .listSecurityGroups(ListSecurityGroupsRequest.fromPartial({}), options)
          .then((list) => list.securityGroups),
        networking
          .listFloatingIps(ListFloatingIpsRequest.fromPartial({}), options)
          .then((list) => list.floatingIps),
      ]);
      return new Set(lists.flatMap((things) => things.map(({ id }) => id)));
    };
    const all = [subnetId, bare.id, port.id, router.id, group.id, floating.id];
    const mine = await seenBy(ana);
    assert.deepEqual(
      all.filter((id) => !mine.has(id)),
      [],
    );
    assert.deepEqual([...(await seenBy(eve))], []);
    const rules = ListSecurityGroupRulesRequest.fromPartial({ securityGroupId: group.id });
    assert.equal((await networking.listSecurityGroupRules(rules, options)).rules.length, 2);
    assert.deepEqual((await networking.listSecurityGroupRules(rules, eve.options)).rules, []);

    const described = UpdateNetworkRequest.fromPartial({ id: networkId, description: 'still of ana' });
    assert.equal((await networking.updateNetwork(described, options)).description, 'still of ana');
    const hidden = await Promise.all([
      failureOf(networking.getNetwork({ id: networkId }, eve.options)),
      failureOf(networking.updateNetwork(described, eve.options)),
      failureOf(networking.getSubnet({ id: subnetId }, eve.options)),
      failureOf(networking.getPort({ id: bare.id }, eve.options)),
      failureOf(networking.deleteRouter({ id: router.id }, eve.options)),
      failureOf(networking.deleteSecurityGroup({ id: group.id }, eve.options)),
      failureOf(networking.deleteFloatingIp({ id: floating.id }, eve.options)),
    ]);
    assert.deepEqual(new Set(hidden.map(({ code }) => code)), new Set(['NOT_FOUND']));
    assert.equal((await networking.getPort({ id: bare.id }, options)).id, bare.id);
  } finally {
    for (const step of undo.reverse()) await step();
    networking.close();
    await contract.close();
  }
});
