// Nova's errors, in its own words. Cinder's errors look the same.

import type { Caller } from '../caller.ts';
import { Fault, isObject, type Json, type Reply } from '../http.ts';
import { pythonText } from '../ids.ts';

const NAMES: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};

/** `{"badRequest": {"code": 400, "message": "…"}}` */
export function computeFaultReply(fault: Fault): Reply {
  const name = NAMES[fault.status] ?? 'computeFault';
  const retry =
    fault.status === 413 || fault.status === 429 ? { retryAfter: fault.headers['retry-after'] ?? '0' } : {};
  return { status: fault.status, body: { [name]: { code: fault.status, message: fault.message, ...retry } } };
}

export const badRequest = (message: string) => new Fault(400, message);
export const notFound = (message: string) => new Fault(404, message);
export const conflict = (message: string) => new Fault(409, message);
export const forbidden = (message: string) => new Fault(403, message);

export function requirePolicy(caller: Caller, rule: string, isAllowed = caller.isAdmin): void {
  if (!isAllowed) throw forbidden(`Policy doesn't allow ${rule} to be performed.`);
}

export function invalidField(name: string, value: unknown, reason: string): Fault {
  const shown = typeof value === 'string' ? value : pythonText(value);
  return badRequest(`Invalid input for field/attribute ${name}. Value: ${shown}. ${reason}`);
}

/** The object under `key` of a request's body, with no properties but the allowed ones and all the required ones. */
export function objectOf(
  body: Json,
  key: string,
  { allowed, required = [] }: { allowed: readonly string[]; required?: readonly string[] },
): Json {
  const value = body[key];
  if (value === undefined) {
    throw badRequest(`'${key}' is a required property`);
  }
  if (!isObject(value)) throw invalidField(key, value, `${pythonText(value)} is not of type 'object'`);
  const missing = required.find((name) => !(name in value));
  if (missing) throw invalidField(key, value, `'${missing}' is a required property`);
  const extra = Object.keys(value).filter((name) => !allowed.includes(name));
  if (extra.length > 0) {
    const names = extra.map((name) => `'${name}'`).join(', ');
    const verb = extra.length === 1 ? 'was' : 'were';
    throw invalidField(key, value, `Additional properties are not allowed (${names} ${verb} unexpected)`);
  }
  return value;
}

/** A map of texts, as metadata is. */
export function metadataOf(value: unknown, name: string): Record<string, string> {
  if (!isObject(value)) throw invalidField(name, value, `${pythonText(value)} is not of type 'object'`);
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner !== 'string')
      throw invalidField(key, inner, `${pythonText(inner)} is not of type 'string'`);
    if (key === '')
      throw invalidField(name, value, "'' does not match any of the regexes: '^[a-zA-Z0-9-_:. ]{1,255}$'");
    if (key.length > 255 || inner.length > 255) throw invalidField(key, inner, `'${inner}' is too long`);
  }
  return value as Record<string, string>;
}
