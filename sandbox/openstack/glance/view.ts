// How an image looks.

import type { Json } from '../http.ts';
import type { ImageRow } from './rows.ts';

export function showImage(row: ImageRow): Json {
  const path = `/v2/images/${row.id}`;
  return {
    ...row.properties,
    name: row.name,
    disk_format: row.disk_format,
    container_format: row.container_format,
    visibility: row.visibility,
    size: row.size,
    virtual_size: row.virtual_size,
    status: row.status,
    checksum: row.checksum,
    protected: row.protected,
    min_ram: row.min_ram,
    min_disk: row.min_disk,
    owner: row.owner,
    os_hidden: row.os_hidden,
    os_hash_algo: row.os_hash_algo,
    os_hash_value: row.os_hash_value,
    id: row.id,
    created_at: row.created_at,
    updated_at: row.updated_at,
    tags: row.tags,
    self: path,
    file: `${path}/file`,
    schema: '/v2/schemas/image',
    ...(row.status === 'active' ? { stores: 'local' } : {}),
  };
}
