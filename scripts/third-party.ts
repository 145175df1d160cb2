// `npm run third-party -- --cloud sandbox|env`: tools that no one here wrote, the `openstack` client and tempest, against a
// sandbox of its own or the cloud that OS_* name, compared with what a real cloud answered (tests/third-party/*expected.json).
//   --cloud sandbox            differences must be exactly those of tests/third-party/*differences.json
//   --cloud env [--check]      there must be none
//   --cloud env --record       keeps the answers as what is expected from now on
//   --tool openstack|tempest   only this one

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { EXPECTED_FILE, expectedAnswers, missingClient, runClient } from '../tests/third-party/client.ts';
import { compare, type Difference } from '../tests/third-party/compare.ts';
import { compareSandbox, tempestOnSandbox } from '../tests/third-party/sandbox-half.ts';
import {
  answersOf,
  expectedOutcomes,
  missingTempest,
  runTempest,
  runTempestPatiently,
  TEMPEST_EXPECTED_FILE,
} from '../tests/third-party/tempest.ts';

const { values } = parseArgs({
  options: {
    cloud: { type: 'string' },
    tool: { type: 'string' },
    record: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});

if (values.cloud !== 'sandbox' && values.cloud !== 'env') {
  throw new Error('say which cloud: --cloud sandbox, or --cloud env for the one that OS_* name');
}
if (values.record && values.cloud !== 'env')
  throw new Error('only a real cloud is recorded: --cloud env --record');

/** What a tool's run came to: where it differs, under which heading, and what it left behind. */
type Outcome = {
  readonly what: string;
  readonly mistakes: readonly { readonly title: string; readonly differences: readonly Difference[] }[];
  readonly reasons?: ReadonlyMap<string, string>;
  readonly left: readonly string[];
};
type Tool = {
  missing(): string | false;
  onSandbox(): Promise<Outcome>;
  onCloud(environment: Readonly<Record<string, string>>): Promise<Outcome>;
};

const SANDBOX_DIFFERS = 'The sandbox differs';
const IS_GONE = 'No longer different, so to be struck off the known differences';
const CLOUD_DIFFERS = 'This cloud differs from the recorded one';

const TOOLS: Readonly<Record<string, Tool>> = {
  openstack: {
    missing: missingClient,
    onSandbox: async () => {
      const { answers, left, fresh, gone } = await compareSandbox();
      return { what: `${answers.length} commands`, mistakes: weighed(fresh, gone), left };
    },
    onCloud: async (environment) => {
      const { answers, left } = await runClient(environment);
      if (values.record) writeJson(EXPECTED_FILE, answers);
      return {
        what: `${answers.length} commands`,
        mistakes: cloudly(compare(expectedAnswers(), answers)),
        left,
      };
    },
  },
  tempest: {
    missing: missingTempest,
    onSandbox: async () => {
      const { outcomes, reasons, left, fresh, gone } = await tempestOnSandbox();
      return { what: tests(outcomes), mistakes: weighed(fresh, gone), reasons, left };
    },
    onCloud: async (environment) => {
      const run = values.record ? runTempest : runTempestPatiently;
      const { outcomes, reasons, left, again } = await run(environment);
      if (values.record) writeJson(TEMPEST_EXPECTED_FILE, outcomes);
      for (const test of again) console.log(`Run anew, alone: ${test} ${outcomes[test]}`);
      const differences = compare(answersOf(expectedOutcomes()), answersOf(outcomes));
      return { what: tests(outcomes), mistakes: cloudly(differences), reasons, left };
    },
  },
};

if (values.tool !== undefined && !(values.tool in TOOLS)) {
  throw new Error(`the tools are ${Object.keys(TOOLS).join(' and ')}`);
}
for (const [name, tool] of Object.entries(TOOLS)) {
  if (values.tool !== undefined && values.tool !== name) continue;
  const missing = tool.missing();
  if (missing) console.log(`Skipped: ${missing}`);
  else report(values.cloud === 'sandbox' ? await tool.onSandbox() : await tool.onCloud(cloudOfEnvironment()));
}

function cloudOfEnvironment(): Record<string, string> {
  const named = Object.entries(process.env).filter(([name]) => name.startsWith('OS_'));
  const environment = Object.fromEntries(named.map(([name, value]) => [name, value ?? '']));
  if (environment.OS_AUTH_URL === undefined) throw new Error('OS_AUTH_URL names no cloud');
  return environment;
}

function weighed(fresh: readonly Difference[], gone: readonly Difference[]): Outcome['mistakes'] {
  return [
    { title: SANDBOX_DIFFERS, differences: fresh },
    { title: IS_GONE, differences: gone },
  ];
}

function cloudly(differences: readonly Difference[]): Outcome['mistakes'] {
  return [{ title: CLOUD_DIFFERS, differences }];
}

function tests(outcomes: Readonly<Record<string, string>>): string {
  return `${Object.keys(outcomes).length} tests of tempest`;
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

function report({ what, mistakes, reasons, left }: Outcome): void {
  for (const { title, differences } of mistakes) {
    for (const { command, at, expected, found } of differences) {
      console.log(`${title}: ${command}\n  at ${at}\n  expected ${expected}\n  found    ${found}`);
      const why = reasons?.get(command);
      if (why) console.log(`  because  ${why.replaceAll('\n', '\n           ')}`);
    }
  }
  for (const name of left) console.log(`Left behind: ${name}`);
  const count = mistakes.reduce((sum, { differences }) => sum + differences.length, 0);
  console.log(`${what}, ${count} mistakes`);
  if (count + left.length > 0) process.exitCode = 1;
}
