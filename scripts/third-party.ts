// `npm run third-party -- --cloud sandbox|env`: the `openstack` client, which no one here wrote, against a sandbox of its
// own or the cloud that OS_* name, compared with what a real cloud answered (tests/third-party/expected.json).
//   --cloud sandbox            differences must be exactly those of tests/third-party/differences.json
//   --cloud env [--check]      there must be none
//   --cloud env --record       keeps the answers as what is expected from now on

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  type ClientRun,
  EXPECTED_FILE,
  expectedAnswers,
  missingClient,
  runClient,
} from '../tests/third-party/client.ts';
import { compare, type Difference } from '../tests/third-party/compare.ts';
import { compareSandbox } from '../tests/third-party/sandbox-half.ts';

const { values } = parseArgs({
  options: {
    cloud: { type: 'string' },
    record: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});

if (values.cloud !== 'sandbox' && values.cloud !== 'env') {
  throw new Error('say which cloud: --cloud sandbox, or --cloud env for the one that OS_* name');
}
if (values.record && values.cloud !== 'env')
  throw new Error('only a real cloud is recorded: --cloud env --record');
const missing = missingClient();
if (missing) {
  console.log(`Skipped: ${missing}`);
} else {
  process.exitCode = values.cloud === 'sandbox' ? await onSandbox() : await onCloud(values.record);
}

async function onSandbox(): Promise<number> {
  const run = await compareSandbox();
  report('The sandbox differs', run.fresh);
  report('No longer different, so to be struck off differences.json', run.gone);
  return finish(run, run.fresh.length + run.gone.length);
}

async function onCloud(isToBeRecorded: boolean): Promise<number> {
  const named = Object.entries(process.env).filter(([name]) => name.startsWith('OS_'));
  const environment = Object.fromEntries(named.map(([name, value]) => [name, value ?? '']));
  if (environment.OS_AUTH_URL === undefined) throw new Error('OS_AUTH_URL names no cloud');
  const run = await runClient(environment);
  if (isToBeRecorded) {
    writeFileSync(EXPECTED_FILE, `${JSON.stringify(run.answers, null, 2)}\n`);
    return finish(run, 0);
  }
  const differences = compare(expectedAnswers(), run.answers);
  report('This cloud differs from the recorded one', differences);
  return finish(run, differences.length);
}

function report(title: string, differences: readonly Difference[]): void {
  for (const { command, at, expected, found } of differences) {
    console.log(`${title}: openstack ${command}\n  at ${at}\n  expected ${expected}\n  found    ${found}`);
  }
}

function finish({ answers, left }: ClientRun, mistakes: number): number {
  for (const name of left) console.log(`Left behind: ${name}`);
  console.log(`${answers.length} commands, ${mistakes} mistakes`);
  return mistakes + left.length > 0 ? 1 : 0;
}
