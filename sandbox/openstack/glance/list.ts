// Glance's image list: visibility, filters, sorting, and pages of 25 unless asked otherwise.

import type { Cloud } from '../cloud.ts';
import type { Call, Json } from '../http.ts';
import { compare } from '../neutron/lists.ts';
import { badRequest } from './faults.ts';

import { checkListQuery } from './list-check.ts';
import type { ImageRow } from './rows.ts';
import { showImage } from './view.ts';
import { isMember } from './visibility.ts';

const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 1000;
const SORT_KEYS = [
  'name',
  'status',
  'container_format',
  'disk_format',
  'size',
  'id',
  'created_at',
  'updated_at',
] as const;
const CONTROLS = [
  'limit',
  'marker',
  'sort',
  'sort_key',
  'sort_dir',
  'member_status',
  'visibility',
  'tag',
  'os_hidden',
];

export function listImages(cloud: Cloud, call: Call): Json {
  const { query } = call;
  const limit = limitOf(query.get('limit'));
  checkListQuery(query);
  const found = cloud.images
    .all()
    .filter((row) => isListed(row, call))
    .filter((row) => matches(row, query));
  sort(found, query);
  const marker = query.get('marker');
  const at = marker === null ? -1 : found.findIndex((row) => row.id === marker);
  if (marker !== null && at < 0) throw badRequest(`No image found with ID ${marker}`);
  const page = found.slice(at + 1, at + 1 + limit);
  const isFull = page.length === limit && limit > 0;
  return {
    images: page.map(showImage),
    first: linkOf(query, undefined),
    schema: '/v2/schemas/images',
    ...(isFull ? { next: linkOf(query, page.at(-1)?.id) } : {}),
  };
}

function limitOf(text: string | null): number {
  if (text === null) return DEFAULT_LIMIT;
  if (!/^-?\d+$/.test(text)) throw badRequest('limit param must be an integer');
  if (Number(text) < 0) throw badRequest('limit param must be positive');
  return Math.min(Number(text), MAX_LIMIT);
}

function linkOf(query: URLSearchParams, marker: string | undefined): string {
  const copy = new URLSearchParams(query);
  copy.delete('marker');
  if (marker !== undefined) copy.append('marker', marker);
  const text = copy.toString();
  return text === '' ? '/v2/images' : `/v2/images?${text}`;
}

/** Own and public images; community ones only if they are asked for. */
function isListed(row: ImageRow, { caller, query }: Call): boolean {
  const asked = query.get('visibility');
  if (asked !== null && !['public', 'private', 'shared', 'community', 'all'].includes(asked)) {
    throw badRequest(`Invalid visibility value: ${asked}`);
  }
  const isHidden = /^(true|1)$/i.test(query.get('os_hidden') ?? 'false');
  if (row.os_hidden !== isHidden) return false;
  const isOwn = row.owner === caller.projectId;
  if (asked !== null && asked !== 'all' && row.visibility !== asked) return false;
  if (row.visibility === 'public' || isOwn) return true;
  if (row.visibility === 'community') return asked === 'community' || asked === 'all';
  return caller.isAdmin || isMember(row, caller.projectId, query.get('member_status') ?? 'accepted');
}

function matches(row: ImageRow, query: URLSearchParams): boolean {
  const shown = showImage(row);
  for (const name of new Set(query.keys())) {
    if (CONTROLS.includes(name)) continue;
    const value = query.get(name) ?? '';
    if (name === 'size_min' || name === 'size_max') {
      const size = row.size ?? 0;
      if (name === 'size_min' ? size < Number(value) : size > Number(value)) return false;
      continue;
    }
    if (name === 'created_at' || name === 'updated_at') {
      if (!matchesTime(row[name], value)) return false;
      continue;
    }
    const wanted = value.startsWith('in:') ? value.slice(3).split(',') : [value];
    const actual = typeof shown[name] === 'boolean' ? String(shown[name]) : String(shown[name] ?? '');
    const isBoolean = typeof shown[name] === 'boolean';
    if (
      !(name in shown) ||
      !wanted.some((text) => (isBoolean ? text.toLowerCase() : text.replaceAll('"', '')) === actual)
    ) {
      return false;
    }
  }
  return query.getAll('tag').every((tag) => row.tags.includes(tag));
}

function matchesTime(actual: string, value: string): boolean {
  const [operator = 'eq', ...rest] = value.split(':');
  const isNamed = ['gt', 'gte', 'lt', 'lte', 'eq', 'neq'].includes(operator);
  const order = compare(actual, isNamed ? rest.join(':') : value);
  switch (isNamed ? operator : 'eq') {
    case 'gt':
      return order > 0;
    case 'gte':
      return order >= 0;
    case 'lt':
      return order < 0;
    case 'lte':
      return order <= 0;
    case 'neq':
      return order !== 0;
    default:
      return order === 0;
  }
}

/** Newest first without a sort key. */
function sort(rows: ImageRow[], query: URLSearchParams): void {
  const combined = query
    .get('sort')
    ?.split(',')
    .map((part) => part.split(':'));
  const directions = query.getAll('sort_dir');
  const rules =
    combined?.map(([key = '', direction = 'desc']) => ({ key, direction })) ??
    query
      .getAll('sort_key')
      .map((key, index) => ({ key, direction: directions[index] ?? directions[0] ?? 'desc' }));
  const bad = rules.find(({ key }) => !SORT_KEYS.some((name) => name === key));
  if (bad)
    throw badRequest(
      `Invalid sort key: ${bad.key}. It must be one of the following: ${SORT_KEYS.join(', ')}.`,
    );
  const all = [...rules, { key: 'created_at', direction: 'desc' }, { key: 'id', direction: 'desc' }];
  rows.sort((a, b) => {
    for (const { key, direction } of all) {
      const order = compare(a[key as keyof ImageRow], b[key as keyof ImageRow]);
      if (order !== 0) return direction === 'asc' ? order : -order;
    }
    return 0;
  });
}
