// Lists that come in pages. Each service says differently where the next one is, and hosts in those links are not to be
// trusted behind a proxy: only the query of a link is used, on the address that the list was asked from.

import { Failure } from '#common/errors.ts';
import { SERVICE_TITLES, type ServiceName } from './settings.ts';
import { garbage } from './wire.ts';

/** A page, and where the next one begins; no marker on the last. */
export type Page<T> = { readonly items: readonly T[]; readonly nextMarker?: string | undefined };

/** What a caller may ask of one page. */
export type PageQuery = { readonly limit?: number | undefined; readonly marker?: string | undefined };

export type PageSource = {
  readonly service: ServiceName;
  /** The field of the list: `servers`. */
  readonly key: string;
  readonly what: string;
  /** Fetches `?…` as given; the first page's query includes the filters. */
  readonly fetch: (search: string) => Promise<unknown>;
  readonly firstSearch: string;
};

/** More pages than any list has: at a thousand items each, a million. */
const MAX_PAGES = 1_000;
/** How often a list may begin anew because what a page was to start after has been deleted. */
const MAX_RESTARTS = 3;

/** Every item once, page after page. Ends on an empty page, fails on a link that was followed before and on a
 * list that the service cut short. */
export async function* iteratePages<T extends object>(source: PageSource): AsyncGenerator<readonly T[]> {
  const delivered = new Set<string>();
  const followed = new Set<string>();
  let search = source.firstSearch;
  let restarts = 0;
  for (let count = 0; count < MAX_PAGES; count += 1) {
    if (followed.has(search)) throw garbage(source.service, source.what, 'its pages lead in a circle');
    followed.add(search);
    let body: unknown;
    try {
      body = await source.fetch(search);
    } catch (error) {
      if (search === source.firstSearch || !isVanishedMarker(error) || restarts >= MAX_RESTARTS) throw error;
      restarts += 1;
      search = source.firstSearch;
      followed.clear();
      continue;
    }
    const items = itemsOf<T>(source, body);
    const fresh = items.filter((item) => isFirstTime(item, delivered));
    if (fresh.length > 0) yield fresh;
    const next = nextSearch(body, source.key);
    if (next === undefined && isTruncated(body)) throw truncated(source);
    if (items.length === 0 || next === undefined) return;
    search = next;
  }
  throw garbage(source.service, source.what, `its list has more than ${MAX_PAGES} pages`);
}

/** Keystone's `list_limit` cuts a list short and says so, but not where it would go on. */
function isTruncated(body: unknown): boolean {
  return (body as { truncated?: unknown }).truncated === true;
}

function truncated({ service, what }: PageSource): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'LIST_TRUNCATED',
    message: `${SERVICE_TITLES[service]} could not ${what}: it cuts its lists short; an operator must raise its list_limit`,
    retryable: false,
    metadata: { service },
  });
}

/** The whole list. */
export async function collectPages<T extends object>(source: PageSource): Promise<T[]> {
  const all: T[] = [];
  for await (const items of iteratePages<T>(source)) all.push(...items);
  return all;
}

/** One page of the list, and the marker of the next. */
export function onePage<T extends object>(source: PageSource, body: unknown): Page<T> {
  const items = itemsOf<T>(source, body);
  const next = nextSearch(body, source.key);
  const marker = next === undefined || items.length === 0 ? null : new URLSearchParams(next).get('marker');
  return marker === null ? { items } : { items, nextMarker: marker };
}

export function itemsOf<T>(source: Pick<PageSource, 'service' | 'key' | 'what'>, body: unknown): T[] {
  const items = (body as Record<string, unknown> | undefined)?.[source.key];
  if (!Array.isArray(items))
    throw garbage(source.service, source.what, `its answer has no list "${source.key}"`);
  return items as T[];
}

/** The query of the next page's link: `servers_links` (Nova, Cinder, Neutron), `next` (Glance), `links.next` (Keystone). */
export function nextSearch(body: unknown, key: string): string | undefined {
  const record = body as Record<string, unknown>;
  const rels = record[`${key}_links`];
  const link = Array.isArray(rels)
    ? (rels as { rel?: string; href?: string }[]).find((one) => one.rel === 'next')?.href
    : (record.next ?? (record.links as { next?: unknown } | undefined)?.next);
  if (typeof link !== 'string') return undefined;
  const at = link.indexOf('?');
  return at < 0 ? undefined : link.slice(at);
}

function isFirstTime(item: object, delivered: Set<string>): boolean {
  if (!('id' in item) || typeof item.id !== 'string') return true;
  if (delivered.has(item.id)) return false;
  delivered.add(item.id);
  return true;
}

/** Nova and Glance answer 400, Neutron and Cinder 404, when the item that a page starts after is gone. */
function isVanishedMarker(error: unknown): boolean {
  return error instanceof Failure && (error.code === 'NOT_FOUND' || error.reason === 'CLOUD_REFUSED');
}
