// The half of the comparison that needs no cloud: the list of commands on a sandbox of its own, against what a real cloud
// answered when it was recorded.

import { silentLog } from '#common/log.ts';
import { startSandbox } from '../../sandbox/openstack/server.ts';
import {
  type ClientRun,
  expectedAnswers,
  knownDifferences,
  runClient,
  sandboxEnvironment,
} from './client.ts';
import { compare, type Difference, weigh } from './compare.ts';

export type SandboxRun = ClientRun & {
  /** Where the sandbox differs and nobody has said why. */
  readonly fresh: readonly Difference[];
  /** What differences.json lists though it differs no longer. */
  readonly gone: readonly Difference[];
};

export async function compareSandbox(): Promise<SandboxRun> {
  const sandbox = await startSandbox({ port: 0, log: silentLog, buildDelayMs: 100 });
  try {
    const run = await runClient(sandboxEnvironment(sandbox.authUrl, 'sandbox'));
    return { ...run, ...weigh(compare(expectedAnswers(), run.answers), knownDifferences()) };
  } finally {
    await sandbox.close();
  }
}
