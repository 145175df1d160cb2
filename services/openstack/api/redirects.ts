// Where a redirect leads that may be followed: to the same host and port, with the same method and body. Anything else
// would carry the token elsewhere or turn a POST into a GET, and is refused.

import type { Exchange } from './transport.ts';

/** A service that redirects oftener leads in a circle. */
export const MAX_REDIRECTS = 3;

type Redirected = { readonly method: Exchange['method']; readonly url: string; readonly upload?: unknown };

/** The address to ask instead; undefined if the answer is no redirect or must not be followed. */
export function redirectTarget(
  { method, url, upload }: Redirected,
  status: number,
  location: string | undefined,
): string | undefined {
  // 307 and 308 keep the method by definition (RFC 9110 15.4); the others do for what only reads. An upload is gone.
  const reads = method === 'GET' || method === 'HEAD';
  const keepsMethod = [307, 308].includes(status) || (reads && [301, 302, 303].includes(status));
  if (!keepsMethod || upload !== undefined || location === undefined || !URL.canParse(location, url)) {
    return undefined;
  }
  // What the query asked for stands in the new address, or was not wanted there.
  const target = new URL(location, url);
  return target.origin === new URL(url).origin ? target.href : undefined;
}
