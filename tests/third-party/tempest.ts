// Runs tempest.txt's part of OpenStack's own integration tests, Debian's `tempest`, against a cloud. An outcome counts as
// an exit code does for the commands of the `openstack` client, and is compared with a real cloud's in the same way.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Answer, compare, type KnownDifference } from './compare.ts';
import { runPython } from './python.ts';

const FOLDER = import.meta.dirname;
const LIST_FILE = join(FOLDER, 'tempest.txt');
const DIFFERENCES_FILE = join(FOLDER, 'tempest-differences.json');
export const TEMPEST_EXPECTED_FILE = join(FOLDER, 'tempest-expected.json');
/** The whole list, with a slow cloud in mind. */
const LONGEST_MS = 20 * 60_000;
/** Classes of tests side by side. The machines this runs on have few cores, and the cloud takes most of them. */
const WORKERS = 3;

/** Says what is missing, or false if tempest is there. */
export function missingTempest(): string | false {
  return existsSync('/usr/bin/tempest') ? false : 'no /usr/bin/tempest: install tempest to run this';
}

/** What a test came to: passed, failed or skipped. */
export type Outcomes = Readonly<Record<string, string>>;

export const expectedOutcomes = (): Outcomes => JSON.parse(readFileSync(TEMPEST_EXPECTED_FILE, 'utf8'));
export const knownOutcomes = (): readonly KnownDifference[] =>
  JSON.parse(readFileSync(DIFFERENCES_FILE, 'utf8'));

export type TempestRun = {
  readonly outcomes: Outcomes;
  /** Why a test failed or was skipped. */
  readonly reasons: ReadonlyMap<string, string>;
  /** What could not be removed at the end. */
  readonly left: readonly string[];
  /** What was run anew. */
  readonly again: readonly string[];
};

type Line =
  | { readonly test: string; readonly outcome: string; readonly why: string }
  | { readonly test?: undefined; readonly left: readonly string[] };

/** `environment` names the cloud: OS_* of its administrator. Rejects if the run did not come to its end. */
export function runTempest(environment: Readonly<Record<string, string>>): Promise<TempestRun> {
  return runList(environment, { file: LIST_FILE, workers: WORKERS });
}

/** How often tests that came out otherwise than expected are run once more. */
const AGAIN = 2;

/**
 * The same on a cloud that may stumble when much is asked of it at once: Keystone on two cores now and then does not find a
 * role that it gave a moment ago. What did not come to what is expected is run anew, alone; the last time counts.
 */
export async function runTempestPatiently(
  environment: Readonly<Record<string, string>>,
): Promise<TempestRun> {
  let run = await runTempest(environment);
  for (let times = 0; times < AGAIN; times += 1) {
    const odd = compare(answersOf(expectedOutcomes()), answersOf(run.outcomes))
      .map(({ command }) => command)
      .filter((test) => test in run.outcomes);
    if (odd.length === 0) return run;
    const alone = await runOnly(odd, environment);
    run = {
      outcomes: { ...run.outcomes, ...alone.outcomes },
      reasons: new Map([...run.reasons, ...alone.reasons]),
      left: [...run.left, ...alone.left],
      again: [...run.again, ...odd],
    };
  }
  return run;
}

async function runOnly(
  tests: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<TempestRun> {
  const folder = mkdtempSync(join(tmpdir(), 'pucp-tempest-'));
  try {
    const file = join(folder, 'list.txt');
    writeFileSync(file, `${tests.join('\n')}\n`);
    return await runList(environment, { file, workers: 1 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runList(
  environment: Readonly<Record<string, string>>,
  { file, workers }: { readonly file: string; readonly workers: number },
): Promise<TempestRun> {
  const outcomes: Record<string, string> = {};
  const reasons = new Map<string, string>();
  let left: readonly string[] = ['the run did not say'];
  const words = [file, String(workers)];
  const run = { program: 'tempest_runner.py', words, environment, longestMs: LONGEST_MS };
  const { code, stderr } = await runPython<Line>(run, (line) => {
    if (line.test === undefined) {
      left = line.left;
    } else {
      outcomes[line.test] = line.outcome;
      if (line.why !== '') reasons.set(line.test, line.why);
    }
  });
  if (code !== 0) {
    throw new Error(`tempest ended with ${code}\n${stderr}\nleft behind: ${left.join(', ') || 'nothing'}`);
  }
  return { outcomes: sorted(outcomes), reasons, left, again: [] };
}

/** Outcomes in the form in which answers of two clouds are compared: the list decides the order, not the run. */
export function answersOf(outcomes: Outcomes): Answer[] {
  return Object.entries(sorted(outcomes)).map(([test, outcome]) => ({
    as: 'tempest',
    command: test,
    exit: outcome,
    error: '',
    shape: '',
  }));
}

function sorted(outcomes: Outcomes): Outcomes {
  return Object.fromEntries(Object.entries(outcomes).sort(([one], [other]) => (one < other ? -1 : 1)));
}
