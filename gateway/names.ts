// How fields and enum values are called in JSON, and what a misspelt name may have meant.

import type protobuf from 'protobufjs';

const fieldsByName = new Map<protobuf.Type, ReadonlyMap<string, protobuf.Field>>();

/** A field by its proto name or in lowerCamelCase. */
export function findField(type: protobuf.Type, name: string): protobuf.Field | undefined {
  let byName = fieldsByName.get(type);
  if (!byName) {
    const fields = type.fieldsArray;
    byName = new Map([
      ...fields.map((field) => [camelCase(field.name), field] as const),
      ...fields.map((field) => [field.name, field] as const),
    ]);
    fieldsByName.set(type, byName);
  }
  return byName.get(name);
}

/** The number of an enum value given as `active`, `ACTIVE`, `SLICE_STATE_ACTIVE`, `4` or 4. */
export function readEnum(type: protobuf.Enum, value: string | number): number | undefined {
  if (typeof value === 'number' || /^-?\d+$/.test(value)) {
    return Object.values(type.values).find((number) => number === Number(value));
  }
  const upper = value.toUpperCase();
  const prefix = enumPrefix(type);
  for (const [name, number] of Object.entries(type.values)) {
    if (name === upper || name === `${prefix}${upper}`) return number;
  }
  return undefined;
}

/** `active` for SLICE_STATE_ACTIVE, null for the value that means "not set", the number itself if it is unknown. */
export function writeEnum(type: protobuf.Enum, number: number): string | number | null {
  const name = type.valuesById[number];
  if (name === undefined) return number;
  return isUnspecified(type, name) ? null : shortName(type, name);
}

/** The names that a value of the enum can have in JSON, in the order of the proto. */
export function enumNames(type: protobuf.Enum): string[] {
  return Object.keys(type.values)
    .filter((name) => !isUnspecified(type, name))
    .map((name) => shortName(type, name));
}

/** The comment of each value by its name in JSON. */
export function enumComments(type: protobuf.Enum): ReadonlyMap<string, string> {
  return new Map(Object.keys(type.values).map((name) => [shortName(type, name), type.comments[name] ?? '']));
}

function shortName(type: protobuf.Enum, name: string): string {
  const prefix = enumPrefix(type);
  return (name.startsWith(prefix) ? name.slice(prefix.length) : name).toLowerCase();
}

function isUnspecified(type: protobuf.Enum, name: string): boolean {
  return type.values[name] === 0 && name === `${enumPrefix(type)}UNSPECIFIED`;
}

function enumPrefix(type: protobuf.Enum): string {
  return `${type.name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()}_`;
}

function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
}

/** `; did you mean "flavor"?` if one of the names is near enough, else nothing. */
export function didYouMean(name: string, known: readonly string[]): string {
  if (name.length > 64) return '';
  const near = known
    .map((candidate) => ({ candidate, distance: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter((one) => one.distance <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0];
  return near ? `; did you mean "${near.candidate}"?` : '';
}

// Damerau-Levenshtein, restricted: insertions, deletions, replacements and swapped neighbours count one each.
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? 0;
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Infinity;
      row.push(
        Math.min(at(i - 1, j) + 1, (row[j - 1] ?? 0) + 1, replaced, i > 1 && j > 1 ? swapped : Infinity),
      );
    }
  }
  return at(a.length, b.length);
}
