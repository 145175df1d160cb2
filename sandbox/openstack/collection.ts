// A table in memory: rows by id, in the order they were made, with indexes so that one project's thousand servers are
// found without reading everybody's.

export type Row = { readonly id: string };

export type Collection<T extends Row> = {
  readonly name: string;
  get(id: string | null | undefined): T | undefined;
  /** All rows, oldest first. */
  all(): T[];
  /** The same without a copy; the row at hand may be removed. */
  values(): Iterable<T>;
  /** The rows whose `field` has this value; `field` must be one of the indexed ones. */
  by(field: keyof T & string, value: string): T[];
  count(field: keyof T & string, value: string): number;
  put(row: T): T;
  /** Merges into a row that exists; undefined if it does not. */
  update(id: string, changes: Partial<T>): T | undefined;
  remove(id: string): boolean;
  readonly size: number;
};

/** No table of the sandbox grows beyond this. */
export const MAX_ROWS = 50_000;

export class SandboxFull extends Error {}

export function createCollection<T extends Row>(
  name: string,
  fields: readonly (keyof T & string)[],
  changed: () => void,
): Collection<T> {
  const rows = new Map<string, T>();
  const indexes = new Map(fields.map((field) => [field as string, new Map<string, Set<string>>()]));

  const link = (row: T) => {
    for (const [field, index] of indexes) {
      const value = String(row[field as keyof T] ?? '');
      const ids = index.get(value) ?? new Set<string>();
      ids.add(row.id);
      index.set(value, ids);
    }
  };
  const unlink = (row: T) => {
    for (const [field, index] of indexes) {
      const value = String(row[field as keyof T] ?? '');
      const ids = index.get(value);
      ids?.delete(row.id);
      if (ids?.size === 0) index.delete(value);
    }
  };
  const idsOf = (field: string, value: string) => {
    const index = indexes.get(field);
    if (!index) throw new Error(`${name} has no index on ${field}`);
    return index.get(value) ?? new Set<string>();
  };

  return {
    name,
    get size() {
      return rows.size;
    },
    get: (id) => (id ? rows.get(id) : undefined),
    all: () => [...rows.values()],
    values: () => rows.values(),
    by: (field, value) => {
      const found: T[] = [];
      for (const id of idsOf(field, value)) {
        const row = rows.get(id);
        if (row) found.push(row);
      }
      return found;
    },
    count: (field, value) => idsOf(field, value).size,
    put: (row) => {
      const old = rows.get(row.id);
      if (!old && rows.size >= MAX_ROWS)
        throw new SandboxFull(`the sandbox holds at most ${MAX_ROWS} ${name}`);
      if (old) unlink(old);
      rows.set(row.id, row);
      link(row);
      changed();
      return row;
    },
    update: (id, changes) => {
      const old = rows.get(id);
      if (!old) return undefined;
      const row = { ...old, ...changes };
      const moved = fields.some((field) => old[field] !== row[field]);
      if (moved) unlink(old);
      rows.set(id, row);
      if (moved) link(row);
      changed();
      return row;
    },
    remove: (id) => {
      const row = rows.get(id);
      if (!row) return false;
      unlink(row);
      rows.delete(id);
      changed();
      return true;
    },
  };
}
