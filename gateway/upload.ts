// Uploads: an rpc that streams its requests takes the body's bytes as they are, or those of a form's file, in the field that
// its binding names. The first message has what path, query and form say, the others a piece each; nothing of it is kept.

import type { FastifyRequest } from 'fastify';
import { chunksOf } from './chunks.ts';
import { HttpFailure } from './errors.ts';
import type { Route } from './routes.ts';
import type { Message } from './schema.ts';
import { type StreamFormat, streamFormat } from './stream.ts';
import { openForm } from './upload-form.ts';

export const FILE_TYPE = 'application/octet-stream';
export const FORM_TYPE = 'multipart/form-data';
// A client that sends nothing for so long has gone without saying so.
const IDLE_MS = 60_000;

/**
 * The request messages. Throws INVALID_ARGUMENT with every mistake in the query and a form's fields, 415 for a body of
 * another type. Firing `over` ends the reading.
 */
export async function readUpload(
  { raw, headers }: FastifyRequest,
  { route, params, search }: { route: Route; params: Readonly<Record<string, string>>; search: string },
  over: AbortSignal,
): Promise<AsyncIterable<Message>> {
  const { 'content-type': type = FILE_TYPE, 'content-encoding': encoding = 'identity' } = headers;
  if (encoding !== 'identity') throw unsupported('The body must not be compressed on its way');
  const query = new URLSearchParams(search);
  const read = () => route.transcoder.read({ params, query, body: undefined });
  const body = chunksOf(raw, { idleMs: IDLE_MS, over });
  if (isOfType(type, FILE_TYPE)) {
    const { 'content-length': length } = headers;
    if (length !== undefined && route.method.requestType.fields.content_length)
      query.set('content_length', length);
    return messages(read(), body);
  }
  if (!isOfType(type, FORM_TYPE))
    throw unsupported(
      `The body must be the file itself, as "Content-Type: ${FILE_TYPE}", or a form with a file, as ${FORM_TYPE}; not "${type}"`,
    );
  const { fields, file } = await openForm(body, { contentType: type, signal: over });
  for (const [name, value] of fields) query.append(name, value);
  return messages(read(), file);

  async function* messages(first: Message, chunks: AsyncIterable<Buffer>): AsyncGenerator<Message> {
    yield first;
    for await (const chunk of chunks) yield { [route.binding.body]: chunk };
  }
}

function isOfType(text: string, type: string): boolean {
  return text.toLowerCase().split(';')[0]?.trim() === type;
}

/** How the client wants to hear of the progress; undefined if it only wants the result. */
export function progressFormat(accept: string | undefined): StreamFormat | undefined {
  return /text\/event-stream|application\/x-ndjson/i.test(accept ?? '') ? streamFormat(accept) : undefined;
}

/** The last message, which is the result. */
export async function lastOf(messages: AsyncIterable<Message>): Promise<Message> {
  let last: Message = {};
  for await (const message of messages) last = message;
  return last;
}

function unsupported(message: string): HttpFailure {
  return new HttpFailure(415, { code: 'INVALID_ARGUMENT', reason: 'UNSUPPORTED_MEDIA_TYPE', message });
}
