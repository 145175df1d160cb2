// Which page of a list a request asks for, where the token is the place of the last entry of the page before.

import { invalid } from './errors.ts';

const PAGE = { default: 100, most: 1000 };

export type PageRequest = { readonly pageSize: number; readonly pageToken: string };

/** Throws INVALID_ARGUMENT. */
export function pageOf({ pageSize, pageToken }: PageRequest): { from: string | undefined; limit: number } {
  if (pageSize < 0) throw invalid([{ field: 'page_size', message: 'must not be negative' }]);
  if (!/^\d{0,18}$/.test(pageToken)) {
    throw invalid([{ field: 'page_token', message: 'is not one that a previous answer gave' }]);
  }
  return { from: pageToken || undefined, limit: Math.min(pageSize || PAGE.default, PAGE.most) };
}
