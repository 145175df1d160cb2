// Neutron's lists: filters (a repeated key means "or"), tags, sorting, limit and marker with links, chosen fields.

import { Fault, type Json } from '../http.ts';
import { toBoolean } from './attributes.ts';
import { badRequest, invalidInput } from './faults.ts';

const CONTROLS = new Set(['fields', 'sort_key', 'sort_dir', 'limit', 'marker', 'page_reverse', 'verbose']);
const TAG_FILTERS = new Set(['tags', 'tags-any', 'not-tags', 'not-tags-any']);

type Row = { readonly id: string };

export type ListOptions<T extends Row> = {
  readonly query: URLSearchParams;
  /** Where the list lives, for the links. */
  readonly url: string;
  readonly plural: string;
  /** Names one may filter by, and with what kind of value. */
  readonly filters: Readonly<Record<string, 'boolean' | 'integer' | 'any'>>;
  readonly sortKeys: readonly string[];
  /** How a row looks; what is not on the page is only shown if it must be looked at. */
  show(row: T): Json;
  /** Throws if no resource has this id. Only asked when there is a limit, as Neutron does. */
  checkMarker(marker: string): void;
};

/** The envelope of a list reply. */
export function list<T extends Row>(rows: T[], options: ListOptions<T>): Json {
  const { query, url, plural, show, checkMarker } = options;
  const tests = testsOf(options);
  const limit = limitOf(query);
  const isReversed = /^(true|1)$/i.test(query.get('page_reverse') ?? '');
  const marker = query.get('marker');
  const order = orderOf(query, options.sortKeys);
  if (limit > 0 && marker !== null) checkMarker(marker);
  // Whoever neither filters nor sorts has no row shown but the page's.
  const isPlain = tests.length === 0 && order === byId;
  const found: Row[] = isPlain
    ? rows
    : rows.map(show as (row: T) => Json & Row).filter((item) => tests.every((test) => test(item)));
  found.sort(order);
  const page = cut(found, marker, limit, isReversed);
  const items = (isPlain ? page.map((row) => show(row as T)) : page) as Json[];
  const fields = query.getAll('fields');
  const shown = fields.length === 0 ? items : items.map((item) => pick(item, fields));
  const links = limit === 0 ? [] : linksOf(items, { query, url, limit, isReversed });
  return { [plural]: shown, ...(links.length > 0 ? { [`${plural}_links`]: links } : {}) };
}

type Test = (item: Json) => boolean;

function testsOf<T extends Row>({ query, filters }: ListOptions<T>): Test[] {
  const wanted = [...new Set(query.keys())].filter((name) => !CONTROLS.has(name));
  const unknown = wanted.filter((name) => !TAG_FILTERS.has(name) && !(name in filters));
  if (unknown.length > 0) {
    throw badRequest(`[${unknown.map((name) => `'${name}'`).join(', ')}] is invalid attribute for filtering`);
  }
  return wanted.map((name): Test => {
    const values = query.getAll(name);
    if (TAG_FILTERS.has(name)) return (item) => matchesTags(item, name, values);
    if (filters[name] === 'boolean') {
      const either = values.map(toBoolean);
      return (item) => either.includes(item[name] === true);
    }
    if (filters[name] === 'integer') values.forEach(checkInteger);
    if (name === 'fixed_ips') values.forEach(checkPair);
    return (item) => matches(item[name], name, values);
  });
}

function checkInteger(value: string): void {
  if (!/^\s*-?\d+\s*$/.test(value)) throw invalidInput(`'${value}' is not an integer.`);
}

function checkPair(value: string): void {
  if (!value.includes('=')) throw invalidInput(`'${value}' is not of the form <key>=[value].`);
}

function matchesTags(item: Json, name: string, values: string[]): boolean {
  const tags = item.tags as readonly string[];
  const wanted = values.flatMap((value) => value.split(','));
  if (name === 'tags') return wanted.every((tag) => tags.includes(tag));
  if (name === 'tags-any') return wanted.some((tag) => tags.includes(tag));
  if (name === 'not-tags') return !wanted.every((tag) => tags.includes(tag));
  return !wanted.some((tag) => tags.includes(tag));
}

