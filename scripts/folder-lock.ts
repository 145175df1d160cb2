// One mesh per data folder: a file with the owner's process id, given up when the owner ends and taken over when it died.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#common/errors.ts';

export type Taken = {
  /** Gives it up. */
  release(): void;
  /** Whether its last owner ended without giving it up. */
  readonly wasKilled: boolean;
};

/** Takes the folder or throws if a living process has it. */
export function takeFolder(folder: string): Taken {
  const file = join(folder, 'start.pid');
  const wasKilled = existsSync(file);
  const owner = ownerOf(file);
  if (owner !== undefined) {
    throw new Failure({
      code: 'FAILED_PRECONDITION',
      reason: 'ALREADY_RUNNING',
      message: `The mesh runs already with this data (process ${owner}, ${folder}): stop it, or set another DATA_DIR and other ports`,
    });
  }
  writeFileSync(file, `${process.pid}\n`);
  return { release: () => rmSync(file, { force: true }), wasKilled };
}

function ownerOf(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    process.kill(pid, 0);
    return pid !== process.pid && isLauncher(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

// After a crash the id may belong to something else by now; where the system shows command lines, look.
function isLauncher(pid: number): boolean {
  if (process.platform !== 'linux') return true;
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('scripts/start.ts');
}
