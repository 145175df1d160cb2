// From a query string to message fields: nested names (`filter.zone=a`), repeated keys, enums, numbers and booleans.

import protobuf from 'protobufjs';
import { MAX_HINTS, type Reading, readField } from './json-reader.ts';
import { didYouMean, findField } from './names.ts';
import type { Message } from './schema.ts';
import { WELL_KNOWN } from './well-known.ts';

/** The fields from the message to the one named by a dotted path; undefined if there is no such field. */
export function fieldPath(type: protobuf.Type, path: string): protobuf.Field[] | undefined {
  const fields: protobuf.Field[] = [];
  let at: protobuf.Type | null = type;
  for (const name of path.split('.')) {
    const field: protobuf.Field | undefined = at ? findField(at, name)?.resolve() : undefined;
    if (!field) return undefined;
    fields.push(field);
    at = innerType(field);
  }
  return fields;
}

// The type whose fields a dotted name may go on with.
function innerType(field: protobuf.Field): protobuf.Type | null {
  const type = field.resolvedType;
  if (!(type instanceof protobuf.Type) || field.repeated || field instanceof protobuf.MapField) return null;
  return WELL_KNOWN.has(type.fullName) ? null : type;
}

/** Whether a query or a path can give the field: no map, and no message that has no form as text. */
export function isTextField(field: protobuf.Field): boolean {
  if (field instanceof protobuf.MapField) return false;
  return !(field.resolvedType instanceof protobuf.Type) || WELL_KNOWN.has(field.resolvedType.fullName);
}

/** Reads the whole query into `message`. Fields in `taken` (proto names, dotted) are set by the path or the body. */
export function readQuery(
  type: protobuf.Type,
  query: URLSearchParams,
  { message, taken, reading }: { message: Message; taken: ReadonlySet<string>; reading: Reading },
): void {
  for (const name of new Set(query.keys())) {
    const fields = fieldPath(type, name);
    const field = fields?.at(-1);
    if (!fields || !field || !isTextField(field)) {
      const known = reading.problems.length < MAX_HINTS ? queryNames(type, taken) : [];
      reading.problems.push({ field: name, message: `unknown query parameter${didYouMean(name, known)}` });
      continue;
    }
    const canonical = fields.map((one) => one.name).join('.');
    const holder = [...taken].find((one) => one === canonical || canonical.startsWith(`${one}.`));
    if (holder) {
      reading.problems.push({ field: name, message: 'is not for the query: the path or the body gives it' });
      continue;
    }
    if (Object.hasOwn(message, canonical)) {
      reading.problems.push({ field: name, message: 'is given by the body as well; say it once' });
      continue;
    }
    const values = query.getAll(name);
    if (!field.repeated && values.length > 1) {
      reading.problems.push({ field: name, message: `is given ${values.length} times, but takes one value` });
      continue;
    }
    const given = values.map((value) => fromText(field, value));
    assign(message, fields, readField(field, field.repeated ? given : given[0], name, reading));
  }
}

/** Sets a value deep in a message, making the messages between. */
export function assign(message: Message, fields: readonly protobuf.Field[], value: unknown): void {
  let at = message;
  for (const field of fields.slice(0, -1)) {
    at[field.name] ??= {};
    at = at[field.name] as Message;
  }
  const last = fields.at(-1);
  if (last) at[last.name] = value;
}

/** The value of a field as JSON would write it; numbers and enums are read from text anyway. */
export function fromText(field: protobuf.Field, value: string): unknown {
  if (field.type !== 'bool') return value;
  if (/^(true|1)$/i.test(value)) return true;
  return /^(false|0)$/i.test(value) ? false : value;
}

/** The names that a query may use, messages opened one level deep. */
function queryNames(type: protobuf.Type, taken: ReadonlySet<string>): string[] {
  return queryFields(type, taken).map(({ name }) => name);
}

/** The fields that a query may give, with their dotted names. */
export function queryFields(
  type: protobuf.Type,
  taken: ReadonlySet<string>,
): { readonly name: string; readonly field: protobuf.Field }[] {
  const open = (
    at: protobuf.Type,
    prefix: string,
    depth: number,
  ): { name: string; field: protobuf.Field }[] =>
    at.fieldsArray.flatMap((field) => {
      const name = `${prefix}${field.resolve().name}`;
      if (taken.has(name)) return [];
      if (isTextField(field)) return [{ name, field }];
      const inner = innerType(field);
      return inner && depth < 3 ? open(inner, `${name}.`, depth + 1) : [];
    });
  return open(type, '', 0);
}
