// The bytes of a request's body: how many are taken, and the JSON in them.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Failure } from '#common/errors.ts';
import { chunksOf } from './chunks.ts';
import { HttpFailure } from './errors.ts';

const MAX_BODY_BYTES = 2 * 1024 * 1024;
const MAX_BODY_MS = 60_000;
// Looking for the place of a mistake parses the text a few times over.
const MAX_LOCATED_CHARS = 65_536;
const LINGER_MS = 1_000;

/** Reads the whole body. Throws as soon as it is over the limit, and if the client leaves or takes a minute. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunksOf(request, { totalMs: MAX_BODY_MS })) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * After an answer that did not wait for the whole body: the rest is read and thrown away, for a second, so that the
 * answer arrives and the connection can be used again; whoever sends longer, or stops halfway, loses it.
 */
export function letBodyEnd(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete) return;
  request.resume();
  response.once('finish', () => {
    const timer = setTimeout(() => request.socket.destroy(), LINGER_MS);
    request.once('close', () => clearTimeout(timer));
    request.once('end', () => clearTimeout(timer));
  });
}

/** The JSON value of a body; undefined if there is no body, which counts as an empty object. */
export function parseBody(bytes: Buffer, headers: IncomingHttpHeaders): unknown {
  if (bytes.length === 0) return undefined;
  const { 'content-type': type, 'content-encoding': encoding = 'identity' } = headers;
  if (!isJson(type))
    throw unsupported(
      `The body must be JSON: send "Content-Type: application/json", not ${type ? `"${type}"` : 'no type at all'}`,
    );
  if (encoding !== 'identity') throw unsupported('The body must not be compressed');
  const text = decode(bytes);
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(`The body is not well-formed JSON${place(text)}`, cause);
  }
}

// RFC 6839: a type that ends in +json is JSON.
function isJson(contentType: string | undefined): boolean {
  return /^\s*application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType ?? '');
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw malformed('The body is not UTF-8 text', cause);
  }
}

// V8 tells the place of some mistakes only, and repeats parts of the text, which may hold a password. A text can be cut
// where it is still well formed so far, so bisection finds the first character that cannot be.
function place(text: string): string {
  if (text.length > MAX_LOCATED_CHARS) return '';
  let [good, bad] = [0, text.length + 1];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (canGoOn(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  const before = text.slice(0, good).split('\n');
  const where = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  return good === text.length ? `: it ends too early, at ${where}` : ` at ${where}`;
}

function canGoOn(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const position = /at position (\d+)/.exec(message)?.[1];
    return position === undefined
      ? /end of JSON input/.test(message)
      : atEnd(Number(position), beginning, message);
  }
}

function atEnd(position: number, beginning: string, message: string): boolean {
  return position >= beginning.length || /^Unterminated string/.test(message);
}

function malformed(message: string, cause: unknown): Failure {
  return new Failure({ code: 'INVALID_ARGUMENT', reason: 'MALFORMED_JSON', message, cause });
}

function unsupported(message: string): HttpFailure {
  return new HttpFailure(415, { code: 'INVALID_ARGUMENT', reason: 'UNSUPPORTED_MEDIA_TYPE', message });
}

function tooLarge(): HttpFailure {
  return new HttpFailure(413, {
    code: 'INVALID_ARGUMENT',
    reason: 'BODY_TOO_LARGE',
    message: `The body is larger than ${MAX_BODY_BYTES / 1024 / 1024} MiB`,
  });
}
