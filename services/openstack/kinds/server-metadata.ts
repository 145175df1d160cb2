// What a server's metadata says of it: whose it is, for people who look at the cloud, and what was asked for, for us.

import { createHash } from 'node:crypto';
import type { ServerSpec } from '#proto/pucp/driver/v1/resource.ts';

type Metadata = Readonly<Record<string, string>>;

export type Asked = Pick<
  ServerSpec,
  'image' | 'flavor' | 'ports' | 'availabilityZone' | 'keyPair' | 'userData'
>;

/** Nova's limit for a value, in characters: https://docs.openstack.org/api-ref/compute/#create-server */
const MAX_VALUE = 255;

export function metadataOf({
  name,
  spec,
  replacements,
  sliceId,
}: {
  readonly name: string;
  readonly spec: Asked;
  readonly replacements: number;
  readonly sliceId: string;
}): Metadata {
  const texts = {
    created_by: 'pucp-orchestrator',
    slice_id: sliceId,
    vm_name: name,
    image: spec.image,
    flavor: spec.flavor,
    ...(spec.availabilityZone !== '' && { availability_zone: spec.availabilityZone }),
    ...(spec.keyPair !== '' && { key_pair: spec.keyPair }),
    ...(spec.userData !== '' && { user_data: digestOf(spec.userData) }),
    ...(replacements > 0 && { replacements: String(replacements) }),
  };
  return { ...texts, ...portsMetadata(spec.ports) };
}

/** What stands for user data, which would not fit; the same for the same text. */
export function digestOf(userData: string): string {
  return userData === '' ? '' : `sha256:${createHash('sha256').update(userData).digest('hex')}`;
}

/** The slice-local name. */
export function nameFrom(metadata: Metadata): string | undefined {
  return metadata.vm_name;
}

export function replacementsFrom(metadata: Metadata): number {
  return Number.parseInt(metadata.replacements ?? '', 10) || 0;
}

export function askedFrom(metadata: Metadata): Asked {
  const { image = '', flavor = '', availability_zone: availabilityZone = '' } = metadata;
  const { key_pair: keyPair = '', user_data: userData = '' } = metadata;
  const ports: string[] = [];
  for (let part = 1; metadata[portsKey(part)] !== undefined; part += 1) {
    ports.push(...(metadata[portsKey(part)] ?? '').split(',').filter(Boolean));
  }
  return { image, flavor, availabilityZone, keyPair, userData, ports };
}

/** Whether a deployed server's entry of this key says what was asked for. */
export function isAskedKey(key: string): boolean {
  return /^(vm_name|image|flavor|availability_zone|key_pair|user_data|replacements|ports(_\d+)?)$/.test(key);
}

/** In as many values as their length asks for. */
function portsMetadata(ports: readonly string[]): Metadata {
  const values: string[] = [];
  for (const port of ports) {
    const last = values.at(-1);
    if (last === undefined || last.length + 1 + port.length > MAX_VALUE) values.push(port);
    else values[values.length - 1] = `${last},${port}`;
  }
  return Object.fromEntries(values.map((value, index) => [portsKey(index + 1), value]));
}

function portsKey(part: number): string {
  return part === 1 ? 'ports' : `ports_${part}`;
}
