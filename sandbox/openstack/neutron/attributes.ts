// What a resource's attributes may hold: one table per resource, checked here the way Neutron's API layer does it,
// before any policy or rule of the resource itself.

import type { Caller } from '../caller.ts';
import { isObject, type Json } from '../http.ts';
import { isUuid, pythonText } from '../ids.ts';
import { badRequest, invalidInput, notAllowed } from './faults.ts';

export type Attribute = {
  readonly type: 'text' | 'boolean' | 'integer' | 'uuid' | 'uuid or null' | 'uuids' | 'list' | 'any';
  /** When it may be given. 'never' is read-only. */
  readonly on: 'create' | 'update' | 'both' | 'never';
  readonly isRequired?: boolean;
  /** Taken when a create does not name it; undefined leaves it out. */
  readonly initial?: unknown;
  /** Members may not give it, unless with its initial value. */
  readonly isAdminOnly?: boolean;
  /** Members may give it in a create, but not change it. */
  readonly isAdminOnlyToChange?: boolean;
  readonly oneOf?: readonly unknown[];
};

export type Attributes = Readonly<Record<string, Attribute>>;

const READ_ONLY: Attribute = { type: 'any', on: 'never' };

/** What every resource has. */
export const STANDARD: Attributes = {
  id: READ_ONLY,
  name: { type: 'text', on: 'both', initial: '' },
  description: { type: 'text', on: 'both', initial: '' },
  project_id: { type: 'text', on: 'create' },
  tenant_id: { type: 'text', on: 'create' },
  created_at: READ_ONLY,
  updated_at: READ_ONLY,
  revision_number: READ_ONLY,
  tags: READ_ONLY,
};

type Checked = { readonly singular: string; readonly attributes: Attributes };

/** A create's attributes, converted, defaults filled in. Throws Neutron's 400 or 403. */
export function checkCreate({ singular, attributes }: Checked, input: unknown, caller: Caller): Json {
  if (!isObject(input)) throw badRequest(`Object '${singular}' contains invalid data`);
  refuseUnknown(attributes, input);
  const output: Json = {};
  for (const [name, attribute] of Object.entries(attributes)) {
    const value = input[name];
    if (value === undefined) {
      if (attribute.isRequired) {
        throw badRequest(`Failed to parse request. Required attribute '${name}' not specified`);
      }
      if (attribute.initial !== undefined) output[name] = attribute.initial;
    } else if (attribute.on === 'never' || attribute.on === 'update') {
      throw badRequest(`Attribute '${name}' not allowed in POST`);
    } else {
      output[name] = convert(name, value, attribute);
    }
  }
  for (const [name, attribute] of Object.entries(attributes)) {
    const isChanged = output[name] !== undefined && output[name] !== attribute.initial;
    if (attribute.isAdminOnly && isChanged && !caller.isAdmin) {
      throw notAllowed(`(rule:create_${singular} and rule:create_${singular}:${name})`);
    }
  }
  output.project_id = projectOf(input, caller);
  delete output.tenant_id;
  return output;
}

/** An update's attributes, converted; only those that were named. */
export function checkUpdate({ singular, attributes }: Checked, input: unknown, caller: Caller): Json {
  if (!isObject(input)) throw badRequest(`Object '${singular}' contains invalid data`);
  refuseUnknown(attributes, input);
  const output: Json = {};
  for (const [name, value] of Object.entries(input)) {
    const attribute = attributes[name];
    if (!attribute) continue;
    if (name === 'tenant_id' || name === 'project_id') projectOf(input, caller);
    if (attribute.on !== 'both' && attribute.on !== 'update')
      throw badRequest(`Cannot update read-only attribute ${name}`);
    output[name] = convert(name, value, attribute);
    if ((attribute.isAdminOnly || attribute.isAdminOnlyToChange) && !caller.isAdmin) {
      throw notAllowed(`(rule:update_${singular} and rule:update_${singular}:${name})`);
    }
  }
  return output;
}

function refuseUnknown(attributes: Attributes, input: Json): void {
  const unknown = Object.keys(input).filter((name) => !(name in attributes));
  if (unknown.length > 0) {
    throw badRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`);
  }
}

function projectOf(input: Json, caller: Caller): string {
  const asked = input.project_id ?? input.tenant_id;
  if (typeof asked !== 'string' || asked === '') return caller.projectId;
  if (asked !== caller.projectId && !caller.isAdmin) {
    throw badRequest(
      "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin or advsvc privileges",
    );
  }
  return asked;
}

/** A value as Python prints it into a text. */
const said = (value: unknown) => (typeof value === 'string' ? value : pythonText(value));

function convert(name: string, value: unknown, attribute: Attribute): unknown {
  const refuse = (reason: string) => badRequest(`Invalid input for ${name}. Reason: ${reason}.`);
  if (attribute.oneOf && !attribute.oneOf.includes(value)) {
    throw refuse(`${said(value)} is not in valid_values`);
  }
  switch (attribute.type) {
    case 'text':
      if (typeof value !== 'string') throw refuse(`'${said(value)}' is not a valid string`);
      if (value.length > 255) throw refuse(`'${value}' exceeds maximum length of 255`);
      return value;
    case 'boolean':
      return toBoolean(value);
    case 'integer': {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isInteger(number))
        throw refuse(`'${said(value)}' is not an integer`);
      return number;
    }
    case 'uuid':
      if (!isUuid(value)) throw refuse(`'${said(value)}' is not a valid UUID`);
      return value;
    case 'uuid or null':
      if (value !== null && !isUuid(value)) throw refuse(`'${said(value)}' is not a valid UUID`);
      return value;
    case 'uuids': {
      const list = value === null ? [] : value;
      if (!Array.isArray(list)) throw refuse(`'${said(value)}' is not a list`);
      const wrong = list.find((item) => !isUuid(item));
      if (wrong !== undefined) throw refuse(`'${String(wrong)}' is not a valid UUID`);
      const twice = list.find((item, index) => list.indexOf(item) !== index);
      if (twice !== undefined) throw refuse(`Duplicate items in the list: '${twice}'`);
      return list;
    }
    case 'list':
      if (value !== null && !Array.isArray(value)) throw refuse(`'${said(value)}' is not a list`);
      return value ?? [];
    case 'any':
      return value;
  }
}

export function toBoolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  const text = said(value).toLowerCase();
  if (['true', '1', 'yes', 'y', 'on', 't'].includes(text)) return true;
  if (['false', '0', 'no', 'n', 'off', 'f'].includes(text)) return false;
  throw invalidInput(`'${said(value)}' cannot be converted to boolean.`);
}
