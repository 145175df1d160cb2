// Path templates of google.api.http: `/v1/{name=shelves/*}/books/{id}:publish`, after the grammar in
// google/api/http.proto. Percent-encoding is undone here, and only here.

import { Failure } from '#common/errors.ts';

type Part =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'one' }
  | { readonly kind: 'rest' };
type Variable = { readonly field: string; readonly from: number; readonly to: number };

export type PathTemplate = {
  readonly source: string;
  readonly parts: readonly Part[];
  /** What follows the last colon, or empty. */
  readonly verb: string;
  /** Field paths in the order they appear, each over the parts `from` to `to` (exclusive). */
  readonly variables: readonly Variable[];
};

/** Throws if the text is not of the grammar. */
export function parseTemplate(source: string): PathTemplate {
  const parts: Part[] = [];
  const variables: Variable[] = [];
  let rest = source;
  const take = (pattern: RegExp): string => {
    const found = pattern.exec(rest);
    if (!found) throw new Error(`Path template "${source}" is not well formed at "${rest}"`);
    rest = rest.slice(found[0].length);
    return found[1] ?? '';
  };
  const segment = () => parts.push(partOf(take(/^([^/{}:=]+)/)));
  while (rest.startsWith('/')) {
    take(/^\//);
    if (!rest.startsWith('{')) {
      segment();
      continue;
    }
    const field = take(/^\{([a-zA-Z_][\w.]*)/);
    const from = parts.length;
    if (rest.startsWith('=')) {
      take(/^=/);
      segment();
      while (rest.startsWith('/')) {
        take(/^\//);
        segment();
      }
    } else {
      parts.push({ kind: 'one' });
    }
    take(/^\}/);
    variables.push({ field, from, to: parts.length });
  }
  const verb = rest === '' ? '' : take(/^:([^/{}:]+)$/);
  const many = parts.findIndex((part) => part.kind === 'rest');
  if (parts.length === 0 || (many !== -1 && many !== parts.length - 1))
    throw new Error(`Path template "${source}" must begin with / and have ** only at its end`);
  return { source, parts, verb, variables };
}

function partOf(text: string): Part {
  return text === '*' ? { kind: 'one' } : text === '**' ? { kind: 'rest' } : { kind: 'literal', text };
}

/** The values of the variables if the path, still encoded and without query, fits; undefined if it does not. */
export function matchTemplate(
  template: PathTemplate,
  path: readonly string[],
): Record<string, string> | undefined {
  const { parts, verb } = template;
  const open = parts.at(-1)?.kind === 'rest';
  if (open ? path.length < parts.length - 1 : path.length !== parts.length) return undefined;
  const last = path.at(-1) ?? '';
  if (verb !== '' && !last.endsWith(`:${verb}`)) return undefined;
  const segments = verb === '' ? path : [...path.slice(0, -1), last.slice(0, -verb.length - 1)];
  for (const [index, part] of parts.entries()) {
    const segment = segments[index];
    if (part.kind === 'literal' && segment !== part.text) return undefined;
    if (part.kind === 'one' && (segment === undefined || segment === '')) return undefined;
  }
  const values = template.variables.map(({ field, from, to }) => {
    const end = to === parts.length ? segments.length : to;
    const isMany = to - from > 1 || parts[from]?.kind === 'rest';
    const raw = segments.slice(from, end);
    return [field, raw.map((segment) => decode(segment, isMany)).join('/')] as const;
  });
  return Object.fromEntries(values);
}

/** Splits a path at its slashes; one slash at the end does not count. */
export function splitPath(path: string): string[] {
  return path.replace(/^\//, '').replace(/\/$/, '').split('/');
}

/** Sorts the template that says more before the one that says less, so that the first match is the right one. */
export function bySpecificity(a: PathTemplate, b: PathTemplate): number {
  const weight = { literal: 0, one: 1, rest: 2 } as const;
  for (let index = 0; index < Math.max(a.parts.length, b.parts.length); index += 1) {
    const [left, right] = [a.parts[index], b.parts[index]];
    const order = (left ? weight[left.kind] : 3) - (right ? weight[right.kind] : 3);
    if (order !== 0) return order;
  }
  return b.verb.length - a.verb.length;
}

// http.proto: a variable over several segments keeps %2F, or its slashes could not be told from the path's.
function decode(segment: string, keepsSlash: boolean): string {
  try {
    if (!keepsSlash) return decodeURIComponent(segment);
    return segment
      .split(/(%2f)/i)
      .map((text) => (/^%2f$/i.test(text) ? text : decodeURIComponent(text)))
      .join('');
  } catch (cause) {
    throw new Failure({
      code: 'INVALID_ARGUMENT',
      reason: 'INVALID_PATH',
      message: `The path has a percent-encoding that is not well formed: ${segment}`,
      cause,
    });
  }
}
