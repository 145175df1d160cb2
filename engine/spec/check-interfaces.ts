// Mistakes in what nodes ask of their interfaces: networks, addresses, MACs, and the address outside.

import type { FieldViolation } from '#common/errors.ts';
import type { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import type { Layout } from './attach.ts';
import { duplicates, listed } from './check-names.ts';
import { gatewayOf, managementNetwork, outsideNetworks } from './compile.ts';
import { isUsable, parseAddress, parseCidr } from './ipv4.ts';

/** Neither a group address nor all zeros: IEEE 802, https://docs.openstack.org/api-ref/network/v2/#create-port */
const MAC = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;

export function* checkInterfaces(spec: SliceSpec, layout: Layout): Generator<FieldViolation> {
  const outside = outsideNetworks(spec, layout);
  const networks = new Map(layout.networks.map((network) => [network.spec.name, network]));
  const names = new Set(networks.keys());
  const addresses = new Map(managementAddresses(spec, layout));
  const macs = new Map<string, string>();
  for (const [index, node] of spec.nodes.entries()) {
    const again = duplicates(node.interfaces.map(({ network }) => network));
    for (const [position, { network, ipAddress, macAddress }] of node.interfaces.entries()) {
      const at = `nodes[${index}].interfaces[${position}]`;
      const planned = networks.get(network);
      if (!planned) {
        const message =
          network === ''
            ? 'is missing: name a network'
            : `there is no network "${network}"; ${listed(names, 'network')}`;
        yield { field: `${at}.network`, message };
      } else if (again.has(position)) {
        yield {
          field: `${at}.network`,
          message: `"${network}" is named twice; a node has one interface on a network`,
        };
      }
      if (ipAddress !== '') {
        const field = `${at}.ip_address`;
        const address = parseAddress(ipAddress);
        const cidr = parseCidr(planned?.spec.cidr ?? '');
        const key = `${network} ${ipAddress}`;
        const other = addresses.get(key);
        if (address === undefined) yield { field, message: `"${ipAddress}" is not an IPv4 address` };
        else if (planned && cidr && !isUsable(cidr, address)) {
          yield { field, message: `${ipAddress} is no host address of "${network}" (${planned.spec.cidr})` };
        } else if (planned && gatewayOf(planned, outside.has(network)) === ipAddress) {
          yield { field, message: `${ipAddress} is the gateway of the network "${network}"` };
        } else if (other && other !== managementField(index)) {
          yield { field, message: `${ipAddress} is already the address of ${other}` };
        }
        addresses.set(key, at);
      }
      if (macAddress !== '') {
        const field = `${at}.mac_address`;
        const key = macAddress.toLowerCase();
        const other = macs.get(key);
        if (!MAC.test(key) || key === '00:00:00:00:00:00') {
          yield {
            field,
            message: `"${macAddress}" is no MAC address of a host; write it like fa:16:3e:00:00:01`,
          };
        } else if (other) yield { field, message: `${macAddress} is already the MAC address of ${other}` };
        macs.set(key, at);
      }
    }
  }
}

/** Who has which address by `management_ip`, as `network address`. */
function managementAddresses(spec: SliceSpec, layout: Layout): [string, string][] {
  return spec.nodes.flatMap(({ name, managementIp }, index) => {
    const network = managementNetwork(layout, layout.attachments.get(name) ?? [], managementIp);
    return network === undefined ? [] : [[`${network} ${managementIp}`, managementField(index)]];
  });
}

function managementField(index: number): string {
  return `nodes[${index}].management_ip`;
}
