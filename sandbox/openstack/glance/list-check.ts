// What the parameters of an image list must be, in Glance's words.

import { badRequest } from './faults.ts';

const MEMBER_STATUSES = ['pending', 'accepted', 'rejected', 'all'];

export function checkListQuery(query: URLSearchParams): void {
  if (query.has('sort') && (query.has('sort_key') || query.has('sort_dir'))) {
    throw badRequest('Old and new sorting syntax cannot be combined');
  }
  const combined = (query.get('sort') ?? '').split(',').map((part) => part.split(':')[1] ?? 'desc');
  const wrong = [...combined, ...query.getAll('sort_dir')].find((word) => !['asc', 'desc'].includes(word));
  if (wrong !== undefined) throw badRequest(`Invalid sort direction: ${wrong}`);
  for (const name of ['size_min', 'size_max']) {
    const value = query.get(name);
    if (value !== null && !/^\d+$/.test(value))
      throw badRequest('Unable to filter on a range with a non-numeric value.');
  }
  for (const name of ['created_at', 'updated_at']) {
    const value = query.get(name)?.replace(/^(gt|gte|lt|lte|eq|neq):/, '');
    if (value !== undefined && Number.isNaN(Date.parse(value)))
      throw badRequest(`Bad "${name}" query filter format. Use ISO 8601 DateTime notation.`);
  }
  for (const name of ['protected', 'os_hidden']) {
    const value = query.get(name);
    if (value !== null && !/^(true|false)$/i.test(value))
      throw badRequest(`Invalid value '${value}' for '${name}' filter. Valid values are 'true' or 'false'.`);
  }
  const status = query.get('member_status');
  if (status !== null && !MEMBER_STATUSES.includes(status)) throw badRequest(`Invalid status: ${status}`);
}
