// A Nova server as clients of the orchestrator see it.

import { Instance } from '#proto/pucp/openstack/v1/openstack.ts';
import type { Server } from '../api/nova-servers.ts';
import { shownKeyName } from '../key-names.ts';
import { sliceOf } from '../marks.ts';
import { utc } from './deps.ts';

export function instanceView(server: Server, projectName: string): Instance {
  const addresses = Object.entries(server.addresses).flatMap(([network, list]) =>
    list.map((one) => ({
      network,
      ipAddress: one.addr,
      macAddress: one['OS-EXT-IPS-MAC:mac_addr'],
      type: one['OS-EXT-IPS:type'],
    })),
  );
  const first = (type: string) => addresses.find((one) => one.type === type)?.ipAddress ?? '';
  return Instance.fromPartial({
    id: server.id,
    instanceName: server.name,
    openstackInstanceId: server.id,
    status: server.status.toLowerCase(),
    projectId: server.tenant_id,
    projectName,
    sliceId: sliceOf(server),
    imageId: server.image === '' ? '' : server.image.id,
    flavorId: server.flavor.original_name,
    addresses,
    privateIp: first('fixed'),
    publicIp: first('floating'),
    // Nova names a group once for every port.
    securityGroups: [...new Set((server.security_groups ?? []).map(({ name }) => name))],
    keyName: shownKeyName(server.key_name ?? ''),
    availabilityZone: server['OS-EXT-AZ:availability_zone'],
    metadata: { ...server.metadata },
    errorMessage: server.status === 'ERROR' ? (server.fault?.message ?? 'Nova gave no reason') : '',
    taskState: server['OS-EXT-STS:task_state'] ?? '',
    locked: server.locked,
    createdAt: utc(server.created),
    updatedAt: utc(server.updated),
  });
}
