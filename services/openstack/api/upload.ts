// The body of a long upload on its way to a service: no faster than the service takes it, and with an end to the wait for one
// that takes nothing more. Whose fault a broken upload is, the source's or the service's, is told apart here.

import { Readable } from 'node:stream';
import { Failure } from '#common/errors.ts';
import { SERVICE_TITLES, type ServiceName } from './settings.ts';

export type Upload = {
  /** Where got reads from. */
  readonly stream: Readable;
  /** Fires when the service has taken nothing for a minute. */
  readonly stalled: AbortSignal;
  /** The failure of the source, once there is one: what the exchange then ends with is only its echo. */
  sourceFailure(): Failure | undefined;
  /** Lets go of the source; to be called when the exchange is over. */
  close(): void;
};

const STALL_MS = 60_000;

export function createUpload(
  source: AsyncIterable<Uint8Array>,
  { service, what }: { readonly service: ServiceName; readonly what: string },
): Upload {
  const stalling = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let sourceFailure: Failure | undefined;

  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) {
        timer = setTimeout(() => stalling.abort(stalled(service, what)), STALL_MS);
        yield chunk;
        clearTimeout(timer);
      }
    } catch (error) {
      if (error instanceof Failure) sourceFailure = error;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  const stream = Readable.from(watched());
  // The exchange tells what went wrong; an error after its end is nobody's.
  stream.on('error', () => {});
  return {
    stream,
    stalled: stalling.signal,
    sourceFailure: () => sourceFailure,
    close() {
      clearTimeout(timer);
      stream.destroy();
    },
  };
}

function stalled(service: ServiceName, what: string): Failure {
  return new Failure({
    code: 'DEADLINE_EXCEEDED',
    reason: 'CLOUD_TIMEOUT',
    message: `${SERVICE_TITLES[service]} could not ${what}: it took nothing for ${STALL_MS / 1000} s`,
    retryable: true,
    metadata: { service },
  });
}
