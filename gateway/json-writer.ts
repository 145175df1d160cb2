// From a message as proto-loader decodes it to the JSON that clients of the original read: snake_case names, every
// field printed, null for what is not set. One writer per message type, made once.

import protobuf from 'protobufjs';
import { writeEnum } from './names.ts';
import type { Message } from './schema.ts';
import { WELL_KNOWN } from './well-known.ts';

export type Write = (value: unknown) => unknown;
type FieldWriter = { readonly name: string; readonly write: Write; readonly absent: () => unknown };

const writers = new Map<protobuf.Type, Write>();

/** The writer of a message type. Throws if it holds a type of google.protobuf that has no JSON form here. */
export function writerOf(type: protobuf.Type): Write {
  const known = writers.get(type);
  if (known) return known;
  const wellKnown = WELL_KNOWN.get(type.fullName);
  if (wellKnown) return (value) => wellKnown.write(value as Message);
  if (type.fullName.startsWith('.google.protobuf.'))
    throw new Error(`${type.fullName.slice(1)} has no JSON form in this gateway`);
  const list: FieldWriter[] = [];
  const write: Write = (value) => {
    const message = value as Message;
    const json: Message = {};
    for (const field of list) {
      const present = message[field.name];
      const written = present === undefined || present === null ? field.absent() : field.write(present);
      if (written !== undefined) json[field.name] = written;
    }
    return json;
  };
  // Registered before its fields are looked at: a message may contain itself.
  writers.set(type, write);
  list.push(...type.fieldsArray.map(fieldWriter));
  return write;
}

/** The writer of one field's value, and what stands for it when it is not set; undefined leaves it out. */
export function fieldWriter(field: protobuf.Field): FieldWriter {
  const { name } = field.resolve();
  const one = valueWriter(field);
  if (field instanceof protobuf.MapField) {
    const write: Write = (value) =>
      Object.fromEntries(Object.entries(value as Message).map(([key, item]) => [key, one(item)]));
    return { name, write, absent: () => ({}) };
  }
  if (field.repeated) return { name, write: (value) => (value as unknown[]).map(one), absent: () => [] };
  if (isOneofMember(field)) return { name, write: one, absent: () => undefined };
  const absent = absentValue(field);
  return { name, write: one, absent: () => absent };
}

/** Whether it is one of several that exclude each other, and not just `optional`. */
export function isOneofMember(field: protobuf.Field): boolean {
  return field.partOf !== null && !isOptional(field);
}

/** Whether the proto says `optional`. */
export function isOptional(field: protobuf.Field): boolean {
  return field.options?.proto3_optional === true;
}

function valueWriter(field: protobuf.Field): Write {
  const type = field.resolvedType;
  if (type instanceof protobuf.Enum) return (value) => writeEnum(type, Number(value));
  if (type instanceof protobuf.Type) return writerOf(type);
  if (field.type === 'bytes') return (value) => Buffer.from(value as Uint8Array).toString('base64');
  if (field.type === 'float' || field.type === 'double')
    return (value) => (Number.isFinite(value) ? value : String(value));
  // 64-bit integers come as text, which is their JSON form too.
  return (value) => value;
}

function absentValue(field: protobuf.Field): unknown {
  if (!isOptional(field) && field.resolvedType instanceof protobuf.Enum)
    return writeEnum(field.resolvedType, 0);
  if (isOptional(field) || field.resolvedType) return null;
  switch (field.type) {
    case 'string':
    case 'bytes':
      return '';
    case 'bool':
      return false;
    default:
      return field.long ? '0' : 0;
  }
}
