import { connect } from '#common/rpc-client.ts';
import { SecurityGroupRuleSpec } from '#proto/pucp/openstack/v1/networking.ts';
import {
  CreateFloatingIpRequest,
  CreatePortRequest,
  CreateRouterRequest,
  CreateSecurityGroupRequest,
  ListSecurityGroupRulesRequest,
  type NetworkingServiceServer,
  NetworkingServiceService,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import { examplesOf } from '../ownership-examples.ts';

export const examples = examplesOf<NetworkingServiceServer>(NetworkingServiceService, {
  async make(contract, { options }, { network = '', subnet = '' }) {
    const client = connect<NetworkingServiceServer>(NetworkingServiceService, contract.url);
    try {
      const name = contract.name('x');
      const port = CreatePortRequest.fromPartial({ networkId: network, name });
      const router = CreateRouterRequest.fromPartial({ name, external: true });
      const group = CreateSecurityGroupRequest.fromPartial({ name });
      const [{ id: portId }, { id: routerId }, { id: securityGroup }, { id: floatingIp }] = await Promise.all(
        [
          client.createPort(port, options),
          client.createRouter(router, options),
          client.createSecurityGroup(group, options),
          client.createFloatingIp(CreateFloatingIpRequest.fromPartial({}), options),
        ],
      );
      await client.addRouterInterface({ id: routerId, subnetId: subnet, portId: '' }, options);
      const ofGroup = ListSecurityGroupRulesRequest.fromPartial({ securityGroupId: securityGroup });
      const { rules } = await client.listSecurityGroupRules(ofGroup, options);
      return {
        port: portId,
        router: routerId,
        securityGroup,
        floatingIp,
        rule: rules[0]?.id ?? '',
        otherRule: rules[1]?.id ?? '',
      };
    } finally {
      client.close();
    }
  },

  named(things) {
    const { project: projectId = '', network = '', subnet = '', port = '', router = '' } = things;
    const { securityGroup = '', rule = '', otherRule = '', floatingIp = '' } = things;
    const name = 'changed';
    return {
      getNetwork: { id: network },
      updateNetwork: { id: network, name },
      listSubnets: { projectId },
      getSubnet: { id: subnet },
      createSubnet: { networkId: network, cidr: '10.99.0.0/24' },
      updateSubnet: { id: subnet, name },
      listPorts: { projectId },
      getPort: { id: port },
      createPort: { networkId: network },
      updatePort: { id: port, name },
      listRouters: { projectId },
      getRouter: { id: router },
      createRouter: { name: 'x', projectId },
      updateRouter: { id: router, name },
      addRouterInterface: { id: router, subnetId: subnet },
      setRouterGateway: { id: router },
      clearRouterGateway: { id: router },
      listFloatingIps: { projectId },
      getFloatingIp: { id: floatingIp },
      createFloatingIp: { projectId },
      updateFloatingIp: { id: floatingIp, description: 'changed' },
      associateFloatingIp: { id: floatingIp, portId: port },
      disassociateFloatingIp: { id: floatingIp },
      listSecurityGroups: { projectId },
      getSecurityGroup: { id: securityGroup },
      createSecurityGroup: { name: 'x', projectId },
      updateSecurityGroup: { id: securityGroup, name },
      listSecurityGroupRules: { projectId },
      getSecurityGroupRule: { id: rule },
      createSecurityGroupRules: { id: securityGroup, rules: [] },
      updateSecurityGroupRule: { id: rule, description: 'changed' },
      deleteSecurityGroupRule: { id: otherRule },
      deleteSecurityGroup: { id: securityGroup },
      deleteFloatingIp: { id: floatingIp },
      deletePort: { id: port },
      removeRouterInterface: { id: router, subnetId: subnet },
      deleteRouter: { id: router },
      deleteSubnet: { id: subnet },
    };
  },
  mixed(own, { subnet = '', port = '', instance = '', securityGroup = '' }) {
    const { router: id = '', floatingIp = '', network = '', securityGroup: group = '' } = own;
    const rule = { direction: 'ingress', ethertype: 'IPv4', protocol: 'tcp', remoteGroup: securityGroup };
    return [
      {
        addRouterInterface: { id, subnetId: subnet },
        associateFloatingIp: { id: floatingIp, portId: port },
        createFloatingIp: { portId: port },
        createPort: { networkId: network, securityGroups: [securityGroup] },
        createSecurityGroupRules: { id: group, rules: [SecurityGroupRuleSpec.fromPartial(rule)] },
        updatePort: { id: own.port ?? '', securityGroups: [securityGroup], updateMask: ['security_groups'] },
      },
      {
        addRouterInterface: { id, portId: port },
        associateFloatingIp: { id: floatingIp, instanceId: instance },
        createFloatingIp: { instanceId: instance },
      },
      { removeRouterInterface: { id, subnetId: subnet } },
    ];
  },
  nameless: {},
});
