// Lists in pages: where the body is the bare list, the way to the next page goes into headers.

import type { Binding, Message, Method } from './schema.ts';

/** The field that holds the next page's token if `response_body` hides it and the request can name a page. */
export function nextPageField(method: Method, { responseBody }: Binding): string | undefined {
  const { requestType, responseType } = method;
  const isPaged = responseType.fields.next_page_token && requestType.fields.page_token;
  return isPaged && responseBody !== '' && responseBody !== 'next_page_token' ? 'next_page_token' : undefined;
}

/** `X-Next-Page-Token` and `Link` (RFC 8288), or nothing on the last page. `url` is the request's path and query. */
export function pageHeaders(
  method: Method,
  binding: Binding,
  response: Message,
  url: string,
): Record<string, string> {
  const field = nextPageField(method, binding);
  const token = field === undefined ? '' : String(response[field] ?? '');
  if (token === '') return {};
  const [path = '', query = ''] = url.split('?', 2);
  const next = new URLSearchParams(query);
  next.delete('pageToken');
  next.set('page_token', token);
  const link = { link: `<${path}?${next}>; rel="next"` };
  // A header takes printable ASCII only; the link has any other token, percent-encoded.
  return /^[\x21-\x7e]+$/.test(token) ? { 'x-next-page-token': token, ...link } : link;
}
