// What can be wrong with the words of an image. Formats are Glance's (api-ref, "Create image").

import { Failure, type FieldViolation } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import { isReserved } from './images-view.ts';

const DISK_FORMATS = ['qcow2', 'raw', 'vmdk', 'vdi', 'vhd', 'vhdx', 'iso', 'ploop', 'ami', 'ari', 'aki'];
const CONTAINER_FORMATS = ['bare', 'ovf', 'ova', 'docker', 'compressed', 'ami', 'ari', 'aki'];
const VISIBILITIES = ['private', 'shared', 'public', 'community'] as const;
export type Visibility = (typeof VISIBILITIES)[number];
const HASHES = { md5: 32, sha256: 64, sha512: 128 } as const;
const MAX_PROPERTIES = 100;

export function* checkFormats(request: {
  readonly diskFormat: string;
  readonly containerFormat: string;
}): Generator<FieldViolation> {
  if (!DISK_FORMATS.includes(request.diskFormat)) {
    yield { field: 'disk_format', message: `must be one of ${DISK_FORMATS.join(', ')}` };
  }
  if (request.containerFormat !== '' && !CONTAINER_FORMATS.includes(request.containerFormat)) {
    yield { field: 'container_format', message: `must be one of ${CONTAINER_FORMATS.join(', ')}` };
  }
}

/** The same for a new image and a changed one; what is not set is right. */
export function* checkImage(request: {
  readonly name?: string | undefined;
  readonly visibility?: string | undefined;
  readonly minDisk?: number | undefined;
  readonly minRam?: number | undefined;
}): Generator<FieldViolation> {
  const { name, visibility, minDisk = 0, minRam = 0 } = request;
  if (name !== undefined && (name.trim() === '' || name.length > 255)) {
    yield { field: 'name', message: 'must have 1 to 255 characters' };
  }
  if (visibility !== undefined && !isVisibility(visibility)) {
    yield { field: 'visibility', message: `must be one of ${VISIBILITIES.join(', ')}` };
  }
  if (minDisk < 0) yield { field: 'min_disk', message: 'must not be negative' };
  if (minRam < 0) yield { field: 'min_ram', message: 'must not be negative' };
}

export function* checkHashes(
  request: {
    readonly [K in keyof typeof HASHES]: string;
  },
): Generator<FieldViolation> {
  for (const field of ['md5', 'sha256', 'sha512'] as const) {
    const digits = HASHES[field];
    if (request[field] === '' || new RegExp(`^[0-9a-f]{${digits}}$`, 'i').test(request[field])) continue;
    yield { field, message: `must be ${digits} hexadecimal digits` };
  }
}

export function* checkProperties(entries: readonly (readonly [string, string])[]): Generator<FieldViolation> {
  if (entries.length > MAX_PROPERTIES) {
    yield { field: 'properties', message: `must be at most ${MAX_PROPERTIES}` };
  }
  for (const [name, value] of entries) {
    const field = `properties.${name}`;
    if (isReserved(name)) yield { field, message: 'is not a name for a property' };
    else if (!/^[\w:.-]{1,255}$/.test(name)) {
      yield { field, message: 'names must have 1 to 255 letters, digits and _ : . -' };
    }
    if (value.length > 4096) yield { field, message: 'must have at most 4096 characters' };
  }
}

/** `name=value` texts as entries; a text without a name is a mistake of its own. */
export function readProperties(texts: readonly string[]) {
  const violations: FieldViolation[] = [];
  const entries = texts.flatMap((text, index): (readonly [string, string])[] => {
    const at = text.indexOf('=');
    if (at > 0) return [[text.slice(0, at), text.slice(at + 1)]];
    violations.push({ field: `properties[${index}]`, message: 'must be name=value' });
    return [];
  });
  return { entries, violations: [...violations, ...checkProperties(entries)] };
}

/** PERMISSION_DENIED unless an admin asks for what every project would see. */
export function requireVisibility(visibility: string, { caller }: Context): void {
  const isForAll = visibility === 'public' || visibility === 'community';
  if (!isForAll || caller.role === 'admin') return;
  throw new Failure({
    code: 'PERMISSION_DENIED',
    reason: 'VISIBILITY_FOR_ADMINS',
    message: `Only admins make images ${visibility}: ask one, or choose private or shared`,
  });
}

export function isVisibility(text: string): text is Visibility {
  return VISIBILITIES.some((one) => one === text);
}
