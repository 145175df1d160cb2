// Server streams over HTTP: newline-delimited JSON, or server-sent events if the client asks for them. The reader sets
// the pace; a client that leaves ends the call.

import { Readable } from 'node:stream';
import type { Write } from './json-writer.ts';
import type { Message } from './schema.ts';

export type StreamFormat = 'ndjson' | 'sse';

export const CONTENT_TYPE: Readonly<Record<StreamFormat, string>> = {
  ndjson: 'application/x-ndjson',
  sse: 'text/event-stream',
};

// Proxies close what is silent for long; many wait a minute, some half of it.
const HEARTBEAT_MS = 15_000;
// An answer that begins late still begins: after this a client sees the status although no message has come.
const HEADERS_MS = 1_000;

export type StreamOptions = {
  readonly messages: AsyncIterable<Message>;
  readonly write: Write;
  readonly format: StreamFormat;
  /** What is told of a failure after the answer has begun. */
  readonly describe: (error: unknown) => unknown;
  /** Called when the answer begins; sends the headers out before the first message. */
  readonly begin: () => void;
  readonly heartbeatMs?: number;
};

/** Server-sent events if the client lists them in `Accept`, newline-delimited JSON if not. */
export function streamFormat(accept: string | undefined): StreamFormat {
  return /text\/event-stream/i.test(accept ?? '') ? 'sse' : 'ndjson';
}

/**
 * The body of the answer. A call that fails before its first message throws here, so that the client gets a status;
 * one that fails later ends with a last line, or event, that says so. Whoever reads the body cancels the call when it closes.
 */
export async function openStream(options: StreamOptions): Promise<Readable> {
  const iterator = options.messages[Symbol.asyncIterator]();
  const first = iterator.next();
  // A client that leaves at once never reads what it asked for, and then nobody looks at this.
  first.catch(() => {});
  await within(first, HEADERS_MS);
  return Readable.from(frames(iterator, first, options), { objectMode: false, highWaterMark: 16_384 });
}

async function* frames(
  iterator: AsyncIterator<Message>,
  first: Promise<IteratorResult<Message>>,
  { write, format, describe, begin, heartbeatMs = HEARTBEAT_MS }: StreamOptions,
): AsyncGenerator<string> {
  begin();
  try {
    for (let next = first; ; ) {
      const result = await within(next, heartbeatMs);
      if (result === LATE) {
        // A comment to the one, an empty line to the other: readers of newline-delimited JSON pass over it.
        yield format === 'sse' ? ': still here\n\n' : '\n';
        continue;
      }
      if (result.done) break;
      yield format === 'sse' ? event(write(result.value)) : `${JSON.stringify(write(result.value))}\n`;
      next = iterator.next();
    }
    if (format === 'sse') yield 'event: end\ndata: {}\n\n';
  } catch (error) {
    const text = JSON.stringify(describe(error));
    yield format === 'sse' ? `event: failure\ndata: ${text}\n\n` : `${text}\n`;
  }
}

function event(json: unknown): string {
  const { sequence } = json as { sequence?: unknown };
  const id = typeof sequence === 'number' ? `id: ${sequence}\n` : '';
  return `${id}event: message\ndata: ${JSON.stringify(json)}\n\n`;
}

const LATE = Symbol('late');

async function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
