// Child processes that are kept running: their lines are passed on, one that dies comes back, all end together.

import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { wait } from '#common/time.ts';

export type Supervised = {
  readonly name: string;
  /** The process id now; 0 between a death and the next start. */
  pid(): number;
  stop(): Promise<void>;
};

export type ProcessOptions = {
  readonly name: string;
  /** The main file, from the project's root. */
  readonly main: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onLine: (name: string, line: string) => void;
  /** Told of each death that nobody asked for, with what the process left behind. */
  readonly onDeath: (name: string, how: string) => void;
};

const ROOT = resolve(import.meta.dirname, '..');
const STOP_MS = 12_000;
const RESTART_MS = [200, 500, 1_000, 2_000, 5_000];
const STEADY_MS = 30_000;

/** Starts a process and, until `stop`, starts it again whenever it dies, more slowly if it keeps dying. */
export function supervise(options: ProcessOptions): Supervised {
  const { name, main, env, onLine, onDeath } = options;
  const stopping = new AbortController();
  let child: ChildProcess | undefined;

  const run = async () => {
    for (let deaths = 0; !stopping.signal.aborted; deaths++) {
      const startedAt = Date.now();
      child = spawn(process.execPath, [join(ROOT, main)], {
        cwd: ROOT,
        env: {
          ...env,
          NODE_COMPILE_CACHE: env.NODE_COMPILE_CACHE ?? join(ROOT, 'node_modules/.cache/compile'),
        },
        // The channel carries no messages: its end tells the process that the launcher is gone.
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        detached: true,
      });
      for (const stream of [child.stdout, child.stderr]) {
        if (stream) createInterface({ input: stream }).on('line', (line) => onLine(name, line));
      }
      const how = await ended(child);
      child = undefined;
      if (stopping.signal.aborted) return;
      if (Date.now() - startedAt > STEADY_MS) deaths = 0;
      onDeath(name, how);
      await wait(RESTART_MS[Math.min(deaths, RESTART_MS.length - 1)] ?? 0, stopping.signal).catch(() => {});
    }
  };
  const running = run();

  return {
    name,
    pid: () => child?.pid ?? 0,
    async stop() {
      stopping.abort();
      const last = child;
      last?.kill('SIGTERM');
      const timer = setTimeout(() => last?.kill('SIGKILL'), STOP_MS);
      await running;
      clearTimeout(timer);
    },
  };
}

function ended(child: ChildProcess): Promise<string> {
  return new Promise((done) => {
    child.once('error', (error) => done(error.message));
    child.once('exit', (code, signal) => done(signal ? `signal ${signal}` : `exit code ${code}`));
  });
}
