// From the name that a user writes to the cloud's image or flavor: an id, a name of the configured table, or the cloud's
// own name. Pure; the lists come from the catalog.

import type { NameTable } from './tables.ts';

export type Named = { readonly id: string; readonly name: string };

/**
 * The item meant by `wanted`, in this order: its id, the first target of the table that exists, its own name. Of several
 * items of one name the first in the list is taken: the catalog puts the newest first.
 */
export function resolve<T extends Named>(
  wanted: string,
  items: readonly T[],
  table: NameTable,
): T | undefined {
  const named = (name: string) => items.find((item) => item.name === name);
  const targets = Object.hasOwn(table, wanted) ? (table[wanted] ?? []) : [];
  return (
    items.find((item) => item.id === wanted) ??
    targets.map((target) => named(target)).find((item) => item !== undefined) ??
    named(wanted)
  );
}

const SHOWN = 30;

/** Why a name cannot be used, with those that can. */
export function unknownName(what: string, wanted: string, items: readonly Named[], table: NameTable): string {
  const known = knownNames(items, table);
  if (known.length === 0) return `${what} "${wanted}" does not exist, and this cloud has none`;
  const more = known.length > SHOWN ? ` and ${known.length - SHOWN} more` : '';
  return `${what} "${wanted}" does not exist; there are: ${known.slice(0, SHOWN).join(', ')}${more}`;
}

/** Every name that leads somewhere: those of the table first. */
export function knownNames(items: readonly Named[], table: NameTable): string[] {
  const aliases = Object.keys(table).filter((name) => resolve(name, items, table));
  return [...new Set([...aliases, ...items.map((item) => item.name).sort()])];
}

/** The table's names that lead to an item. */
export function aliasesOf(item: Named, items: readonly Named[], table: NameTable): string[] {
  return Object.keys(table).filter((name) => resolve(name, items, table)?.id === item.id);
}
