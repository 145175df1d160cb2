// POST /servers: everything Nova checks before it says 202.

import { randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { type Call, isObject, type Json, type Reply } from '../http.ts';
import { isUuid, nowSeconds, pythonText, randomWord } from '../ids.ts';
import { ensureDefaultGroup } from '../neutron/security-groups.ts';
import {
  badRequest,
  conflict,
  forbidden,
  invalidField,
  metadataOf,
  objectOf,
  requirePolicy,
} from './faults.ts';
import { isUsable } from './flavors.ts';
import { hostNames, ZONE } from './hosts.ts';
import { computeLimits, reserveServers } from './quotas.ts';
import type { FlavorRow, ServerRow, VolumeAttachment } from './rows.ts';
import { accessAddressOf, diskConfigOf, serverGroupOf } from './server-attributes.ts';
import { startBuild } from './server-life.ts';
import { checkPortQuota, networksOf } from './server-networks.ts';
import { checkServerSchema } from './server-schema.ts';
import { linksOf } from './server-view.ts';
import { volumesOf } from './server-volumes.ts';

function allowedAt(minor: number): string[] {
  return [
    ...[
      'name',
      'imageRef',
      'flavorRef',
      'networks',
      'metadata',
      'security_groups',
      'key_name',
      'availability_zone',
    ],
    ...[
      'user_data',
      'config_drive',
      'min_count',
      'max_count',
      'return_reservation_id',
      'adminPass',
      'accessIPv4',
    ],
    ...[
      'accessIPv6',
      'OS-DCF:diskConfig',
      'block_device_mapping_v2',
      'block_device_mapping',
      'OS-SCH-HNT:scheduler_hints',
    ],
    ...(minor < 57 ? ['personality'] : []),
    ...(minor >= 19 ? ['description'] : []),
    ...(minor >= 52 ? ['tags'] : []),
    ...(minor >= 63 ? ['trusted_image_certificates'] : []),
    ...(minor >= 74 ? ['host', 'hypervisor_hostname'] : []),
    ...(minor >= 90 ? ['hostname'] : []),
  ];
}

export function createServers(cloud: Cloud, call: Call): Reply {
  const { caller, minor } = call;
  const required = ['name', 'flavorRef', ...(minor >= 37 ? ['networks'] : [])];
  const input = objectOf(call.body, 'server', { allowed: allowedAt(minor), required });
  const name = nameOf(input.name);
  checkServerSchema(input, minor);
  const metadata = metadataOf(input.metadata ?? {}, 'metadata');
  const tags = tagsOf(input.tags);
  const { zone, host } = zoneOf(cloud, call, input);
  const flavor = flavorOf(cloud, caller, input.flavorRef);
  const groupId = serverGroupOf(cloud, call);
  for (const version of [4, 6] as const) accessAddressOf(input, version);
  const groups = groupsOf(cloud, call, input.security_groups);
  const volumes = volumesOf(cloud, call, input.block_device_mapping_v2);
  const imageId = imageOf(cloud, call, input.imageRef, flavor, volumes);
  if (typeof input.key_name === 'string' && !cloud.keypairs.get(`${caller.userId}/${input.key_name}`)) {
    throw badRequest('Invalid key_name provided.');
  }
  const least = countOf(input.min_count, 'min_count', 1);
  const most = countOf(input.max_count, 'max_count', least);
  if (least > most) throw badRequest('min_count must be <= max_count');
  const networks = networksOf(cloud, call, input.networks, most);
  checkMetadataQuota(cloud, caller.projectId, metadata);
  checkPortQuota(
    cloud,
    caller.projectId,
    networks.filter((wish) => wish.port_id === undefined).length * least,
  );
  const size = { vcpus: flavor.vcpus, ram: flavor.ram, least, wanted: most };
  const count = reserveServers(cloud, caller.projectId, size);

  const reservationId = `r-${randomWord(8).toLowerCase()}`;
  const servers = Array.from({ length: count }, (_, index): ServerRow => {
    const now = nowSeconds();
    const ownName = most > 1 ? `${name}-${index + 1}` : name;
    cloud.serversMade += 1;
    return {
      id: randomUUID(),
      name: ownName,
      project_id: caller.projectId,
      user_id: caller.userId,
      image_id: imageId,
      flavor,
      old_flavor: null,
      vm_state: 'building',
      task_state: 'scheduling',
      power_state: 0,
      host: '',
      hostname: typeof input.hostname === 'string' ? input.hostname : hostnameOf(ownName),
      availability_zone: '',
      requested_zone: zone,
      requested_host: host,
      metadata,
      tags,
      description: descriptionOf(input.description, ownName, minor),
      key_name: typeof input.key_name === 'string' ? input.key_name : null,
      config_drive: input.config_drive === true || String(input.config_drive).toLowerCase() === 'true',
      user_data: typeof input.user_data === 'string' ? input.user_data : null,
      access_ip_v4: accessAddressOf(input, 4),
      access_ip_v6: accessAddressOf(input, 6),
      security_groups: groups,
      requested_networks: networks,
      own_port_ids: [],
      volumes: volumes.map((make) => make()),
      fault: null,
      locked: false,
      locked_reason: null,
      reservation_id: reservationId,
      launch_index: index,
      number: cloud.serversMade,
      actions: [{ action: 'create', request_id: call.requestId, user_id: caller.userId, start_time: now }],
      created_at: now,
      updated_at: now,
      launched_at: null,
      ...diskConfigOf(input),
      ...(groupId === undefined ? {} : { server_group_id: groupId }),
    };
  });
  for (const server of servers) {
    cloud.servers.put(server);
    startBuild(cloud, server);
  }
  const [first] = servers;
  if (input.return_reservation_id === true) return { status: 202, body: { reservation_id: reservationId } };
  const id = first?.id ?? '';
  const server = {
    id,
    links: linksOf(cloud, id),
    'OS-DCF:diskConfig': String(input['OS-DCF:diskConfig'] ?? 'MANUAL'),
    security_groups: groups.map((group) => ({ name: group })),
    adminPass: typeof input.adminPass === 'string' ? input.adminPass : randomWord(12),
  };
  return { status: 202, body: { server }, headers: { location: `${cloud.url}/compute/v2.1/servers/${id}` } };
}

export function nameOf(value: unknown): string {
  if (typeof value !== 'string')
    throw invalidField('name', value, `${pythonText(value)} is not of type 'string'`);
  if (value === '') throw invalidField('name', value, `'' is too short`);
  if (value.length > 255) throw invalidField('name', value, `'${value}' is too long`);
  if (value.trim() !== value) {
    throw badRequest(
      "An invalid 'name' value was provided. The name must be: printable characters. Can not start or end with whitespace.",
    );
  }
  return value;
}

function hostnameOf(name: string): string {
  const clean = name
    .toLowerCase()
    .replace(/[ _.]/g, '-')
    .replace(/[^a-z0-9.-]/g, '')
    .replace(/^[-.]+|[-.]+$/g, '');
  return clean.slice(0, 63) || 'server';
}

/** Before 2.19 there was no description, and Nova fills in the name. */
function descriptionOf(value: unknown, name: string, minor: number): string | null {
  if (minor < 19) return name;
  return typeof value === 'string' ? value : null;
}

function tagsOf(value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidField('tags', value, `${pythonText(value)} is not of type 'array'`);
  value.forEach((tag, index) => void checkTag(tag, String(index)));
  if (value.length > 50) throw invalidField('tags', value, `${pythonText(value)} is too long`);
  return [...new Set(value as string[])].sort();
}

export function checkTag(tag: unknown, field = 'tag'): void {
  if (tag === '') throw invalidField(field, tag, "'' is too short");
  if (typeof tag === 'string' && tag.length > 60) throw invalidField(field, tag, `'${tag}' is too long`);
  if (typeof tag !== 'string' || /[,/]/.test(tag)) {
    throw invalidField(field, tag, `${pythonText(tag)} does not match '^[^,/]*$'`);
  }
}

function zoneOf(cloud: Cloud, { caller }: Call, input: Json): { zone: string; host: string } {
  const host = input.host ?? input.hypervisor_hostname;
  if (host !== undefined) {
    requirePolicy(caller, 'compute:servers:create:requested_destination');
    if (!hostNames(cloud).includes(String(host)))
      throw badRequest(`Compute host ${String(host)} could not be found.`);
  }
  if (typeof input.availability_zone !== 'string') return { zone: '', host: String(host ?? '') };
  const [zone = '', forced = ''] = input.availability_zone.split(':');
  if (forced !== '') requirePolicy(caller, 'os_compute_api:servers:create:forced_host');
  if (zone !== ZONE) throw badRequest('The requested availability zone is not available');
  return { zone, host: forced || String(host ?? '') };
}

function flavorOf(cloud: Cloud, caller: Caller, reference: unknown): FlavorRow {
  const id = String(reference).split('/').at(-1);
  const flavor = cloud.flavors.get(id);
  if (!flavor || !(caller.isAdmin || isUsable(flavor, caller.projectId)))
    throw badRequest(`Flavor ${id} could not be found.`);
  return flavor;
}

function imageOf(
  cloud: Cloud,
  { caller }: Call,
  reference: unknown,
  flavor: FlavorRow,
  volumes: readonly (() => VolumeAttachment)[],
): string {
  if (reference === undefined || reference === '' || reference === null) {
    if (volumes.length === 0) {
      throw badRequest('Missing imageRef attribute');
    }
    return '';
  }
  if (!isUuid(reference)) {
    throw invalidField(
      'imageRef',
      reference,
      `${pythonText(reference)} is not valid under any of the given schemas`,
    );
  }
  const image = cloud.images.get(reference);
  const isVisible =
    image &&
    (caller.isAdmin || image.owner === caller.projectId || /public|community/.test(image.visibility));
  if (!image || !isVisible) throw badRequest('Can not find requested image');
  if (image.status !== 'active') throw badRequest(`Image ${image.id} is not active.`);
  if (image.min_ram > flavor.ram) throw badRequest("Flavor's memory is too small for requested image.");
  const bytes = (gigabytes: number) => gigabytes * 1024 ** 3;
  if (flavor.disk > 0 && image.min_disk > flavor.disk) {
    throw badRequest(
      `Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is ${bytes(flavor.disk)} bytes, minimum size is ${bytes(image.min_disk)} bytes.`,
    );
  }
  return image.id;
}

function groupsOf(cloud: Cloud, { caller }: Call, value: unknown): string[] {
  if (value === undefined) return ['default'];
  if (!Array.isArray(value))
    throw invalidField('security_groups', value, `${pythonText(value)} is not of type 'array'`);
  ensureDefaultGroup(cloud, caller.projectId);
  const own = cloud.groups.by('project_id', caller.projectId);
  const names = value.map((entry) => (isObject(entry) ? String(entry.name) : String(entry)));
  for (const name of names) {
    const found = own.filter((group) => group.id === name || group.name === name);
    if (found.length === 0) throw badRequest(`Unable to find security_group with name or id '${name}'`);
    if (found.length > 1 && !found.some((group) => group.id === name)) {
      throw conflict(
        `Multiple security_group matches found for name '${name}', use an ID to be more specific.`,
      );
    }
  }
  return names.length === 0 ? ['default'] : [...new Set(names)];
}

function countOf(value: unknown, name: string, fallback: number): number {
  if (value === undefined) return fallback;
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1) return number;
  throw invalidField(name, value, `${pythonText(value)} is less than the minimum of 1`);
}

function checkMetadataQuota(cloud: Cloud, projectId: string, metadata: Record<string, string>): void {
  const limit = computeLimits(cloud, projectId).metadata_items ?? -1;
  if (limit >= 0 && Object.keys(metadata).length > limit) {
    throw forbidden(`Maximum number of metadata items exceeds ${limit}`);
  }
}
