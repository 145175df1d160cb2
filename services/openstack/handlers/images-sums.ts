// Checksums of an upload: taken while the bytes pass, held against what the user said and what Glance says.

import { createHash } from 'node:crypto';
import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Image } from '../api/glance.ts';

const NAMES = ['md5', 'sha256', 'sha512'] as const;
type Name = (typeof NAMES)[number];
/** Empty where nothing is expected. */
type Expected = Readonly<Record<Name, string>> & { readonly contentLength: number };
type Values = Readonly<Record<Name, string | undefined>> & { readonly bytes: number };

export type Sums = {
  /** The same bytes, each counted once it has been asked for. */
  watch(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
  /** So many have passed. */
  bytes(): number;
  /** When all have passed. */
  values(): Values;
};

/** MD5 and SHA-512 always, for Glance tells those; SHA-256 if the user gave one. */
export function createSums(expected: Expected): Sums {
  const md5 = createHash('md5');
  const sha512 = createHash('sha512');
  const sha256 = expected.sha256 === '' ? undefined : createHash('sha256');
  let bytes = 0;
  return {
    async *watch(source) {
      for await (const chunk of source) {
        for (const hash of [md5, sha512, sha256]) hash?.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
      if (bytes === 0) throw invalid([{ field: 'chunk', message: 'is empty: send the bytes of the image' }]);
    },
    bytes: () => bytes,
    values: () => ({
      bytes,
      md5: md5.digest('hex'),
      sha256: sha256?.digest('hex'),
      sha512: sha512.digest('hex'),
    }),
  };
}

/** Throws INVALID_ARGUMENT if the bytes are not what the user said, DATA_LOSS if Glance holds other ones. */
export function compareSums(sums: Values, expected: Expected, held: Image): void {
  const violations: FieldViolation[] = NAMES.flatMap((field) => {
    const wanted = expected[field].toLowerCase();
    if (wanted === '' || wanted === sums[field]) return [];
    return [{ field, message: `is not that of the bytes that came, which is ${sums[field]}` }];
  });
  if (expected.contentLength > 0 && expected.contentLength !== sums.bytes) {
    violations.push({
      field: 'content_length',
      message: `is not ${sums.bytes}, which is how many bytes came`,
    });
  }
  if (violations.length > 0) throw invalid(violations, 'CHECKSUM_MISMATCH');

  const secure = NAMES.find((name) => name === held.os_hash_algo);
  const isSame =
    held.status === 'active' &&
    held.size === sums.bytes &&
    (held.checksum === null || held.checksum === sums.md5) &&
    (secure === undefined || sums[secure] === undefined || held.os_hash_value === sums[secure]);
  if (isSame) return;
  throw new Failure({
    code: 'DATA_LOSS',
    reason: 'IMAGE_CORRUPTED',
    message: `Glance holds something else than was sent (${held.status}, ${held.size} of ${sums.bytes} bytes, ${held.os_hash_algo} ${held.os_hash_value}): upload it again`,
    metadata: { image_id: held.id },
  });
}
