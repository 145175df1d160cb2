// Pages of Nova's and Cinder's lists: limit and marker, at most a thousand items, a link to the next page.

import type { Call } from '../http.ts';
import { badRequest } from './faults.ts';

const MAX_PAGE = 1000;

export type PageOptions = {
  readonly call: Call;
  /** The list's name, as in `servers_links`. */
  readonly key: string;
  /** What comes before the request's own path in links. */
  readonly base: string;
  /** Cinder's words for a bad marker and limit instead of Nova's. */
  readonly faults?: { marker(id: string): Error; limit(): Error };
};

type Page<T> = { readonly page: T[]; readonly links: Readonly<Record<string, unknown>> };

export function pageOf<T extends { readonly id: string }>(rows: readonly T[], options: PageOptions): Page<T> {
  const { call, key, base, faults } = options;
  const limit = limitOf(call.query.get('limit'), faults);
  const marker = call.query.get('marker');
  const at = marker === null ? -1 : rows.findIndex((row) => row.id === marker);
  if (marker !== null && at < 0) throw faults?.marker(marker) ?? badRequest(`marker [${marker}] not found`);
  const page = rows.slice(at + 1, at + 1 + limit);
  const last = page.at(-1);
  if (!last || page.length < limit || at + 1 + limit >= rows.length + (limit < MAX_PAGE ? 1 : 0)) {
    return { page, links: {} };
  }
  const next = new URLSearchParams(call.query);
  next.delete('marker');
  next.append('marker', last.id);
  const path = call.target.split('?')[0];
  return { page, links: { [`${key}_links`]: [{ rel: 'next', href: `${base}${path}?${next}` }] } };
}

function limitOf(text: string | null, faults: PageOptions['faults']): number {
  if (text === null) return MAX_PAGE;
  if (!/^[0-9]*$/.test(text)) {
    if (faults) throw faults.limit();
    throw badRequest(
      `Invalid input for query parameters limit. Value: ${text}. '${text}' does not match '^[0-9]*$'`,
    );
  }
  return Math.min(Number(text), MAX_PAGE);
}
