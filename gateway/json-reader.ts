// From the JSON of a request to a message for proto-loader, by the proto3 JSON mapping. Every mistake is noted with its
// path, so that a client hears of all of them at once; what the values mean is the services' to check.

import protobuf from 'protobufjs';
import type { FieldViolation } from '#common/errors.ts';
import { isOneofMember } from './json-writer.ts';
import { didYouMean, enumNames, findField, readEnum } from './names.ts';
import type { Message } from './schema.ts';
import { WELL_KNOWN } from './well-known.ts';

const MAX_DEPTH = 32;
/** How many mistakes get a hint at what was meant: looking for one is dear. */
export const MAX_HINTS = 50;
const INT32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const UINT32 = { min: 0, max: 2 ** 32 - 1 };
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const UINT64 = { min: 0n, max: 2n ** 64n - 1n };
const MAX_FLOAT = 3.4028234663852886e38;

/** Where mistakes are collected, and how deep the reader is. */
export type Reading = { readonly problems: FieldViolation[]; readonly depth: number };

/** Reads an object. Mistakes go to `reading.problems`; what is returned counts only if there are none. */
export function readMessage(type: protobuf.Type, value: unknown, at: string, reading: Reading): unknown {
  const wellKnown = WELL_KNOWN.get(type.fullName);
  if (wellKnown) return wellKnown.read(value) ?? note(reading, at, wellKnown.expected, value);
  if (!isObject(value)) return note(reading, at, 'an object', value);
  if (reading.depth >= MAX_DEPTH) {
    reading.problems.push({ field: at, message: `is nested more than ${MAX_DEPTH} levels deep` });
    return undefined;
  }
  const inner = { ...reading, depth: reading.depth + 1 };
  const message: Message = {};
  const chosen = new Map<string, string>();
  for (const [name, given] of Object.entries(value)) {
    const path = at === '' ? name : `${at}.${name}`;
    const field = findField(type, name);
    if (!field) {
      const hint = reading.problems.length < MAX_HINTS ? didYouMean(name, Object.keys(type.fields)) : '';
      reading.problems.push({ field: path, message: `unknown field${hint}` });
      continue;
    }
    // The mapping reads null as "not set".
    if (given === null) continue;
    if (Object.hasOwn(message, field.name)) {
      reading.problems.push({ field: path, message: `is given twice, also as "${field.name}"` });
      continue;
    }
    if (field.partOf && isOneofMember(field)) {
      const other = chosen.get(field.partOf.name);
      if (other) reading.problems.push({ field: path, message: `cannot be given together with "${other}"` });
      chosen.set(field.partOf.name, name);
    }
    message[field.name] = readField(field, given, path, inner);
  }
  return message;
}

/** Reads the value of a field: a list, a map or a single one. */
export function readField(field: protobuf.Field, value: unknown, at: string, reading: Reading): unknown {
  field.resolve();
  if (field instanceof protobuf.MapField) return readMap(field as protobuf.Field, value, at, reading);
  if (!field.repeated) return readValue(field, value, at, reading);
  if (!Array.isArray(value)) return note(reading, at, 'a list', value);
  return value.map((item, index) => readValue(field, item, `${at}[${index}]`, reading));
}

function readMap(field: protobuf.Field, value: unknown, at: string, reading: Reading): unknown {
  if (!isObject(value)) return note(reading, at, 'an object', value);
  const entries = Object.entries(value).map(([key, item]) => {
    const path = /^[\w-]+$/.test(key) ? `${at}.${key}` : `${at}[${JSON.stringify(key)}]`;
    // A plain object takes this name for its prototype.
    if (key === '__proto__') reading.problems.push({ field: path, message: 'cannot be used as a key' });
    if (!key.isWellFormed()) reading.problems.push({ field: path, message: 'is not well-formed Unicode' });
    return [key, readValue(field, item, path, reading)] as const;
  });
  return Object.fromEntries(entries);
}

