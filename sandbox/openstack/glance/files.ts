// The data of images: upload and download. Small images are kept in memory until the process ends; of larger ones only
// size and checksums.

import { createHash } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import { type Call, Fault, noContent, type Reply, type Route, route } from '../http.ts';
import { nowSeconds } from '../ids.ts';
import { badRequest, conflict, forbidden } from './faults.ts';
import { mustImage, requireOwner } from './images.ts';

const MAX_KEPT_BYTES = 8 * 1024 * 1024;
const MAX_KEPT_IN_ALL_BYTES = 128 * 1024 * 1024;
const MAX_UPLOAD_BYTES = 8 * 1024 ** 3;

export function fileRoutes(cloud: Cloud): Route[] {
  return [
    { ...route('PUT', '/images/{id}/file', (call) => upload(cloud, call)), body: 'stream' },
    route('GET', '/images/{id}/file', (call) => {
      const row = mustImage(cloud, call);
      if (row.status === 'deactivated' && !call.caller.isAdmin) {
        throw forbidden('The requested image has been deactivated. Image data download is forbidden.');
      }
      const bytes = cloud.contents.get(row.id);
      if (!bytes) return noContent;
      const headers = { 'content-type': 'application/octet-stream', 'content-md5': row.checksum ?? '' };
      return { status: 200, body: bytes, headers };
    }),
  ];
}

async function upload(cloud: Cloud, call: Call): Promise<Reply> {
  const type = call.headers['content-type'] ?? '';
  if (!type.startsWith('application/octet-stream')) {
    call.stream.resume();
    throw new Fault(415, `The request media type ${type} is not supported by this server.\n`);
  }
  const row = mustImage(cloud, call);
  requireOwner(row, call);
  if (row.status !== 'queued') {
    throw conflict(`Image status transition from ${row.status} to saving is not allowed`);
  }
  if (row.disk_format === null || row.container_format === null) {
    throw badRequest('Properties disk_format, container_format must be set prior to saving data.');
  }
  cloud.images.update(row.id, { status: 'saving', updated_at: nowSeconds() });
  try {
    const { bytes, size, md5, sha512 } = await digest(call);
    if (bytes && bytes.length + keptBytes(cloud) <= MAX_KEPT_IN_ALL_BYTES) cloud.contents.set(row.id, bytes);
    cloud.images.update(row.id, {
      status: 'active',
      size,
      virtual_size: row.disk_format === 'raw' ? size : null,
      checksum: md5,
      os_hash_algo: 'sha512',
      os_hash_value: sha512,
      updated_at: nowSeconds(),
    });
  } catch (error) {
    // An upload that breaks off leaves the image as it was.
    cloud.images.update(row.id, { status: 'queued' });
    throw error;
  }
  return noContent;
}

async function digest(call: Call) {
  const md5 = createHash('md5');
  const sha512 = createHash('sha512');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const part of call.stream) {
    const chunk = part as Buffer;
    size += chunk.length;
    if (size > MAX_UPLOAD_BYTES) throw new Fault(413, 'The image is too large for the sandbox.');
    md5.update(chunk);
    sha512.update(chunk);
    if (size <= MAX_KEPT_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  }
  const bytes = size <= MAX_KEPT_BYTES ? Buffer.concat(chunks) : undefined;
  return { bytes, size, md5: md5.digest('hex'), sha512: sha512.digest('hex') };
}

function keptBytes(cloud: Cloud): number {
  let sum = 0;
  for (const bytes of cloud.contents.values()) sum += bytes.length;
  return sum;
}
