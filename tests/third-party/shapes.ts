// The shape of a command's answer: which keys, and of which type or format each value is. Values themselves differ from
// cloud to cloud and from run to run; shapes must not.

/** A type or format, several of them joined by '|', or the keys of an object; a list is an object with the key '[]'. */
export type Shape = string | { readonly [key: string]: Shape };

const FORMATS: readonly (readonly [string, RegExp])[] = [
  ['empty text', /^$/],
  ['uuid', /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/],
  ['hex id', /^[0-9a-f]{32}$/],
  ['mac', /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/],
  ['fingerprint', /^([0-9a-f]{2}:){15}[0-9a-f]{2}$/],
  ['ipv4', /^(\d{1,3}\.){3}\d{1,3}$/],
  ['cidr', /^[0-9a-f.:]+\/\d{1,3}$/],
  ['url', /^https?:\/\//],
  ['number as text', /^-?\d+(\.\d+)?$/],
  ['time Z', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/],
  ['time +0000', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000$/],
  ['time with a fraction', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+$/],
  ['time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/],
];

/** `words` are replaced in keys, as in a server's addresses, which have networks' names for keys. */
export function shapeOf(value: unknown, words: ReadonlyMap<string, string>): Shape {
  if (value === null) return 'null';
  if (typeof value === 'string') return FORMATS.find(([, pattern]) => pattern.test(value))?.[0] ?? 'text';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  if (typeof value !== 'object') return typeof value;
  if (Array.isArray(value)) {
    if (value.length === 0) return 'empty list';
    return { '[]': value.map((item) => flat(shapeOf(item, words))).reduce(merged) };
  }
  const entries = Object.entries(value).map(([key, item]) => [replaced(key, words), shapeOf(item, words)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
}

/** Objects in a row have keys that other people chose, such as a flavor's properties: that they are objects is enough. */
function flat(shape: Shape): Shape {
  if (typeof shape === 'string' || '[]' in shape) return shape;
  const columns = Object.entries(shape).map(([key, column]): [string, Shape] => [key, withoutKeys(column)]);
  return Object.fromEntries(columns);
}

function withoutKeys(shape: Shape): Shape {
  return typeof shape === 'string' || '[]' in shape ? shape : 'object';
}

function merged(one: Shape, other: Shape): Shape {
  if (typeof one === 'string' && typeof other === 'string') {
    return [...new Set([...one.split('|'), ...other.split('|')])].sort().join('|');
  }
  if (typeof one === 'string' || typeof other === 'string') {
    // A list that is empty in one row and not in another is a list.
    return typeof one === 'string' ? other : one;
  }
  const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
  return Object.fromEntries(
    keys.map((key) => {
      const [left, right] = [one[key], other[key]];
      if (left === undefined || right === undefined) return [key, left ?? right ?? 'null'];
      return [key, merged(left, right)];
    }),
  );
}

/** What a command said on standard error, without what differs from run to run. */
export function normalisedError(text: string, words: ReadonlyMap<string, string>): string {
  return (
    replaced(text, words)
      .replaceAll(/https?:\/\/[^\s,]+/g, 'URL')
      .replaceAll(/req-[0-9a-f-]{36}/g, 'REQUEST')
      .replaceAll(/[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}/g, 'UUID')
      .replaceAll(/\b[0-9a-f]{32}\b/g, 'ID')
      .replaceAll(/UUID(, ?UUID)+/g, 'UUIDS')
      // The client puts the parts of a page in no certain order.
      .replaceAll(/403 Forbidden: |: 403 Forbidden/g, '')
      .replaceAll(/\b172\.\d+\.\d+\.\d+\b/g, 'ADDRESS')
  );
}

function replaced(text: string, words: ReadonlyMap<string, string>): string {
  let result = text;
  for (const [from, to] of words) result = result.replaceAll(from, to);
  return result;
}