function readValue(field: protobuf.Field, value: unknown, at: string, reading: Reading): unknown {
  const type = field.resolvedType;
  if (type instanceof protobuf.Type) return readMessage(type, value, at, reading);
  if (type instanceof protobuf.Enum) return readEnumValue(type, value, at, reading);
  switch (field.type) {
    case 'string':
      if (typeof value !== 'string') return note(reading, at, 'a string', value);
      if (value.isWellFormed()) return value;
      reading.problems.push({ field: at, message: 'is not well-formed Unicode' });
      return undefined;
    case 'bool':
      return typeof value === 'boolean' ? value : note(reading, at, 'true or false', value);
    case 'bytes':
      return readBytes(value) ?? note(reading, at, 'a base64 string', value);
    case 'float':
    case 'double':
      return readFloat(value, field.type) ?? note(reading, at, 'a number', value);
    case 'uint32':
    case 'fixed32':
      return readInt(value, UINT32, at, reading);
    case 'uint64':
    case 'fixed64':
      return readLong(value, UINT64, at, reading);
    case 'int64':
    case 'sint64':
    case 'sfixed64':
      return readLong(value, INT64, at, reading);
    default:
      return readInt(value, INT32, at, reading);
  }
}

function readEnumValue(type: protobuf.Enum, value: unknown, at: string, reading: Reading): unknown {
  // Clients send back what they were given, and some write an enum that is not set as "".
  if (value === '') return 0;
  const isKind = typeof value === 'string' || typeof value === 'number';
  const number = isKind ? readEnum(type, value) : undefined;
  if (number !== undefined) return number;
  const names = enumNames(type);
  const hint =
    typeof value === 'string' && reading.problems.length < MAX_HINTS ? didYouMean(value, names) : '';
  const got = typeof value === 'string' ? `"${value.slice(0, 40)}"` : isKind ? value : show(value);
  reading.problems.push({ field: at, message: `expected one of ${names.join(', ')}, got ${got}${hint}` });
  return undefined;
}

function readInt(value: unknown, range: { min: number; max: number }, at: string, reading: Reading): unknown {
  const number = typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number))
    return note(reading, at, 'a whole number', value);
  if (number >= range.min && number <= range.max) return number;
  return note(reading, at, `a whole number from ${range.min} to ${range.max}`, number);
}

function readLong(
  value: unknown,
  range: { min: bigint; max: bigint },
  at: string,
  reading: Reading,
): unknown {
  const isText = typeof value === 'string' && /^-?\d{1,20}$/.test(value);
  if (!isText && !Number.isSafeInteger(value)) return note(reading, at, 'a whole number', value);
  const number = BigInt(value as string | number);
  if (number >= range.min && number <= range.max) return number.toString();
  return note(reading, at, `a whole number from ${range.min} to ${range.max}`, number);
}

function readFloat(value: unknown, type: 'float' | 'double'): number | undefined {
  const special = {
    NaN: Number.NaN,
    Infinity: Number.POSITIVE_INFINITY,
    '-Infinity': Number.NEGATIVE_INFINITY,
  };
  if (typeof value === 'string' && Object.hasOwn(special, value))
    return special[value as keyof typeof special];
  const isText = typeof value === 'string' && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value);
  const number = isText ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) return undefined;
  return type === 'float' && Math.abs(number) > MAX_FLOAT ? undefined : number;
}

// Both alphabets, with or without padding, as the mapping asks for.
function readBytes(value: unknown): Buffer | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) return undefined;
  return Buffer.from(value, 'base64');
}

function note(reading: Reading, at: string, expected: string, got: unknown): undefined {
  reading.problems.push({ field: at, message: `expected ${expected}, got ${show(got)}` });
  return undefined;
}

// Values are not repeated: one may be a password.
function show(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return value.length === 0 ? 'an empty string' : 'a string';
  return typeof value === 'number' ? 'a number' : String(value);
}

function isObject(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
