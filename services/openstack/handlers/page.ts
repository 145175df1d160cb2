// Pages of a list that is at hand as a whole: the next one starts after the last key of the one before, so that what is
// added or removed meanwhile moves nothing (AIP-158).

import { invalid } from '#common/errors.ts';

export type PageRequest = { readonly pageSize: number; readonly pageToken: string };
export type Page<T> = { readonly items: T[]; readonly nextPageToken: string };
export type Order<T> = {
  /** Unique among the items. */
  readonly key: (item: T) => string;
  readonly descending?: boolean;
};

const MAX_SIZE = 1000;

/** Sorts the items and cuts the page asked for. */
export function pageOf<T>(items: readonly T[], request: PageRequest, order: Order<T>): Page<T> {
  if (request.pageSize < 0) throw invalid([{ field: 'page_size', message: 'must not be negative' }]);
  const size = Math.min(request.pageSize || MAX_SIZE, MAX_SIZE);
  const after = request.pageToken === '' ? undefined : decode(request.pageToken);
  const sign = order.descending ? -1 : 1;
  const compare = (a: string, b: string) => (a < b ? -sign : a > b ? sign : 0);
  const rest = items
    .map((item) => ({ item, key: order.key(item) }))
    .filter(({ key }) => after === undefined || compare(key, after) > 0)
    .sort((a, b) => compare(a.key, b.key));
  const page = rest.slice(0, size);
  const last = page.at(-1);
  return {
    items: page.map(({ item }) => item),
    nextPageToken: rest.length > size && last ? encode(last.key) : '',
  };
}

function encode(key: string): string {
  return Buffer.from(`1${key}`).toString('base64url');
}

function decode(token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  if (!text.startsWith('1') || encode(text.slice(1)) !== token) {
    throw invalid([{ field: 'page_token', message: 'is not one that a former answer gave' }]);
  }
  return text.slice(1);
}
