// What the fields of an image may hold.

import type { Json } from '../http.ts';
import { pythonText } from '../ids.ts';
import { badRequest } from './faults.ts';

const DISK_FORMATS = [
  null,
  'ami',
  'ari',
  'aki',
  'vhd',
  'vhdx',
  'vmdk',
  'raw',
  'qcow2',
  'vdi',
  'iso',
  'ploop',
];
const CONTAINER_FORMATS = [null, 'ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'];

type Property = {
  readonly type: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly maxLength?: number;
};

const PROPERTIES: Readonly<Record<string, Property>> = {
  id: { type: 'string' },
  name: { type: ['null', 'string'], maxLength: 255 },
  status: { type: 'string' },
  visibility: { type: 'string', enum: ['community', 'public', 'private', 'shared'] },
  protected: { type: 'boolean' },
  os_hidden: { type: 'boolean' },
  owner: { type: ['null', 'string'], maxLength: 255 },
  container_format: { type: ['null', 'string'], enum: CONTAINER_FORMATS },
  disk_format: { type: ['null', 'string'], enum: DISK_FORMATS },
  min_ram: { type: 'integer' },
  min_disk: { type: 'integer' },
  tags: { type: 'array' },
};

export const IMAGE_SCHEMA: Json = {
  name: 'image',
  properties: PROPERTIES,
  additionalProperties: { type: 'string' },
};

/** Throws Glance's 400 unless the value fits. Properties of the user's own are texts. */
export function checkProperty(name: string, value: unknown): void {
  const property = PROPERTIES[name] ?? { type: 'string' };
  const refuse = (reason: string, rule: string) =>
    badRequest(
      `Provided object does not match schema 'image': ${reason}\n\nFailed validating '${rule}' in schema['properties']['${name}']\n\nOn instance['${name}']:\n    ${pythonText(value)}`,
    );
  const types = [property.type].flat();
  if (!types.some((type) => isOf(type, value))) {
    throw refuse(
      `${pythonText(value)} is not of type ${types.map((type) => `'${type}'`).join(', ')}`,
      'type',
    );
  }
  if (property.enum && !property.enum.includes(value)) {
    throw refuse(`${pythonText(value)} is not one of ${pythonText(property.enum)}`, 'enum');
  }
  if (property.maxLength !== undefined && typeof value === 'string' && value.length > property.maxLength) {
    throw refuse(`${pythonText(value)} is too long`, 'maxLength');
  }
  const long = Array.isArray(value) ? value.find((item) => String(item).length > 255) : undefined;
  if (long !== undefined) throw refuse(`${pythonText(long)} is too long`, 'maxLength');
  checkRange(name, value);
}

/** What no schema says: Glance looks at it when the image is made. */
function checkRange(name: string, value: unknown): void {
  if ((name === 'min_ram' || name === 'min_disk') && Number(value) < 0) {
    throw badRequest(`Invalid value '${Number(value)}' for parameter '${name}': Cannot be a negative value`);
  }
}

function isOf(type: string, value: unknown): boolean {
  if (type === 'null') return value === null;
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  return typeof value === type;
}
