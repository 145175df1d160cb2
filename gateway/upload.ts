// Uploads: an rpc that streams its requests takes the body's bytes as they are, in the field that its binding names. The
// first message has what path and query say, the others a piece of the body each; nothing of it is kept.

import type { FastifyRequest } from 'fastify';
import { chunksOf } from './chunks.ts';
import { HttpFailure } from './errors.ts';
import type { Route } from './routes.ts';
import type { Message } from './schema.ts';
import { type StreamFormat, streamFormat } from './stream.ts';

const TYPE = 'application/octet-stream';
// A client that sends nothing for so long has gone without saying so.
const IDLE_MS = 60_000;

/** The request messages. Throws INVALID_ARGUMENT with every mistake in the query, 415 for a body of another type. */
export function readUpload(
  { raw, headers }: FastifyRequest,
  { route, params, search }: { route: Route; params: Readonly<Record<string, string>>; search: string },
  over: AbortSignal,
): AsyncIterable<Message> {
  const { 'content-type': type = TYPE, 'content-encoding': encoding = 'identity' } = headers;
  if (!type.toLowerCase().startsWith(TYPE))
    throw unsupported(`The body must be the file itself: send "Content-Type: ${TYPE}", not "${type}"`);
  if (encoding !== 'identity') throw unsupported('The body must not be compressed on its way');
  const query = new URLSearchParams(search);
  const { 'content-length': length } = headers;
  if (length !== undefined && route.method.requestType.fields.content_length)
    query.set('content_length', length);
  const first = route.transcoder.read({ params, query, body: undefined });
  return messages(first);

  async function* messages(beginning: Message): AsyncGenerator<Message> {
    yield beginning;
    for await (const chunk of chunksOf(raw, { idleMs: IDLE_MS, over })) yield { [route.binding.body]: chunk };
  }
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
