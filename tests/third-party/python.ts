// Runs a Python program of this folder with Debian's interpreter, which has OpenStack's own libraries, and hands on the
// JSON lines it writes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const FOLDER = import.meta.dirname;
const PYTHON = '/usr/bin/python3';

export type PythonRun = {
  /** The program's file in this folder, and what it is told. */
  readonly program: string;
  readonly words: readonly string[];
  /** OS_* of a cloud's administrator. */
  readonly environment: Readonly<Record<string, string>>;
  /** After this the program is told to clear up and stop. */
  readonly longestMs: number;
};

/** Calls `take` with every line. Resolves, once the program ended, to its exit code and what it said besides. */
export async function runPython<Line>(
  { program, words, environment, longestMs }: PythonRun,
  take: (line: Line) => void,
): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const child = spawn(PYTHON, [join(FOLDER, program), ...words], {
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', PYTHONDONTWRITEBYTECODE: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const stop = () => child.kill('SIGTERM');
  const timer = setTimeout(stop, longestMs);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const exited = once(child, 'exit');
  for await (const text of createInterface({ input: child.stdout })) take(JSON.parse(text));
  const [code] = await exited;
  clearTimeout(timer);
  process.off('SIGINT', stop).off('SIGTERM', stop);
  return { code, stderr: stderr.trim() };
}
