// Lists of Neutron's things in the order asked for, by pages.

import { invalid } from '#common/errors.ts';
import { type Page, type PageRequest, pageOf } from './page.ts';

type OrderRequest = PageRequest & { readonly orderBy: string };

/** The page, sorted by what `order_by` says, or by the first key, and then by id. INVALID_ARGUMENT names the keys. */
export function orderedPage<T extends { readonly id: string }>(
  items: readonly T[],
  request: OrderRequest,
  keys: Readonly<Record<string, (item: T) => string>>,
): Page<T> {
  const names = Object.keys(keys);
  const [wanted = '', direction = 'asc', ...rest] = request.orderBy.trim().split(/\s+/);
  const name = names.find((one) => one === (wanted || names[0])) ?? '';
  const key = keys[name];
  if (!key || !['asc', 'desc'].includes(direction) || rest.length > 0) {
    const message = `"${request.orderBy}" is nothing to sort by; there are: ${names.join(', ')}, and each with desc behind it`;
    throw invalid([{ field: 'order_by', message }]);
  }
  const descending = direction === 'desc';
  return pageOf(items, request, { key: (item) => `${key(item)} ${item.id}`, descending });
}

export const byName = ({ name }: { readonly name: string }): string => name;
export const byStatus = ({ status }: { readonly status: string }): string => status;
export const byTime = ({ created_at }: { readonly created_at: string }): string => created_at;
