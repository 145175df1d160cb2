// Paths below a service's endpoint. Ids come from users, so none may climb out of its place: `..` would become another URL.

import { Failure } from '#common/errors.ts';

export type Path = {
  readonly path: string;
  /** The same with `{id}` for every value: what metrics count by. */
  readonly route: string;
  /** A value that no id can be, if there is one; the path must then not be asked for. */
  readonly impossible?: string | undefined;
};

/** path`/servers/${id}/action` with each value encoded as one segment. */
export function path(texts: TemplateStringsArray, ...values: readonly string[]): Path {
  let full = texts[0] ?? '';
  let route = full;
  values.forEach((value, index) => {
    const text = texts[index + 1] ?? '';
    full += encodeURIComponent(value) + text;
    route += `{id}${text}`;
  });
  const impossible = values.find((value) => value === '' || value === '.' || value === '..');
  return { path: full, route, impossible };
}

/** Throws NOT_FOUND for a path that a value would lead out of its place. */
export function assertPossible({ impossible }: Path, what: string): void {
  if (impossible === undefined) return;
  throw new Failure({
    code: 'NOT_FOUND',
    reason: 'ITEM_NOT_FOUND',
    message: `Could not ${what}: "${impossible}" is not an id that OpenStack could have given`,
  });
}

/** A list repeats the key, as Neutron's `tags` and `fields` want it; undefined leaves it out. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** `?a=1&b=2`, or nothing. Booleans become `true` and `false`, which every service reads. */
export function queryString(query: Query | undefined): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const one of value) parameters.append(key, one);
    else parameters.append(key, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
