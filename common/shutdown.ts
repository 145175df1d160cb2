// How a process ends: on SIGTERM or SIGINT, or when the launcher that started it is gone, it closes what it opened, and is gone after ten seconds in any case.

import type { Log } from './log.ts';

const PATIENCE_MS = 10_000;

/** Calls `close` once on the first signal, then exits; a second signal exits at once. */
export function onShutdown(log: Log, close: () => Promise<void>): void {
  let closing = false;
  const end = (signal: NodeJS.Signals) => {
    if (closing) process.exit(1);
    closing = true;
    log.info({ signal }, 'shutting down');
    setTimeout(() => process.exit(1), PATIENCE_MS).unref();
    close().then(
      () => process.exit(0),
      (cause) => {
        log.error({ cause }, 'shutdown failed');
        process.exit(1);
      },
    );
  };
  process.once('disconnect', () => end('SIGTERM'));
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}
