// The forms of a project's and a user's fields, as Keystone's schemas have them.

import type { Json } from '../http.ts';
import { pythonText } from '../ids.ts';
import { invalid } from './faults.ts';

const wrongType = (name: string, value: unknown, types: string) =>
  invalid(`Invalid input for field '${name}': ${pythonText(value)} is not of type ${types}`);

/** Throws Keystone's 400 for a field that is not a text, or a boolean, where it must be one. */
export function checkForms(input: Json, texts: readonly string[], booleans: readonly string[]): void {
  for (const name of texts) {
    const value = input[name];
    if (value !== undefined && value !== null && typeof value !== 'string')
      throw wrongType(name, value, "'string', 'null'");
  }
  for (const name of booleans) {
    const value = input[name];
    if (value !== undefined && typeof value !== 'boolean') throw wrongType(name, value, "'boolean'");
  }
}

export function checkTags(value: unknown): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) throw wrongType('tags', value, "'array'");
  for (const [index, tag] of value.entries()) {
    if (typeof tag !== 'string') throw wrongType(`tags/${index}`, tag, "'string'");
    if (!/^[^,/]*$/.test(tag))
      throw invalid(`Invalid input for field 'tags/${index}': '${tag}' does not match '^[^,/]*$'`);
  }
  if (new Set(value).size < value.length) throw invalid(`${pythonText(value)} has non-unique elements`);
}
