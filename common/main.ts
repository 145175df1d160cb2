// How a process begins: a start that fails says why in words and ends with status 1; one that succeeds ends on a signal.

import { Failure } from './errors.ts';
import type { Log } from './log.ts';
import { onShutdown } from './shutdown.ts';

/** Runs `start` and keeps the process until SIGTERM or SIGINT, then calls its `close`. */
export async function runProcess(start: () => Promise<{ log: Log; close(): Promise<void> }>): Promise<void> {
  try {
    const { log, close } = await start();
    onShutdown(log, close);
  } catch (error) {
    process.stderr.write(`${error instanceof Failure ? error.message : (error as Error).stack}\n`);
    process.exit(1);
  }
}
