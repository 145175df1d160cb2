// The embedded PostgreSQL of a running mesh: one that dies comes back on its port.

import { wait } from '#common/time.ts';
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded-postgres.ts';

export type KeptPostgres = { readonly url: string; close(): Promise<void> };

/** Starts it, and until `close` starts it again whenever it ends; `onDeath` is told of each end that nobody asked for. */
export async function keepPostgres(
  options: EmbeddedPostgresOptions,
  onDeath: (name: string, how: string) => void,
): Promise<KeptPostgres> {
  const stopping = new AbortController();
  let postgres = await startEmbeddedPostgres(options);
  const { url } = postgres;
  const keep = async () => {
    for (;;) {
      await postgres.exited;
      if (stopping.signal.aborted) return;
      onDeath('postgres', 'it was killed or failed');
      await wait(200, stopping.signal);
      postgres = await startEmbeddedPostgres({ ...options, port: Number(new URL(url).port) });
    }
  };
  const kept = keep().catch((error: unknown) => {
    if (!stopping.signal.aborted) onDeath('postgres', `it does not start again: ${(error as Error).message}`);
  });
  return {
    url,
    async close() {
      stopping.abort();
      await postgres.close();
      await kept;
    },
  };
}
