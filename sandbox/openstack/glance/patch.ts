// Glance's JSON patches: add, replace and remove of whole properties.

import { isObject, type Json } from '../http.ts';
import { badRequest, conflict, forbidden } from './faults.ts';
import type { ImageRow } from './rows.ts';
import { checkProperty } from './schema.ts';

const OPERATIONS = ['add', 'replace', 'remove'];

type Names = { readonly settable: readonly string[]; readonly readOnly: readonly string[] };

/** Before 2.1 an operation was written as {"replace": "/name", "value": …}. */
function modern(operation: Json): Json {
  const old = OPERATIONS.find((name) => name in operation);
  return old === undefined || 'op' in operation ? operation : { ...operation, op: old, path: operation[old] };
}

/** The changes that the operations amount to. Throws before anything is changed if one of them is not possible. */
export function applyPatch(row: ImageRow, operations: readonly unknown[], names: Names): Partial<ImageRow> {
  const properties: Record<string, unknown> = { ...row.properties };
  const fields: Record<string, unknown> = {};
  for (const operation of operations) {
    if (!isObject(operation)) throw badRequest('Operations must be JSON objects.');
    const { op, path, value } = modern(operation);
    if (op !== 'add' && op !== 'replace' && op !== 'remove') {
      throw badRequest(
        op === undefined
          ? 'Unable to find `op` in JSON Schema change. It must be one of the following: add, remove, replace.'
          : `Invalid operation: \`${String(op)}\`. It must be one of the following: add, remove, replace.`,
      );
    }
    if (typeof path !== 'string' || !path.startsWith('/'))
      throw badRequest(`Invalid JSON pointer for this resource: '${String(path)}'`);
    if (op !== 'remove' && value === undefined)
      throw badRequest(`Operation "${op}" requires a member named "value".`);
    const name = path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
    if (names.readOnly.includes(name) || name === 'id') throw forbidden(`Attribute '${name}' is read-only.`);
    const isField = names.settable.includes(name) || name === 'owner';
    if (op === 'remove' && isField) throw forbidden(`Property ${name} may not be removed.`);
    if (op !== 'add' && !isField && !(name in properties)) {
      throw conflict(
        `There was a conflict when trying to complete your request.<br /><br />\nProperty ${name} does not exist.`,
      );
    }
    if (op === 'remove') {
      delete properties[name];
      continue;
    }
    checkProperty(name, value);
    if (isField) fields[name] = value;
    else properties[name] = value;
  }
  return { ...(fields as Partial<ImageRow>), properties };
}
