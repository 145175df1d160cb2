// Runs the list of commands with Debian's `openstack` client against a cloud.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, KnownDifference } from './compare.ts';
import { runPython } from './python.ts';
import { normalisedError, shapeOf } from './shapes.ts';

const FOLDER = import.meta.dirname;
/** The whole list, with a slow cloud in mind; then the driver is told to clear up and stop. */
const LONGEST_MS = 20 * 60_000;

/** Says what is missing, or false if the client is there. */
export function missingClient(): string | false {
  return existsSync('/usr/bin/openstack')
    ? false
    : 'no /usr/bin/openstack: install python3-openstackclient to run this';
}

export const EXPECTED_FILE = join(FOLDER, 'expected.json');
const DIFFERENCES_FILE = join(FOLDER, 'differences.json');

/** What a real cloud answered. */
export const expectedAnswers = (): readonly Answer[] => JSON.parse(readFileSync(EXPECTED_FILE, 'utf8'));
/** Where the sandbox is known to differ. */
export const knownDifferences = (): readonly KnownDifference[] =>
  JSON.parse(readFileSync(DIFFERENCES_FILE, 'utf8'));

/** The administrator of a sandbox, in the words of the client. */
export function sandboxEnvironment(authUrl: string, password: string): Record<string, string> {
  return {
    OS_AUTH_URL: authUrl,
    OS_USERNAME: 'admin',
    OS_PASSWORD: password,
    OS_PROJECT_NAME: 'admin',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_IDENTITY_API_VERSION: '3',
    OS_REGION_NAME: 'RegionOne',
  };
}

export type ClientRun = {
  readonly answers: readonly Answer[];
  /** What could not be removed at the end. */
  readonly left: readonly string[];
};

type Line = {
  readonly run?: string;
  readonly flavor?: string;
  readonly external?: string;
  readonly left?: readonly string[];
  readonly late?: string;
  readonly until?: string;
  readonly as?: string;
  readonly command?: string;
  readonly exit?: number | string;
  readonly output?: unknown;
  readonly error?: string;
};

/** `environment` names the cloud: OS_* of its administrator. Rejects if the run did not come to its end. */
export async function runClient(environment: Readonly<Record<string, string>>): Promise<ClientRun> {
  const answers: Answer[] = [];
  let words = new Map<string, string>();
  let left: readonly string[] = ['the driver did not say'];
  let late = '';
  const commands = [join(FOLDER, 'commands.txt')];
  const run = { program: 'driver.py', words: commands, environment, longestMs: LONGEST_MS };
  const { code, stderr } = await runPython<Line>(run, (line) => {
    if (line.run !== undefined) words = wordsOf(line);
    if (line.left !== undefined) left = line.left;
    if (line.late !== undefined) late = `"${line.late}" never came to ${line.until}`;
    if (line.command !== undefined) answers.push(answerOf(line, words));
  });
  if (code !== 0) {
    throw new Error(
      `the run ended with ${code} ${late}\n${stderr}\nleft behind: ${left.join(', ') || 'nothing'}`,
    );
  }
  return { answers, left };
}

function answerOf(line: Line, words: ReadonlyMap<string, string>): Answer {
  return {
    as: line.as ?? '',
    command: line.command ?? '',
    exit: line.exit ?? '',
    error: normalisedError(line.error ?? '', words),
    shape: shapeOf(line.output, words),
  };
}

// Names that this run gave or found in the cloud, so that messages of two clouds can be compared.
function wordsOf({ run = '', flavor = '', external = '' }: Line): Map<string, string> {
  return new Map([
    [run, '{run}'],
    [flavor, '{flavor}'],
    [`'${external}'`, "'{external}'"],
  ]);
}
