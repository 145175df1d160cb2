// A body of type multipart/form-data, as browsers send it: fields first, then one file, which is passed on as it comes. What
// the fields mean is the rpc's; of the bytes nothing is kept.

import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy } from '@fastify/busboy';
import { Failure, type FieldViolation, invalid } from '#common/errors.ts';

export type Form = {
  /** Those that came before the file. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Throws INVALID_ARGUMENT at its end if something came after it, or if the form breaks off. */
  readonly file: AsyncIterable<Buffer>;
};

const FILE = 'file';
const LIMITS = { fields: 200, fieldSize: 65_536, files: 1, headerPairs: 50, headerSize: 16_384 };

/** Answers when the file begins. Throws INVALID_ARGUMENT with every mistake if there is none, or a field is too long. */
export async function openForm(
  source: AsyncIterable<Buffer>,
  { contentType, signal }: { readonly contentType: string; readonly signal: AbortSignal },
): Promise<Form> {
  const parser = createParser(contentType);
  const fields: (readonly [string, string])[] = [];
  const violations: FieldViolation[] = [];
  const opened = Promise.withResolvers<Readable | undefined>();
  let isOpen = false;
  parser
    .on('field', (name, value, _isNameCut, isCut) => {
      if (isOpen) violations.push({ field: name, message: 'must come before the file' });
      else if (isCut)
        violations.push({ field: name, message: `must have at most ${LIMITS.fieldSize} bytes` });
      else fields.push([name, value]);
    })
    .on('file', (_name, stream) => {
      isOpen = true;
      // It can fail before anyone reads it, or after the last one did.
      stream.on('error', () => {});
      opened.resolve(stream);
    })
    .on('filesLimit', () => violations.push({ field: FILE, message: 'must be one file' }))
    .on('fieldsLimit', () =>
      violations.push({ field: FILE, message: `must have at most ${LIMITS.fields} fields before it` }),
    );
  const parsed = pipeline(source, parser, { signal }).then(
    () => opened.resolve(undefined),
    async (cause: unknown) => {
      const error = cause instanceof Failure ? cause : malformed(cause);
      opened.reject(error);
      (await opened.promise.catch(() => undefined))?.destroy(error);
      throw error;
    },
  );
  parsed.catch(() => {});

  const stream = await opened.promise;
  if (stream === undefined) {
    violations.push({ field: FILE, message: 'is missing: send the bytes as a file, after the fields' });
  }
  if (violations.length > 0 || stream === undefined) throw invalid(violations);
  return { fields, file: bytesOf(stream) };

  async function* bytesOf(from: Readable): AsyncGenerator<Buffer> {
    try {
      yield* from;
    } catch (error) {
      // What it ends with is what the whole form ends with.
      await parsed;
      throw error;
    }
    await parsed;
    if (violations.length > 0) throw invalid(violations);
  }
}

function createParser(contentType: string) {
  try {
    return new Busboy({ headers: { 'content-type': contentType }, limits: LIMITS });
  } catch (cause) {
    throw malformed(cause);
  }
}

function malformed(cause: unknown): Failure {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new Failure({
    code: 'INVALID_ARGUMENT',
    reason: 'MALFORMED_FORM',
    message: `The body is not well-formed multipart/form-data: ${said}`,
    cause,
  });
}
