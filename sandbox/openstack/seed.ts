// What a fresh sandbox holds: users, projects, roles, the flavors and images of the original system, one external
// network. Ids are the same in every sandbox. What is there already is left alone.

import { createHash } from 'node:crypto';
import type { Cloud } from './cloud.ts';
import { hashSecret, nowSeconds, stableHexId, stableUuid } from './ids.ts';
import { grantId } from './keystone/assignments.ts';

/** Unlimited, as an operator's own project is in most clouds. */
const UNLIMITED: Readonly<Record<string, readonly string[]>> = {
  compute: ['cores', 'instances', 'ram', 'key_pairs', 'server_groups', 'server_group_members'],
  network: [
    'network',
    'subnet',
    'subnetpool',
    'port',
    'router',
    'floatingip',
    'security_group',
    'security_group_rule',
  ],
  volume: ['volumes', 'snapshots', 'gigabytes', 'backups', 'backup_gigabytes'],
};

const FLAVORS = [
  { id: '1', name: 'm1.tiny', vcpus: 1, ram: 512, disk: 1 },
  { id: '2', name: 'm1.small', vcpus: 1, ram: 1536, disk: 10 },
  { id: '3', name: 'm1.medium', vcpus: 2, ram: 2560, disk: 20 },
  { id: '4', name: 'm1.large', vcpus: 4, ram: 6144, disk: 40 },
  { id: '5', name: 'm1.xlarge', vcpus: 8, ram: 16_384, disk: 160 },
  { id: '42', name: 'm1.nano', vcpus: 1, ram: 512, disk: 1 },
  { id: '84', name: 'm1.micro', vcpus: 1, ram: 1024, disk: 5 },
] as const;

const IMAGES = [
  { name: 'ubuntu-20.04-server-cloudimg', distro: 'ubuntu', version: '20.04' },
  { name: 'ubuntu-22.04-server-cloudimg', distro: 'ubuntu', version: '22.04' },
  { name: 'centos-8-stream-cloudimg', distro: 'centos', version: '8' },
  { name: 'alpine-linux-cloudimg', distro: 'alpine', version: '3' },
  { name: 'cirros', distro: 'cirros', version: '0.6' },
  { name: 'debian-12', distro: 'debian', version: '12' },
] as const;
const IMAGE_BYTES = 8192;

export function seed(cloud: Cloud): void {
  const admin = stableHexId('user admin');
  if (cloud.users.get(admin)) {
    // The option wins over the saved state, or a forgotten password would lock everybody out.
    cloud.users.update(admin, { password: hashSecret(cloud.adminPassword) });
    return;
  }
  seedIdentity(cloud, admin);
  seedCompute(cloud);
  seedImages(cloud);
  seedExternalNetwork(cloud);
}

function seedIdentity(cloud: Cloud, admin: string): void {
  const role = (name: string) => stableHexId(`role ${name}`);
  const project = (name: string) => stableHexId(`project ${name}`);
  const chain = [
    { name: 'admin', implies: ['member'] },
    { name: 'member', implies: ['reader'] },
    { name: 'reader', implies: [] },
  ];
  for (const { name, implies } of chain) {
    cloud.roles.put({ id: role(name), name, description: null, immutable: true, implies: implies.map(role) });
  }
  const descriptions = {
    admin: 'Bootstrap project for initializing the cloud.',
    demo: 'an ordinary tenant',
    service: '',
  };
  for (const [name, description] of Object.entries(descriptions)) {
    cloud.projects.put({
      id: project(name),
      name,
      domain_id: 'default',
      description,
      enabled: true,
      tags: [],
    });
  }
  const demo = stableHexId('user demo');
  const user = { domain_id: 'default', enabled: true };
  cloud.users.put({ id: admin, name: 'admin', password: hashSecret(cloud.adminPassword), ...user });
  cloud.users.put({ id: demo, name: 'demo', password: hashSecret('demo'), ...user });
  const grant = (userId: string, target: string, roleName: string) => {
    const id = grantId(target, userId, role(roleName));
    cloud.assignments.put({ id, user_id: userId, project_id: target, role_id: role(roleName) });
  };
  grant(admin, project('admin'), 'admin');
  grant(admin, 'system', 'admin');
  grant(demo, project('demo'), 'member');
  for (const [service, names] of Object.entries(UNLIMITED)) {
    const limits = Object.fromEntries(names.map((name) => [name, -1]));
    cloud.quotas.put({ id: `${service}:${project('admin')}`, limits });
  }
}

function seedCompute(cloud: Cloud): void {
  for (const flavor of FLAVORS) {
    cloud.flavors.put({
      ...flavor,
      ephemeral: 0,
      swap: 0,
      is_public: true,
      description: null,
      extra_specs: {},
    });
  }
}

function seedImages(cloud: Cloud): void {
  const now = nowSeconds();
  for (const { name, distro, version } of IMAGES) {
    const content = Buffer.alloc(IMAGE_BYTES, name);
    const id = stableUuid(`image ${name}`);
    cloud.contents.set(id, content);
    cloud.images.put({
      id,
      name,
      status: 'active',
      visibility: 'public',
      owner: stableHexId('project admin'),
      disk_format: 'qcow2',
      container_format: 'bare',
      size: IMAGE_BYTES,
      virtual_size: IMAGE_BYTES,
      checksum: createHash('md5').update(content).digest('hex'),
      os_hash_algo: 'sha512',
      os_hash_value: createHash('sha512').update(content).digest('hex'),
      protected: false,
      os_hidden: false,
      min_ram: 0,
      min_disk: 0,
      created_at: now,
      updated_at: now,
      tags: [],
      properties: { os_distro: distro, os_version: version },
    });
  }
}

function seedExternalNetwork(cloud: Cloud): void {
  const now = nowSeconds();
  const id = stableUuid('network public');
  const standard = {
    project_id: stableHexId('project admin'),
    description: '',
    tags: [],
    created_at: now,
    updated_at: now,
  };
  cloud.networks.put({
    ...standard,
    id,
    name: 'public',
    admin_state_up: true,
    mtu: 1500,
    shared: false,
    is_external: true,
    is_default: true,
    port_security_enabled: true,
    network_type: 'flat',
    physical_network: 'public',
    segmentation_id: null,
    revision_number: 2,
  });
  cloud.subnets.put({
    ...standard,
    id: stableUuid('subnet public'),
    name: 'public-subnet',
    network_id: id,
    ip_version: 4,
    cidr: '172.24.4.0/22',
    gateway_ip: '172.24.4.1',
    enable_dhcp: false,
    allocation_pools: [{ start: '172.24.4.10', end: '172.24.7.250' }],
    dns_nameservers: [],
    host_routes: [],
    ipv6_ra_mode: null,
    ipv6_address_mode: null,
    revision_number: 0,
  });
}