function matches(actual: unknown, name: string, values: string[]): boolean {
  if (name === 'fixed_ips') {
    // fixed_ips=ip_address=A&fixed_ips=subnet_id=B: values of one key are alternatives, the keys must all match.
    const groups = Map.groupBy(values, (value) => value.split('=')[0] ?? '');
    return [...groups].every(([, pairs]) => pairs.some((pair) => matchesFixedIp(actual, pair)));
  }
  if (Array.isArray(actual)) return values.some((value) => actual.includes(value));
  if (actual === null || actual === undefined)
    return values.some((value) => value === '' || value === 'None');
  return values.includes(String(actual));
}

function matchesFixedIp(actual: unknown, pair: string): boolean {
  const [key = '', value = ''] = pair.split('=');
  const ips = actual as readonly Record<string, string>[];
  if (key === 'ip_address_substr') return ips.some((ip) => ip.ip_address?.includes(value));
  return ips.some((ip) => ip[key] === value);
}

type Order = (a: Row, b: Row) => number;

const byId: Order = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

function orderOf(query: URLSearchParams, names: readonly string[]): Order {
  const keys = query.getAll('sort_key');
  const directions = query.getAll('sort_dir');
  if (keys.length !== directions.length)
    throw badRequest('The number of sort_keys and sort_dirs must be same');
  const bad = keys.find((key) => !names.includes(key));
  if (bad !== undefined) throw badRequest(`['${bad}'] is invalid attribute for sort_keys`);
  const badDirection = directions.find((direction) => !/^(asc|desc)$/.test(direction));
  if (badDirection !== undefined) {
    throw badRequest(`['${badDirection}'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'`);
  }
  if (keys.length === 0) return byId;
  return (a, b) => {
    for (const [index, key] of keys.entries()) {
      const order = compare((a as Json)[key], (b as Json)[key]);
      if (order !== 0) return directions[index] === 'desc' ? -order : order;
    }
    return byId(a, b);
  };
}

export function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return a < b ? -1 : 1;
}

function limitOf(query: URLSearchParams): number {
  const text = query.get('limit');
  if (text === null) return 0;
  if (/^\d+$/.test(text)) return Number(text);
  const message = `Bad limit request: Limit must be an integer 0 or greater and not '${text}'.`;
  throw new Fault(400, message, 'BadRequest');
}

function cut(items: Row[], marker: string | null, limit: number, isReversed: boolean): Row[] {
  const at = marker === null ? -1 : items.findIndex((item) => item.id === marker);
  if (isReversed) {
    const before = at < 0 ? items : items.slice(0, at);
    return limit === 0 ? before : before.slice(-limit);
  }
  const after = items.slice(at + 1);
  return limit === 0 ? after : after.slice(0, limit);
}

function linksOf(
  page: Json[],
  {
    query,
    url,
    limit,
    isReversed,
  }: { query: URLSearchParams; url: string; limit: number; isReversed: boolean },
) {
  const href = (marker: unknown, isBack: boolean) => {
    const copy = new URLSearchParams(query);
    copy.delete('marker');
    copy.delete('page_reverse');
    if (marker !== undefined) copy.append('marker', String(marker));
    if (isBack) copy.append('page_reverse', 'True');
    return `${url}?${copy}`;
  };
  const links: { rel: string; href: string }[] = [];
  const isShort = page.length < limit;
  if (page.length > 0 && !(isShort && !isReversed))
    links.push({ rel: 'next', href: href(page.at(-1)?.id, false) });
  if (!(isShort && isReversed)) links.push({ rel: 'previous', href: href(page[0]?.id, true) });
  return links;
}

export function pick(item: Json, fields: readonly string[]): Json {
  const picked: Json = {};
  for (const name of fields) if (name in item) picked[name] = item[name];
  return picked;
}
