// The errors Keystone's resources have in common, in its own words.

import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { Fault, isObject, type Json } from '../http.ts';
import { pythonText } from '../ids.ts';
import type { ProjectRow, RoleRow, UserRow } from './rows.ts';

export function forbidden(action: string): Fault {
  return new Fault(403, `You are not authorized to perform the requested action: ${action}.`);
}

/** Only admins may; Keystone names the rule that refused. */
export function requireRule(caller: Caller, action: string, isAllowed = false): void {
  if (!caller.isAdmin && !isAllowed) throw forbidden(action);
}

export function mustProject(cloud: Cloud, id: string | undefined): ProjectRow {
  const row = cloud.projects.get(id);
  if (!row) throw new Fault(404, `Could not find project: ${id}.`);
  return row;
}

export function mustUser(cloud: Cloud, id: string | undefined): UserRow {
  const row = cloud.users.get(id);
  if (!row) throw new Fault(404, `Could not find user: ${id}.`);
  return row;
}

export function mustRole(cloud: Cloud, id: string | undefined): RoleRow {
  const row = cloud.roles.get(id);
  if (!row) throw new Fault(404, `Could not find role: ${id}.`);
  return row;
}

/** The object under `key` of a request's body. */
export function bodyOf(body: Json, key: string): Json {
  const value = body[key];
  if (!isObject(value)) throw invalid(`'${key}' is a required property`);
  return value;
}

export function invalid(message: string): Fault {
  return new Fault(400, message);
}

/** A name as Keystone's schemas want it. */
export function nameOf(input: Json, maxLength: number, isRequired: boolean): string | undefined {
  const { name } = input;
  if (name === undefined && !isRequired) return undefined;
  if (name === undefined) throw invalid("'name' is a required property");
  if (typeof name !== 'string') throw invalid(`${pythonText(name)} is not of type 'string'`);
  if (name.trim() === '') throw invalid(`'${name}' does not match '[\\\\S]+'`);
  if (name.length > maxLength) throw invalid(`'${name}' is too long`);
  return name;
}

/** Keystone's list envelope. */
export function listed(cloud: Cloud, target: string, key: string, items: readonly unknown[]) {
  const self = `${cloud.url}/identity/v3${target}`;
  return { [key]: items, links: { next: null, self, previous: null } };
}

export function unauthorized(): Fault {
  return new Fault(401, 'The request you have made requires authentication.', '', {
    'www-authenticate': 'Keystone uri="/identity"',
  });
}

export function badRequest(message: string): Fault {
  return new Fault(
    400,
    `${message} The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.`,
  );
}
