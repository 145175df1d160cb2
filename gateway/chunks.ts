// The bytes of a request's body as they come, no faster than they are taken, and with patience for a silent client that
// ends. Leaving the loop leaves the connection as it is, so that an answer can still be sent.

import type { IncomingMessage } from 'node:http';
import { cancelled } from '#common/errors.ts';
import { HttpFailure } from './errors.ts';

export type Patience = {
  /** Milliseconds between two pieces; as long as it takes if not set. */
  readonly idleMs?: number;
  /** Milliseconds for the whole body; the same. */
  readonly totalMs?: number;
  /** Ends the loop without a failure. */
  readonly over?: AbortSignal;
};

/** Throws CANCELLED if the client leaves before all has come, and 408 if it keeps silent for too long. */
export async function* chunksOf(
  request: IncomingMessage,
  { idleMs, totalMs, over }: Patience,
): AsyncGenerator<Buffer> {
  const waiting: Buffer[] = [];
  let isEnded = request.readableEnded;
  let failure: unknown;
  let wake = () => {};
  const fail = (error: unknown) => {
    failure ??= error;
    wake();
  };
  const onData = (chunk: Buffer) => {
    waiting.push(chunk);
    request.pause();
    wake();
  };
  const onEnd = () => {
    isEnded = true;
    wake();
  };
  const onClose = () => fail(cancelled());
  const onOver = () => wake();
  const timer = (ms: number | undefined) =>
    ms === undefined ? undefined : setTimeout(() => fail(tooSlow(ms)), ms);
  const total = timer(totalMs);
  request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  over?.addEventListener('abort', onOver);
  try {
    while (!over?.aborted) {
      const chunk = waiting.shift();
      if (chunk !== undefined) {
        yield chunk;
        continue;
      }
      if (isEnded) return;
      if (failure !== undefined) throw failure;
      const idle = timer(idleMs);
      await new Promise<void>((resolve) => {
        wake = resolve;
        request.resume();
      });
      clearTimeout(idle);
    }
  } finally {
    clearTimeout(total);
    request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
    over?.removeEventListener('abort', onOver);
    request.pause();
  }
}

function tooSlow(ms: number): HttpFailure {
  return new HttpFailure(408, {
    code: 'DEADLINE_EXCEEDED',
    reason: 'BODY_TOO_SLOW',
    message: `The body did not come within ${Math.round(ms / 1000)} s`,
  });
}
